package yaml

import (
	"context"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/zdhost/zdhost/pluginapi"
)

// builder turns YAML's nodes into the tree's.
type builder struct {
	ctx   context.Context
	file  string
	nodes int // made so far, aliases counted where they are used
}

func (b *builder) pos(n *yaml.Node) pluginapi.Pos {
	return pluginapi.Pos{File: b.file, Line: n.Line, Column: n.Column}
}

func (b *builder) refuse(n *yaml.Node, hint, format string, args ...any) error {
	return &placedError{pos: b.pos(n), summary: fmt.Sprintf(format, args...), hint: hint}
}

func (b *builder) node(n *yaml.Node, depth int) (pluginapi.Node, error) {
	out := pluginapi.Node{Pos: b.pos(n)}
	if err := b.ctx.Err(); err != nil {
		return out, err
	}
	if b.nodes++; b.nodes > pluginapi.MaxConfigNodes {
		return out, b.refuse(n, "aliases count as what they stand for", "more than %d values in one file", pluginapi.MaxConfigNodes)
	}
	// An alias of something that holds the alias would never end: it is cut
	// here too.
	if depth > pluginapi.MaxConfigDepth {
		return out, b.refuse(n, "", "nested more than %d levels deep", pluginapi.MaxConfigDepth)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		return out, b.refuse(n, "put quotes around the value to make it a string", `tags ("!…") are not supported`)
	}
	switch n.Kind {
	case yaml.AliasNode:
		target, err := b.node(n.Alias, depth+1)
		target.Pos = out.Pos
		return target, err
	case yaml.MappingNode:
		out.Kind = pluginapi.ObjectNode
		return out, b.entries(&out, n, depth)
	case yaml.SequenceNode:
		out.Kind = pluginapi.ListNode
		for _, element := range n.Content {
			item, err := b.node(element, depth+1)
			if err != nil {
				return out, err
			}
			out.Items = append(out.Items, item)
		}
		return out, nil
	default:
		return out, b.scalar(&out, n)
	}
}

func (b *builder) entries(out *pluginapi.Node, n *yaml.Node, depth int) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Tag == "!!merge":
			return b.refuse(key, "write the keys out, or use an alias for a whole value", `merge keys ("<<") are not supported`)
		case key.Kind != yaml.ScalarNode || key.Tag == "!!null":
			return b.refuse(key, "", "a key must be a word or a quoted string")
		}
		item, err := b.node(n.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		item.Key, item.KeyPos = key.Value, b.pos(key)
		if n.Content[i+1].Value == "" && item.Kind == pluginapi.NullNode {
			item.Pos = item.KeyPos // nothing was written: the parser points behind it
		}
		out.Items = append(out.Items, item)
	}
	return nil
}

func (b *builder) scalar(out *pluginapi.Node, n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		out.Kind = pluginapi.NullNode
	case "!!bool":
		out.Kind, out.Text = pluginapi.BoolNode, strings.ToLower(n.Value)
	case "!!int", "!!float":
		text, err := pluginapi.ParseNumber(n.Value)
		if err != nil {
			return b.refuse(n, "if it is no number, put quotes around it", "%s", err)
		}
		out.Kind, out.Text = pluginapi.NumberNode, text
	default:
		out.Kind, out.Text = pluginapi.StringNode, n.Value
	}
	return nil
}
