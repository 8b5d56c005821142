package toml

import "github.com/zdhost/zdhost/pluginapi"

// origin says how a table came to be, which decides who may add to it.
type origin int

const (
	byPath   origin = iota // as a step on the way to [a.b]; its own header may follow
	byHeader               // by its header [a], or as an element of [[a]]
	byDotted               // by a dotted key a.b = 1
)

// table is an object in the making. entries keeps the file's order.
type table struct {
	origin  origin
	section *table // of byDotted: the table whose section defined it
	pos     pluginapi.Pos
	keyPos  pluginapi.Pos
	entries []*entry
	byKey   map[string]*entry
}

// entry is what one key of a table holds: exactly one of the three.
type entry struct {
	key   string
	table *table
	array []*table // of [[key]]
	value *pluginapi.Node
	pos   pluginapi.Pos // of the key
}

func newTable(pos, keyPos pluginapi.Pos, o origin) *table {
	return &table{origin: o, pos: pos, keyPos: keyPos, byKey: map[string]*entry{}}
}

func (t *table) add(e *entry) *entry {
	t.entries = append(t.entries, e)
	t.byKey[e.key] = e
	return e
}

// node returns the finished object.
func (t *table) node(key string) pluginapi.Node {
	n := pluginapi.Node{Kind: pluginapi.ObjectNode, Key: key, KeyPos: t.keyPos, Pos: t.pos}
	for _, e := range t.entries {
		n.Items = append(n.Items, e.node())
	}
	return n
}

func (e *entry) node() pluginapi.Node {
	switch {
	case e.value != nil:
		return *e.value
	case e.table != nil:
		return e.table.node(e.key)
	}
	list := pluginapi.Node{Kind: pluginapi.ListNode, Key: e.key, KeyPos: e.pos, Pos: e.array[0].pos}
	for _, t := range e.array {
		element := t.node("")
		element.KeyPos = pluginapi.Pos{}
		list.Items = append(list.Items, element)
	}
	return list
}
