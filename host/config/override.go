package config

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/configformats/json"
)

// Override is one value from the command line, laid over the file's.
type Override struct {
	Key   string // dotted path, such as "state_dir" or "service.shop.instances"
	Value string // as a file has it, without quotes; lists as JSON
}

// override checks one override and returns it as a layer. order has the names
// that the file gives to services and listeners. Relative paths are relative
// to the working directory.
func override(o Override, order map[string][]string, found *findings, places positions) layer {
	pos := pluginapi.Pos{File: "override of " + o.Key}
	dir, err := os.Getwd()
	if err != nil {
		found.add(pos, o.Key, "", "cannot tell the working directory: %s", err)
		return nil
	}
	path, key, problem, hint := resolve(o.Key, Schema(), order, "")
	if problem != "" {
		found.add(pos, o.Key, hint, "%s", problem)
		return nil
	}
	node := overrideNode(key, o.Value)
	place(&node, pos)
	for i := len(path) - 1; i >= 0; i-- {
		node.Key = path[i]
		node = pluginapi.Node{Kind: pluginapi.ObjectNode, Pos: pos, Items: []pluginapi.Node{node}}
	}
	s := &shaper{dir: dir, partial: true, found: found, positions: positions{}, order: map[string][]string{}}
	values := s.block(&node, Schema(), scope{})
	*found = append(*found, s.unsupported...)
	places[o.Key] = pos
	return values
}

// resolve splits a dotted path along the schema. Names may have dots: the
// longest one that the file has is meant.
func resolve(dotted string, keys []Key, order map[string][]string, prefix string) (path []string, key *Key, problem, hint string) {
	name, rest, deeper := strings.Cut(dotted, ".")
	key = findKey(keys, name)
	if key == nil {
		var names []string
		for _, k := range keys {
			names = append(names, k.Name)
		}
		return nil, nil, fmt.Sprintf("unknown key %q", name), didYouMean(name, names)
	}
	path = []string{name}
	switch key.Type {
	case TypeNamed:
		label := longestPrefix(rest, order[prefix+name])
		if label == "" {
			word, _, _ := strings.Cut(rest, ".")
			return nil, nil, fmt.Sprintf("no %s %q", name, word), didYouMean(word, order[prefix+name])
		}
		path, rest = append(path, label), strings.TrimPrefix(rest[len(label):], ".")
	case TypeBlock:
	case TypeEnv:
		if deeper {
			return append(path, rest), &Key{Name: rest, Type: TypeString}, "", ""
		}
		return nil, nil, fmt.Sprintf("%q is a map", name), "name one of its variables: " + name + ".NAME"
	case TypeChoice, TypeChoices, TypeAny:
		return nil, nil, fmt.Sprintf("%q can't be overridden", name), "change the file"
	default:
		if deeper {
			return nil, nil, fmt.Sprintf("%q is no block", name), ""
		}
		return path, key, "", ""
	}
	if rest == "" {
		return nil, nil, fmt.Sprintf("%q is a block, not a value", dotted), "name one of its keys"
	}
	inner, key, problem, hint := resolve(rest, key.Keys, order, "")
	return append(path, inner...), key, problem, hint
}

func longestPrefix(dotted string, names []string) string {
	longest := ""
	for _, name := range names {
		if (dotted == name || strings.HasPrefix(dotted, name+".")) && len(name) > len(longest) {
			longest = name
		}
	}
	return longest
}

// overrideNode returns the node that stands for an override's value. A list
// that isn't written as JSON is a list of that one string.
func overrideNode(key *Key, value string) pluginapi.Node {
	if key.Type != TypeStrings {
		return leaf(key.Type, value)
	}
	if strings.HasPrefix(value, "[") {
		tree, found := json.Format{}.Parse(context.Background(), "", []byte(`{"list":`+value+`}`))
		if !pluginapi.HasErrors(found) {
			return tree.Root.Items[0]
		}
	}
	element := pluginapi.Node{Kind: pluginapi.StringNode, Text: value}
	return pluginapi.Node{Kind: pluginapi.ListNode, Items: []pluginapi.Node{element}}
}

// place sets the position of a node and all below it.
func place(n *pluginapi.Node, pos pluginapi.Pos) {
	n.Pos, n.KeyPos = pos, pos
	for i := range n.Items {
		place(&n.Items[i], pos)
	}
}
