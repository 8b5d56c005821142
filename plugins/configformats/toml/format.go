package toml

import (
	"context"
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/zdhost/zdhost/pluginapi"
)

// Format reads TOML. Its zero value is ready to use.
type Format struct{}

var _ pluginapi.ConfigFormat = Format{}

// Extensions returns "toml".
func (Format) Extensions() []string { return []string{"toml"} }

// Parse implements pluginapi.ConfigFormat.
func (Format) Parse(ctx context.Context, file string, src []byte) (pluginapi.Tree, []pluginapi.Diagnostic) {
	lines := pluginapi.NewLines(file, src)
	empty := pluginapi.Tree{Root: pluginapi.Node{Kind: pluginapi.ObjectNode, Pos: lines.Pos(0)}}
	if found := pluginapi.CheckSource(file, src); found != nil {
		return empty, found
	}
	b := &builder{lines: lines, src: src, root: newTable(lines.Pos(0), pluginapi.Pos{}, byHeader)}
	b.open = b.root
	b.parser.Reset(src)
	for b.parser.NextExpression() {
		err := ctx.Err()
		if err == nil {
			err = b.expression(b.parser.Expression())
		}
		if err != nil {
			return empty, []pluginapi.Diagnostic{b.diagnose(err)}
		}
	}
	if err := b.parser.Error(); err != nil {
		return empty, []pluginapi.Diagnostic{b.diagnose(err)}
	}
	if err := checkLiterals(src); err != nil {
		return empty, []pluginapi.Diagnostic{b.diagnose(err)}
	}
	tree := pluginapi.Tree{Root: b.root.node("")}
	return tree, pluginapi.CheckTree(tree)
}

// checkLiterals reads src once more with go-toml's decoder, since its parser
// takes numbers and dates of any digits.
func checkLiterals(src []byte) error {
	var discard map[string]any
	return toml.Unmarshal(src, &discard)
}

// placedError is an error that knows its place.
type placedError struct {
	pos     pluginapi.Pos
	summary string
	hint    string
}

func (e *placedError) Error() string { return e.summary }

func (b *builder) diagnose(err error) pluginapi.Diagnostic {
	d := pluginapi.Diagnostic{Severity: pluginapi.SeverityError, Summary: err.Error()}
	var placed *placedError
	var syntax *unstable.ParserError
	var literal *toml.DecodeError
	switch {
	case errors.As(err, &literal):
		row, column := literal.Position() // the column counts bytes
		d.Pos = b.lines.At(row, column)
		d.Summary = strings.TrimPrefix(literal.Error(), "toml: ")
	case errors.As(err, &placed):
		d.Pos, d.Hint = placed.pos, placed.hint
	case errors.As(err, &syntax):
		d.Pos = b.lines.Pos(int(b.parser.Range(syntax.Highlight).Offset))
		d.Summary = syntax.Message
	}
	return d
}
