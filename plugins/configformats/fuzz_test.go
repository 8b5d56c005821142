package configformats_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/zdhost/zdhost/pluginapi"
)

// fuzz checks what holds for every input of every format: Parse returns; a
// tree that is taken is sound and all its positions lie in the file; accepts,
// the reference reader, takes what Parse takes.
func fuzz(f *testing.F, ext string, accepts func(src []byte) bool, seeds ...string) {
	example, err := os.ReadFile("testdata/tree." + ext)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	parser := format(f, ext)
	f.Fuzz(func(t *testing.T, src []byte) {
		tree, found := parser.Parse(context.Background(), "x", src)
		for _, d := range found {
			if d.Pos.File != "x" || d.Summary == "" {
				t.Errorf("a finding without place or words: %+v", d)
			}
		}
		if pluginapi.HasErrors(found) {
			return
		}
		if bad := pluginapi.CheckTree(tree); len(bad) > 0 {
			t.Errorf("an unsound tree was taken: %v", bad)
		}
		if !accepts(src) {
			t.Error("taken, but the reference reader refuses it")
		}
		lines := 1
		for _, c := range string(src) {
			if strings.ContainsRune("\n\r\u0085\u2028\u2029", c) { // all of these end a line of YAML
				lines++
			}
		}
		inside(t, &tree.Root, lines, utf8.RuneCount(src)+1)
	})
}

func inside(t *testing.T, n *pluginapi.Node, lines, columns int) {
	for _, p := range []pluginapi.Pos{n.Pos, n.At()} {
		if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Column > columns {
			t.Errorf("node %q is at %s, outside the file", n.Key, p)
		}
	}
	for i := range n.Items {
		inside(t, &n.Items[i], lines, columns)
	}
}

func FuzzHCL(f *testing.F) {
	fuzz(f, "hcl", func([]byte) bool { return true },
		"a = [1, {b = \"$${x}\"}]\n", "a \"b\" c {\n}\n", "a = <<E\nx\nE\n", "a = -1.5e3", "a = [for x in y: z]", "a = \"${x}\"", "{", "a = (1)")
}

func FuzzYAML(f *testing.F) {
	accepts := func(src []byte) bool {
		var n yaml.Node
		return yaml.Unmarshal(src, &n) == nil
	}
	fuzz(f, "yaml", accepts,
		"a: &a [*a]", "a: &a {b: 1}\nc: {<<: *a}", "? [a]\n: b", "a: !!int 1", "a: 0x1f\nb: .inf\nc: 1_0", "---\n---\n", "a: |\n  x\n", "%YAML 1.2\n---\na: 1", "#c\n", "? 6")
}

func FuzzTOML(f *testing.F) {
	accepts := func(src []byte) bool {
		var v map[string]any
		return toml.Unmarshal(src, &v) == nil
	}
	fuzz(f, "toml", accepts,
		"[a.b]\n[a]\nc.d = 1\n", "[[a]]\n[a.b]\n[[a]]\n[a.b]\n", "a = [ # x\n 1, # y\n ]\n", "a = {b.c = 1, b.d = [{}]}\n", "a = 1979-05-27T07:32:00Z", "a = '''x'''\nb = \"\"\"y\"\"\"", "[a]\nb.c=1\n[a.b.d]\n", "a.b = 1\n[a]\n", "0=0000-")
}

func FuzzJSON(f *testing.F) {
	accepts := func(src []byte) bool { return json.Valid(src) || len(bytes.TrimSpace(src)) == 0 }
	fuzz(f, "json", accepts,
		`{"a": [1, 2.5e3, null, true, "\u00e9\ud800"]}`, `{"a": 1, "a": 2}`, `{}{}`, `[`, `{"a"`, `{,}`, `{},`, `{"a":1,}`, `// x`)
}
