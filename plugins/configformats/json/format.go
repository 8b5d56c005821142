package json

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/zdhost/zdhost/pluginapi"
)

// Format reads JSON. Its zero value is ready to use.
type Format struct{}

var _ pluginapi.ConfigFormat = Format{}

// Extensions returns "json".
func (Format) Extensions() []string { return []string{"json"} }

// Parse implements pluginapi.ConfigFormat. An empty file is an empty object.
func (Format) Parse(ctx context.Context, file string, src []byte) (pluginapi.Tree, []pluginapi.Diagnostic) {
	lines := pluginapi.NewLines(file, src)
	empty := pluginapi.Tree{Root: pluginapi.Node{Kind: pluginapi.ObjectNode, Pos: lines.Pos(0)}}
	if found := pluginapi.CheckSource(file, src); found != nil {
		return empty, found
	}
	if len(bytes.TrimSpace(src)) == 0 {
		return empty, nil
	}
	r := newReader(ctx, lines, src)
	root, err := r.value(0)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return empty, []pluginapi.Diagnostic{r.diagnose(err)}
	}
	tree := pluginapi.Tree{Root: root}
	return tree, pluginapi.CheckTree(tree)
}

// reader makes nodes of a token stream.
type reader struct {
	ctx   context.Context
	lines *pluginapi.Lines
	src   []byte
	dec   *stdjson.Decoder
	at    int // offset of the token read last
}

func newReader(ctx context.Context, lines *pluginapi.Lines, src []byte) *reader {
	dec := stdjson.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	return &reader{ctx: ctx, lines: lines, src: src, dec: dec}
}

// token returns the next token and notes where it begins.
func (r *reader) token() (stdjson.Token, error) {
	r.at = r.next()
	return r.dec.Token()
}

// next returns the offset of the token that comes next.
func (r *reader) next() int {
	i := int(r.dec.InputOffset())
	for i < len(r.src) && strings.IndexByte(" \t\r\n,:", r.src[i]) >= 0 {
		i++
	}
	return i
}

func (r *reader) value(depth int) (pluginapi.Node, error) {
	if err := r.ctx.Err(); err != nil {
		return pluginapi.Node{}, err
	}
	token, err := r.token()
	n := pluginapi.Node{Pos: r.lines.Pos(r.at)}
	if err != nil {
		return n, err
	}
	if depth > pluginapi.MaxConfigDepth {
		return n, fmt.Errorf("nested more than %d levels deep", pluginapi.MaxConfigDepth)
	}
	switch v := token.(type) {
	case stdjson.Delim:
		if v == '{' {
			n.Kind = pluginapi.ObjectNode
		} else {
			n.Kind = pluginapi.ListNode
		}
		n.Items, err = r.items(n.Kind, depth)
	case string:
		n.Kind, n.Text = pluginapi.StringNode, v
	case stdjson.Number:
		n.Kind = pluginapi.NumberNode
		n.Text, err = pluginapi.ParseNumber(v.String())
	case bool:
		n.Kind, n.Text = pluginapi.BoolNode, strconv.FormatBool(v)
	case nil:
		n.Kind = pluginapi.NullNode
	}
	return n, err
}

// items reads what an object or a list holds, and its closing bracket.
func (r *reader) items(kind pluginapi.NodeKind, depth int) ([]pluginapi.Node, error) {
	var items []pluginapi.Node
	for r.dec.More() {
		var key string
		var keyPos pluginapi.Pos
		if kind == pluginapi.ObjectNode {
			token, err := r.token()
			if err != nil {
				return nil, err
			}
			key, _ = token.(string)
			keyPos = r.lines.Pos(r.at)
		}
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		item.Key, item.KeyPos = key, keyPos
		items = append(items, item)
	}
	_, err := r.token()
	return items, err
}

// end refuses what follows the first value.
func (r *reader) end() error {
	rest := bytes.TrimLeft(r.src[r.dec.InputOffset():], " \t\r\n")
	r.at = len(r.src) - len(rest)
	if len(rest) > 0 {
		return errors.New("text after the end of the configuration")
	}
	return nil
}

// diagnose gives an error its place: a syntax error names its own.
func (r *reader) diagnose(err error) pluginapi.Diagnostic {
	d := pluginapi.Diagnostic{Severity: pluginapi.SeverityError, Pos: r.lines.Pos(r.at), Summary: err.Error()}
	var syntax *stdjson.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		d.Pos = r.lines.Pos(len(r.src))
		d.Summary = "the file ends in the middle of a value"
		d.Hint = "a bracket or a quote is not closed"
	case errors.As(err, &syntax):
		d.Pos = r.lines.Pos(max(int(syntax.Offset)-1, r.at))
		if strings.HasPrefix(string(r.src[r.at:]), "//") || strings.HasPrefix(string(r.src[r.at:]), "/*") {
			d.Summary, d.Hint = "JSON has no comments", "remove it, or use zdhost.hcl or zdhost.yaml"
		}
	}
	return d
}
