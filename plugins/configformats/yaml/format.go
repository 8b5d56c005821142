package yaml

import (
	"bytes"
	"context"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/zdhost/zdhost/pluginapi"
)

// Format reads YAML. Its zero value is ready to use.
type Format struct{}

var _ pluginapi.ConfigFormat = Format{}

// Extensions returns "yaml" and "yml".
func (Format) Extensions() []string { return []string{"yaml", "yml"} }

// Parse implements pluginapi.ConfigFormat. An empty file is an empty object.
func (Format) Parse(ctx context.Context, file string, src []byte) (pluginapi.Tree, []pluginapi.Diagnostic) {
	start := pluginapi.Pos{File: file, Line: 1, Column: 1}
	empty := pluginapi.Tree{Root: pluginapi.Node{Kind: pluginapi.ObjectNode, Pos: start}}
	if found := pluginapi.CheckSource(file, src); found != nil {
		return empty, found
	}
	doc, err := document(file, src)
	if doc == nil && err == nil {
		return empty, nil
	}
	var root pluginapi.Node
	if err == nil {
		b := &builder{ctx: ctx, file: file}
		root, err = b.node(doc, 0)
	}
	if err != nil {
		return empty, []pluginapi.Diagnostic{diagnose(file, src, err)}
	}
	if root.Kind == pluginapi.NullNode {
		return empty, nil
	}
	tree := pluginapi.Tree{Root: root}
	return tree, pluginapi.CheckTree(tree)
}

// document returns the content of the only document of src, or nil if there is
// none.
func document(file string, src []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := dec.Decode(&second); err == nil {
		return nil, &placedError{
			pos:     pluginapi.Pos{File: file, Line: second.Line, Column: second.Column},
			summary: "a second document in one file",
			hint:    `remove the "---" and what follows it`,
		}
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// placedError is an error that knows its place.
type placedError struct {
	pos     pluginapi.Pos
	summary string
	hint    string
}

func (e *placedError) Error() string { return e.summary }

func diagnose(file string, src []byte, err error) pluginapi.Diagnostic {
	d := pluginapi.Diagnostic{Severity: pluginapi.SeverityError, Pos: pluginapi.Pos{File: file}, Summary: err.Error()}
	var placed *placedError
	if errors.As(err, &placed) {
		d.Pos, d.Hint = placed.pos, placed.hint
		return d
	}
	d.Pos.Line, d.Summary = locate(src, err.Error())
	if line := lineOf(src, d.Pos.Line); bytes.Contains(leadingBlanks(line), []byte("\t")) {
		d.Hint = "YAML is indented with spaces, not with tabs"
	}
	return d
}
