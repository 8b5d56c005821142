package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/configformats"
)

// ErrNotFound is what Find returns where there is no configuration.
var ErrNotFound = errors.New("no zdhost.hcl, zdhost.yaml, zdhost.toml or zdhost.json")

// Find returns the path of the configuration in dir: zdhost with the extension
// of a bundled format. None is an error that wraps ErrNotFound; two are an
// error too.
func Find(dir string) (string, error) {
	var found []string
	for _, extension := range extensions() {
		path := filepath.Join(dir, "zdhost."+extension)
		if _, err := os.Stat(path); err == nil {
			found = append(found, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("cannot look for the configuration: %w", err)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("cannot find the configuration: %w in %s", ErrNotFound, dir)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("cannot choose the configuration: there are %s", strings.Join(found, " and "))
}

func extensions() []string {
	var all []string
	for _, f := range configformats.Bundled() {
		all = append(all, f.Extensions()...)
	}
	return all
}

// Load reads the configuration in the file at path, lays the overrides over
// it, and checks everything that needs nothing but the file. If something is
// wrong, the error is an *Error with all that was found.
func Load(ctx context.Context, path string, overrides ...Override) (*Config, error) {
	src, problem := read(path)
	if problem != nil {
		return nil, &Error{Problems: []Problem{*problem}}
	}
	return Parse(ctx, path, src, overrides...)
}

// Parse is Load with what the file at path holds, or held: nothing is read.
func Parse(ctx context.Context, path string, src []byte, overrides ...Override) (*Config, error) {
	format := formatOf(path)
	if format == nil {
		return nil, &Error{Problems: []Problem{*unknownExtension(path)}}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot load configuration: %w", err)
	}
	tree, diagnostics := format.Parse(ctx, path, src)
	if !pluginapi.HasErrors(diagnostics) {
		diagnostics = append(diagnostics, pluginapi.CheckTree(tree)...)
	}
	var found findings
	found.addDiagnostics(diagnostics)
	if err := found.err(); err != nil {
		return nil, err
	}
	c, found, err := assemble(tree, filepath.Dir(absolute), overrides)
	if err != nil {
		return nil, err
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	c.File, c.source = absolute, src
	return c, nil
}

// assemble makes a Config of a tree; without found problems it is whole.
func assemble(tree pluginapi.Tree, dir string, overrides []Override) (*Config, findings, error) {
	var found findings
	s := &shaper{dir: dir, found: &found, positions: positions{}, order: map[string][]string{}}
	s.positions[""] = pluginapi.Pos{File: tree.Root.Pos.File}
	layers := []layer{s.block(&tree.Root, Schema(), scope{})}
	found = append(found, s.unsupported...)
	for _, o := range overrides {
		layers = append(layers, override(o, s.order, &found, s.positions))
	}
	given, err := merge(layers...)
	if err != nil {
		return nil, nil, err
	}
	merged, err := merge(defaults(Schema(), given, dir), given)
	if err != nil {
		return nil, nil, err
	}
	c, err := decode(merged, s.order, dir)
	if err != nil {
		return nil, nil, err
	}
	c.positions = s.positions
	c.RunDir = runDir(c.RunDir, c.StateDir)
	c.crossCheck(&found)
	return c, found, nil
}

func unknownExtension(path string) *Problem {
	return &Problem{
		Pos: pluginapi.Pos{File: path}, Message: fmt.Sprintf("unknown extension %q", filepath.Ext(path)),
		Hint: "known: ." + strings.Join(extensions(), ", ."),
	}
}

// read returns the content of the file at path, if a format reads it.
func read(path string) ([]byte, *Problem) {
	refuse := func(hint, format string, args ...any) ([]byte, *Problem) {
		return nil, &Problem{Pos: pluginapi.Pos{File: path}, Message: fmt.Sprintf(format, args...), Hint: hint}
	}
	if formatOf(path) == nil {
		return nil, unknownExtension(path)
	}
	// O_NONBLOCK: a FIFO must not hold us up.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		hint := ""
		if errors.Is(err, fs.ErrNotExist) {
			hint = nearestFile(path)
		}
		return refuse(hint, "cannot read the configuration: %s", reason(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return refuse("", "cannot read the configuration: %s", reason(err))
	} else if !info.Mode().IsRegular() {
		return refuse("", "the configuration is no regular file")
	}
	src, err := io.ReadAll(io.LimitReader(f, pluginapi.MaxConfigSize+1))
	if err != nil {
		return refuse("", "cannot read the configuration: %s", reason(err))
	}
	return bytes.TrimPrefix(src, []byte("\uFEFF")), nil
}

func formatOf(path string) pluginapi.ConfigFormat {
	extension := strings.TrimPrefix(filepath.Ext(path), ".")
	for _, f := range configformats.Bundled() {
		for _, e := range f.Extensions() {
			if e == extension {
				return f
			}
		}
	}
	return nil
}

// reason returns what an error of the operating system says, without the
// operation and the path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// nearestFile returns a hint that names the file most like one that is
// missing, in the same directory, or "".
func nearestFile(path string) string {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	near := nearest(filepath.Base(path), names)
	if near == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", filepath.Join(dir, near))
}
