package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/zdhost/zdhost/pluginapi"
)

// FromCommand returns the configuration of `zdhost run -- PROGRAM ARG…`: one
// service that adopts whatever it binds, with the defaults of everything else.
// Without a name the service is called after the program.
func FromCommand(name string, argv []string, overrides ...Override) (*Config, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("cannot run a command: no program is named")
	}
	if name == "" {
		name = nameOf(argv[0])
	}
	if hint, ok := checkName("service", name); !ok {
		return nil, &Error{Problems: []Problem{{Path: "service", Message: fmt.Sprintf("%q is no name for a service", name), Hint: hint}}}
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("cannot tell the working directory: %w", err)
	}
	c, found, err := assemble(commandTree(name, argv), dir, overrides)
	if err != nil {
		return nil, err
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// commandTree returns service "name" { command = argv }.
func commandTree(name string, argv []string) pluginapi.Tree {
	object := func(key string, items ...pluginapi.Node) pluginapi.Node {
		return pluginapi.Node{Kind: pluginapi.ObjectNode, Key: key, Items: items}
	}
	command := pluginapi.Node{Kind: pluginapi.ListNode, Key: "command"}
	for _, arg := range argv {
		command.Items = append(command.Items, pluginapi.Node{Kind: pluginapi.StringNode, Text: arg})
	}
	tree := pluginapi.Tree{Root: object("", object("service", object(name, command)))}
	place(&tree.Root, pluginapi.Pos{File: "command line"})
	return tree
}

var (
	programExtension = regexp.MustCompile(`\.[A-Za-z][A-Za-z0-9]{0,4}$`)
	programVersion   = regexp.MustCompile(`([-_.]v?[0-9]+([._][0-9]+)*|\.[0-9]+)$`)
)

// nameOf makes a service's name of a program's path: its base name without
// extension and version ("./shop-1.2.3" is shop, "server.py" is server;
// "python3" stays).
func nameOf(program string) string {
	base := filepath.Base(program)
	for _, suffix := range []*regexp.Regexp{programExtension, programVersion} {
		if short := suffix.ReplaceAllString(base, ""); strings.Trim(short, "._-") != "" {
			base = short
		}
	}
	name := cleanName(base)
	switch name {
	case "":
		return "service"
	case "host":
		return "host-service"
	}
	return name
}
