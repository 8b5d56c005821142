package pluginapi

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Bounds of a configuration file. A format refuses what exceeds them, and the
// host checks the tree it gets once more.
const (
	MaxConfigSize  = 1 << 20 // bytes of one file
	MaxConfigDepth = 64      // levels of nesting, the root not counted
	MaxConfigNodes = 1 << 17 // nodes of a tree, aliases counted where they are used
)

// Tree is what a ConfigFormat makes of one file. Its root is an object.
type Tree struct {
	Root Node
}

// NodeKind is the kind of a Node's value.
type NodeKind string

// The kinds of a Node.
const (
	ObjectNode NodeKind = "object"
	ListNode   NodeKind = "list"
	StringNode NodeKind = "string"
	NumberNode NodeKind = "number"
	BoolNode   NodeKind = "bool"
	NullNode   NodeKind = "null"
)

// Node is one value of a Tree, with the key that leads to it.
//
// A block such as
//
//	service "shop" { … }
//
// is an entry of the object around it with Block set, Key "service", one label
// and Kind ObjectNode. Blocks may repeat under one key, and their order is
// kept; the host's schema says which of them become maps keyed by their
// labels. Formats without blocks leave Block and Labels empty and nest objects
// instead: both forms mean the same to the host.
type Node struct {
	Kind   NodeKind
	Key    string  // the entry's key; empty in a list and at the root
	Labels []Label // a block's labels, in order
	Block  bool    // written as a block, so that its key may repeat
	Text   string  // string: its value; number: see ParseNumber; bool: "true" or "false"
	Items  []Node  // an object's entries or a list's elements, in the file's order
	KeyPos Pos     // where the key begins; zero where there is none
	Pos    Pos     // where the value begins
}

// Label is one label of a block.
type Label struct {
	Text string
	Pos  Pos
}

// At returns where an error about the whole entry points: its key, or its
// value where it has none.
func (n *Node) At() Pos {
	if n.KeyPos.IsZero() {
		return n.Pos
	}
	return n.KeyPos
}

// Pos is a place in a configuration file. The zero Pos is no place.
type Pos struct {
	File   string // as the file was named to the format
	Line   int    // from 1; 0: unknown
	Column int    // from 1, in characters (code points); 0: unknown
}

// IsZero tells whether p is no place at all.
func (p Pos) IsZero() bool { return p == Pos{} }

// String returns "file:line:column", leaving out what is unknown.
func (p Pos) String() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}

// Lines turns byte offsets of a file into positions.
type Lines struct {
	file   string
	src    []byte
	starts []int
}

// NewLines indexes src, which must not change while the index is used. A line
// ends with "\n".
func NewLines(file string, src []byte) *Lines {
	starts := []int{0}
	for i, c := range src {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return &Lines{file: file, src: src, starts: starts}
}

// Pos returns the position of the byte at offset; an offset outside the file
// is taken for its nearest end.
func (l *Lines) Pos(offset int) Pos {
	offset = min(max(offset, 0), len(l.src))
	low, high := 0, len(l.starts) // the line is in [low, high)
	for high-low > 1 {
		if mid := (low + high) / 2; l.starts[mid] <= offset {
			low = mid
		} else {
			high = mid
		}
	}
	column := utf8.RuneCount(l.src[l.starts[low]:offset]) + 1
	return Pos{File: l.file, Line: low + 1, Column: column}
}

// At returns the position of the byte that is the column-th of a line, both
// counted from 1.
func (l *Lines) At(line, column int) Pos {
	if line < 1 || line > len(l.starts) {
		return Pos{File: l.file}
	}
	return l.Pos(l.starts[line-1] + max(column-1, 0))
}

// CheckTree returns what is wrong with a tree whatever its keys mean: a key
// given twice, nesting beyond MaxConfigDepth, more than MaxConfigNodes nodes,
// numbers that ParseNumber would not have returned, and unknown kinds. A
// format returns it beside its own findings; the host applies it to the tree
// of every format.
func CheckTree(t Tree) []Diagnostic {
	c := treeCheck{}
	if t.Root.Kind != ObjectNode {
		c.add(t.Root.Pos, "", "the file is a %s, not an object", t.Root.Kind)
		return c.found
	}
	c.node(&t.Root, 0)
	return c.found
}

// maxTreeFindings bounds what CheckTree reports about one tree.
const maxTreeFindings = 32

type treeCheck struct {
	nodes int
	found []Diagnostic
	done  bool
}

func (c *treeCheck) add(at Pos, hint, format string, args ...any) {
	c.found = append(c.found, Diagnostic{
		Severity: SeverityError, Pos: at, Summary: fmt.Sprintf(format, args...), Hint: hint,
	})
	c.done = c.done || len(c.found) >= maxTreeFindings
}

func (c *treeCheck) node(n *Node, depth int) {
	if c.nodes++; c.nodes > MaxConfigNodes {
		c.add(n.Pos, "", "more than %d values in one file", MaxConfigNodes)
		c.done = true
		return
	}
	if depth > MaxConfigDepth {
		c.add(n.At(), "", "nested more than %d levels deep", MaxConfigDepth)
		c.done = true
		return
	}
	switch n.Kind {
	case ObjectNode:
		c.duplicates(n)
		fallthrough
	case ListNode:
		for i := range n.Items {
			if c.done {
				return
			}
			c.node(&n.Items[i], depth+1)
		}
	case NumberNode:
		if text, err := ParseNumber(n.Text); err != nil || text != n.Text {
			c.add(n.Pos, "", "not a number in its normal form")
		}
	case BoolNode:
		if n.Text != "true" && n.Text != "false" {
			c.add(n.Pos, "", "neither true nor false")
		}
	case StringNode, NullNode:
	default:
		c.add(n.Pos, "", "a value of unknown kind %q", n.Kind)
	}
}

// duplicates reports each key of an object that is given twice, unless every
// use of it is a block.
func (c *treeCheck) duplicates(object *Node) {
	first := make(map[string]*Node, len(object.Items))
	for i := range object.Items {
		n := &object.Items[i]
		earlier, twice := first[n.Key]
		if !twice {
			first[n.Key] = n
			continue
		}
		if n.Block && earlier.Block {
			continue
		}
		c.add(n.At(), fmt.Sprintf("it was given first at %s", earlier.At()), "key %q is given twice", n.Key)
	}
}
