package toml

import (
	"bytes"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/zdhost/zdhost/pluginapi"
)

// value turns the value at the cursor into a node and moves the cursor behind
// it. The parser keeps no position of an array or a closing bracket, so the
// cursor finds them.
func (b *builder) value(n *unstable.Node, depth int) (pluginapi.Node, error) {
	b.skip()
	out := pluginapi.Node{Pos: b.lines.Pos(b.cursor)}
	if depth > pluginapi.MaxConfigDepth {
		return out, tooDeep(out.Pos)
	}
	switch n.Kind {
	case unstable.Array:
		out.Kind = pluginapi.ListNode
		items, err := b.elements(n, depth)
		out.Items = items
		return out, err
	case unstable.InlineTable:
		section, err := b.inlineTable(n, depth)
		if err != nil {
			return out, err
		}
		return section.node(""), nil
	case unstable.String:
		out.Kind, out.Text = pluginapi.StringNode, string(n.Data)
		b.cursor = int(n.Raw.Offset + n.Raw.Length)
		return out, nil
	}
	literal := b.parser.Range(n.Data)
	b.cursor = int(literal.Offset + literal.Length)
	out.Text = string(n.Data)
	switch n.Kind {
	case unstable.Bool:
		out.Kind = pluginapi.BoolNode
	case unstable.Integer, unstable.Float:
		text, err := pluginapi.ParseNumber(out.Text)
		if err != nil {
			return out, &placedError{pos: out.Pos, summary: err.Error()}
		}
		out.Kind, out.Text = pluginapi.NumberNode, text
	default: // dates and times
		out.Kind = pluginapi.StringNode
	}
	return out, nil
}

func (b *builder) elements(n *unstable.Node, depth int) ([]pluginapi.Node, error) {
	b.cursor++ // "["
	var items []pluginapi.Node
	for it := n.Children(); it.Next(); {
		if it.Node().Kind == unstable.Comment {
			continue
		}
		item, err := b.value(it.Node(), depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	b.skip()
	b.cursor++ // "]"
	return items, nil
}

// inlineTable reads { a = 1, b.c = 2 }: a section of its own, closed at its
// bracket.
func (b *builder) inlineTable(n *unstable.Node, depth int) (*table, error) {
	section := newTable(b.lines.Pos(b.cursor), pluginapi.Pos{}, byHeader)
	b.cursor++ // "{"
	for it := n.Children(); it.Next(); {
		if it.Node().Kind != unstable.KeyValue {
			continue
		}
		if err := b.keyValue(it.Node(), section, depth+1); err != nil {
			return nil, err
		}
	}
	b.skip()
	b.cursor++ // "}"
	return section, nil
}

// skip moves the cursor over what stands between values: blanks, line ends,
// comments, and the signs "=" and ",".
func (b *builder) skip() {
	for b.cursor < len(b.src) {
		switch b.src[b.cursor] {
		case ' ', '\t', '\r', '\n', ',', '=':
			b.cursor++
		case '#':
			end := bytes.IndexByte(b.src[b.cursor:], '\n')
			if end < 0 {
				end = len(b.src) - b.cursor
			}
			b.cursor += end
		default:
			return
		}
	}
}
