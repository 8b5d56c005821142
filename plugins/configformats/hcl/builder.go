package hcl

import (
	"context"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/zdhost/zdhost/pluginapi"
)

// builder turns HCL's syntax tree into the format-neutral one. Its recursion
// is bounded by what checkTokens let through.
type builder struct {
	ctx   context.Context
	lines *pluginapi.Lines
	src   []byte
	found []pluginapi.Diagnostic
}

// body returns the attributes and blocks of a body in the file's order.
func (b *builder) body(body *hclsyntax.Body) []pluginapi.Node {
	if err := b.ctx.Err(); err != nil {
		b.add(body.Range().Start.Byte, err.Error(), "")
		return nil
	}
	type entry struct {
		offset int
		node   pluginapi.Node
	}
	var entries []entry
	for name, attribute := range body.Attributes {
		n := b.value(attribute.Expr)
		n.Key = name
		at := attribute.NameRange.Start.Byte
		n.KeyPos = b.lines.Pos(at)
		entries = append(entries, entry{at, n})
	}
	for _, block := range body.Blocks {
		at := block.TypeRange.Start.Byte
		n := pluginapi.Node{
			Kind: pluginapi.ObjectNode, Key: block.Type, Block: true,
			KeyPos: b.lines.Pos(at), Pos: b.lines.Pos(block.OpenBraceRange.Start.Byte),
		}
		for i, text := range block.Labels {
			label := pluginapi.Label{Text: text, Pos: b.lines.Pos(block.LabelRanges[i].Start.Byte)}
			n.Labels = append(n.Labels, label)
		}
		n.Items = b.body(block.Body)
		entries = append(entries, entry{at, n})
	}
	slices.SortFunc(entries, func(x, y entry) int { return x.offset - y.offset })
	var nodes []pluginapi.Node
	for _, e := range entries {
		nodes = append(nodes, e.node)
	}
	return nodes
}

func (b *builder) value(e hclsyntax.Expression) pluginapi.Node {
	at := e.Range().Start.Byte
	n := pluginapi.Node{Kind: pluginapi.NullNode, Pos: b.lines.Pos(at)}
	switch e := e.(type) {
	case *hclsyntax.TupleConsExpr:
		n.Kind = pluginapi.ListNode
		for _, element := range e.Exprs {
			n.Items = append(n.Items, b.value(element))
		}
	case *hclsyntax.ObjectConsExpr:
		n.Kind = pluginapi.ObjectNode
		for _, item := range e.Items {
			n.Items = append(n.Items, b.item(item))
		}
	case *hclsyntax.TemplateExpr:
		n.Kind, n.Text = pluginapi.StringNode, b.text(e)
	case *hclsyntax.UnaryOpExpr: // "-" before a number
		b.number(&n, at, e.SrcRange.SliceBytes(b.src))
	case *hclsyntax.LiteralValueExpr:
		switch {
		case e.Val.IsNull():
		case e.Val.Type() == cty.Bool:
			n.Kind, n.Text = pluginapi.BoolNode, strconv.FormatBool(e.Val.True())
		default:
			b.number(&n, at, e.SrcRange.SliceBytes(b.src))
		}
	case *hclsyntax.ScopeTraversalExpr:
		b.add(at, "a value must be literal, not a bare word", "put quotes around it")
	default:
		b.add(at, "a value must be literal: a string, a number, true, false, a list or a map", "")
	}
	return n
}

// item returns one entry of a map written with "=": its keys are words or
// quoted strings.
func (b *builder) item(item hclsyntax.ObjectConsItem) pluginapi.Node {
	n := b.value(item.ValueExpr)
	at := item.KeyExpr.Range().Start.Byte
	n.KeyPos = b.lines.Pos(at)
	key, problems := item.KeyExpr.Value(nil)
	if problems.HasErrors() || key.IsNull() || !key.Type().Equals(cty.String) {
		b.add(at, "a key must be a word or a quoted string", "")
		return n
	}
	n.Key = key.AsString()
	return n
}

// text returns the value of a string or heredoc without interpolation.
func (b *builder) text(e *hclsyntax.TemplateExpr) string {
	value, problems := e.Value(nil)
	if problems.HasErrors() || value.IsNull() || !value.Type().Equals(cty.String) {
		b.add(e.SrcRange.Start.Byte, "a value must be literal: this string is not", "")
		return ""
	}
	return value.AsString()
}

func (b *builder) number(n *pluginapi.Node, at int, literal []byte) {
	text, err := pluginapi.ParseNumber(string(literal))
	if err != nil {
		b.add(at, err.Error(), "if it is no number, put quotes around it")
		return
	}
	n.Kind, n.Text = pluginapi.NumberNode, text
}
