package configformats_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/configformats"
)

// format returns the bundled format that reads ext.
func format(t testing.TB, ext string) pluginapi.ConfigFormat {
	t.Helper()
	for _, f := range configformats.Bundled() {
		for _, e := range f.Extensions() {
			if e == ext {
				return f
			}
		}
	}
	t.Fatalf("no format reads .%s", ext)
	return nil
}

// render writes a tree as one line a node: position, key, value.
func render(n *pluginapi.Node, depth int, w *strings.Builder) {
	place := func(p pluginapi.Pos) string {
		if p.IsZero() {
			return "-"
		}
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	}
	fmt.Fprintf(w, "%-6s %-6s %s", place(n.KeyPos), place(n.Pos), strings.Repeat("  ", depth))
	if n.Key != "" {
		fmt.Fprintf(w, "%s ", n.Key)
	}
	for _, l := range n.Labels {
		fmt.Fprintf(w, "%q@%s ", l.Text, place(l.Pos))
	}
	if n.Block {
		fmt.Fprint(w, "block ")
	}
	fmt.Fprint(w, n.Kind)
	if n.Text != "" {
		fmt.Fprintf(w, " %q", n.Text)
	}
	fmt.Fprintln(w)
	for i := range n.Items {
		render(&n.Items[i], depth+1, w)
	}
}

// TestTree compares each format's whole tree, positions included, with a
// golden file. The sources have characters of more than one byte before
// positions on purpose.
func TestTree(t *testing.T) {
	for _, ext := range []string{"hcl", "yaml", "toml", "json"} {
		t.Run(ext, func(t *testing.T) {
			src, err := os.ReadFile("testdata/tree." + ext)
			if err != nil {
				t.Fatal(err)
			}
			tree, found := format(t, ext).Parse(context.Background(), "tree."+ext, src)
			if len(found) > 0 {
				t.Fatalf("unexpected findings: %v", found)
			}
			var w strings.Builder
			render(&tree.Root, 0, &w)
			golden := "testdata/tree." + ext + ".golden"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(w.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if w.String() != string(want) {
				t.Errorf("tree differs from %s:\n%s", golden, w.String())
			}
		})
	}
}
