package toml

import (
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/zdhost/zdhost/pluginapi"
)

// builder folds TOML's expressions into tables.
type builder struct {
	parser unstable.Parser
	lines  *pluginapi.Lines
	src    []byte
	root   *table
	open   *table // the table whose section the next key = value belongs to
	cursor int    // offset up to which the current expression was read
}

// name is one part of a dotted key.
type name struct {
	text string
	pos  pluginapi.Pos
}

func (b *builder) expression(n *unstable.Node) error {
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		path := b.path(n.Key())
		if len(path) > pluginapi.MaxConfigDepth {
			return tooDeep(path[0].pos)
		}
		parent, err := b.descend(path[:len(path)-1])
		if err != nil {
			return err
		}
		if n.Kind == unstable.Table {
			b.open, err = openTable(parent, path[len(path)-1])
		} else {
			b.open, err = openElement(parent, path[len(path)-1])
		}
		return err
	case unstable.KeyValue:
		return b.keyValue(n, b.open, 1)
	default:
		return nil // a comment
	}
}

func (b *builder) path(keys unstable.Iterator) []name {
	var path []name
	for keys.Next() {
		k := keys.Node()
		path = append(path, name{text: string(k.Data), pos: b.lines.Pos(int(k.Raw.Offset))})
		b.cursor = int(k.Raw.Offset + k.Raw.Length)
	}
	return path
}

// descend walks a header's path from the root and makes what is missing.
func (b *builder) descend(path []name) (*table, error) {
	t := b.root
	for _, k := range path {
		e := t.byKey[k.text]
		switch {
		case e == nil:
			next := newTable(k.pos, k.pos, byPath)
			t.add(&entry{key: k.text, table: next, pos: k.pos})
			t = next
		case e.table != nil:
			t = e.table
		case e.array != nil:
			t = e.array[len(e.array)-1]
		default:
			return nil, taken(k, e)
		}
	}
	return t, nil
}

// openTable opens the section [… k].
func openTable(parent *table, k name) (*table, error) {
	e := parent.byKey[k.text]
	if e == nil {
		t := newTable(k.pos, k.pos, byHeader)
		parent.add(&entry{key: k.text, table: t, pos: k.pos})
		return t, nil
	}
	if e.table == nil || e.table.origin != byPath {
		return nil, taken(k, e)
	}
	t := e.table
	t.origin, t.pos, t.keyPos, e.pos = byHeader, k.pos, k.pos, k.pos
	return t, nil
}

// openElement opens the section [[… k]].
func openElement(parent *table, k name) (*table, error) {
	t := newTable(k.pos, k.pos, byHeader)
	e := parent.byKey[k.text]
	switch {
	case e == nil:
		parent.add(&entry{key: k.text, array: []*table{t}, pos: k.pos})
	case e.array != nil:
		e.array = append(e.array, t)
	default:
		return nil, taken(k, e)
	}
	return t, nil
}

// keyValue adds key = value, whose key may be dotted, to a section: that of a
// header, or an inline table.
func (b *builder) keyValue(n *unstable.Node, section *table, depth int) error {
	path := b.path(n.Key())
	if len(path) > pluginapi.MaxConfigDepth {
		return tooDeep(path[0].pos)
	}
	t, last := section, path[len(path)-1]
	for _, k := range path[:len(path)-1] {
		next, err := dotted(t, section, k)
		if err != nil {
			return err
		}
		t = next
	}
	if e := t.byKey[last.text]; e != nil {
		return taken(last, e)
	}
	value, err := b.value(n.Value(), depth)
	if err != nil {
		return err
	}
	value.Key, value.KeyPos = last.text, last.pos
	t.add(&entry{key: last.text, value: &value, pos: last.pos})
	return nil
}

// dotted returns the table that part k of a dotted key leads to. Only tables
// that dotted keys of the same section made may be added to.
func dotted(t, section *table, k name) (*table, error) {
	e := t.byKey[k.text]
	if e == nil {
		next := newTable(k.pos, k.pos, byDotted)
		next.section = section
		t.add(&entry{key: k.text, table: next, pos: k.pos})
		return next, nil
	}
	if e.table == nil || e.table.origin != byDotted || e.table.section != section {
		return nil, taken(k, e)
	}
	return e.table, nil
}

func taken(k name, e *entry) error {
	return &placedError{
		pos:     k.pos,
		summary: fmt.Sprintf("key %q is given twice", k.text),
		hint:    fmt.Sprintf("it was given first at %s", e.pos),
	}
}

func tooDeep(pos pluginapi.Pos) error {
	return &placedError{pos: pos, summary: fmt.Sprintf("nested more than %d levels deep", pluginapi.MaxConfigDepth)}
}
