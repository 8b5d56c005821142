package pluginapi_test

import (
	"strings"
	"testing"

	"github.com/zdhost/zdhost/pluginapi"
)

func TestPosString(t *testing.T) {
	for want, p := range map[string]pluginapi.Pos{
		"f:3:4": {File: "f", Line: 3, Column: 4}, "f:3": {File: "f", Line: 3}, "f": {File: "f", Column: 4}, "": {},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLines(t *testing.T) {
	src := []byte("a\nbé\u4e16c\n\nd")
	l := pluginapi.NewLines("f", src)
	for text, want := range map[string]string{"a": "f:1:1", "b": "f:2:1", "é": "f:2:2", "世": "f:2:3", "c": "f:2:4", "d": "f:4:1"} {
		if got := l.Pos(strings.Index(string(src), text)).String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if got := l.Pos(1).String(); got != "f:1:2" {
		t.Errorf("a line's end is at %s", got)
	}
	if first, last := l.Pos(-5).String(), l.Pos(1000).String(); first != "f:1:1" || last != "f:4:2" {
		t.Errorf("outside the file: %s, %s", first, last)
	}
	if got := l.At(2, 4).String(); got != "f:2:3" { // byte 4 begins the third character
		t.Errorf("got %s", got)
	}
	if got := l.At(99, 1).String(); got != "f" {
		t.Errorf("a line that is not there: %s", got)
	}
	if got := pluginapi.NewLines("f", nil).Pos(0).String(); got != "f:1:1" {
		t.Errorf("an empty file begins at %s", got)
	}
}

func node(kind pluginapi.NodeKind, key, text string, items ...pluginapi.Node) pluginapi.Node {
	return pluginapi.Node{Kind: kind, Key: key, Text: text, Items: items, Pos: pluginapi.Pos{File: "f", Line: 1}}
}

func TestCheckTree(t *testing.T) {
	str := func(key string) pluginapi.Node { return node(pluginapi.StringNode, key, "x") }
	block := func(key string) pluginapi.Node {
		n := node(pluginapi.ObjectNode, key, "")
		n.Block = true
		return n
	}
	deep := str("x")
	for range pluginapi.MaxConfigDepth - 1 {
		deep = node(pluginapi.ListNode, "", "", deep)
	}
	var many, lists []pluginapi.Node
	for range 1 << 10 {
		many = append(many, str(""))
	}
	for range 1 << 8 {
		lists = append(lists, node(pluginapi.ListNode, "", "", many...))
	}
	for _, c := range []struct {
		name  string
		items []pluginapi.Node
		want  string
	}{
		{"empty", nil, ""},
		{"blocks repeat", []pluginapi.Node{block("a"), block("a")}, ""},
		{"a key twice", []pluginapi.Node{str("a"), str("b"), str("a")}, `key "a" is given twice`},
		{"a block and a key", []pluginapi.Node{block("a"), str("a")}, `key "a" is given twice`},
		{"as deep as may be", []pluginapi.Node{deep}, ""},
		{"too deep", []pluginapi.Node{node(pluginapi.ListNode, "", "", deep)}, "nested more than 64 levels deep"},
		{"too many", []pluginapi.Node{node(pluginapi.ListNode, "l", "", lists...)}, "more than 131072 values in one file"},
		{"hexadecimal", []pluginapi.Node{node(pluginapi.NumberNode, "n", "0x10")}, "not a number in its normal form"},
		{"bool", []pluginapi.Node{node(pluginapi.BoolNode, "n", "yes")}, "neither true nor false"},
		{"kind", []pluginapi.Node{node("blob", "n", "")}, `a value of unknown kind "blob"`},
	} {
		found := pluginapi.CheckTree(pluginapi.Tree{Root: node(pluginapi.ObjectNode, "", "", c.items...)})
		got := ""
		if len(found) > 0 {
			got = found[0].Summary
		}
		if got != c.want || len(found) > 1 {
			t.Errorf("%s: got %v, want %q", c.name, found, c.want)
		}
	}
	if found := pluginapi.CheckTree(pluginapi.Tree{Root: node(pluginapi.ListNode, "", "")}); !pluginapi.HasErrors(found) {
		t.Error("a root that is no object was taken")
	}
	bad := make([]pluginapi.Node, 100)
	if found := pluginapi.CheckTree(pluginapi.Tree{Root: node(pluginapi.ObjectNode, "", "", bad...)}); len(found) == 0 || len(found) > 100 {
		t.Errorf("%d findings about 100 bad entries", len(found))
	}
}
