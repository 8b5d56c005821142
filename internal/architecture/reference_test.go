package architecture

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/zdhost/zdhost/host/control"
)

// TestReference compares the generated pages with their sources; UPDATE_GOLDEN=1
// writes them.
func TestReference(t *testing.T) {
	for name, page := range map[string]func(*testing.T) string{
		"glossary.md": glossary,
		"errors.md":   errorsPage,
	} {
		file := filepath.Join(root, "docs/reference", name)
		want := page(t)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(file); err != nil || string(have) != want {
			t.Errorf("docs/reference/%s is not what the source says (%v); make docs writes it", name, err)
		}
	}
}

// glossary makes a page of the list in pluginapi's package comment.
func glossary(t *testing.T) string {
	f := parse(t, "pluginapi/doc.go")
	_, list, found := strings.Cut(f.Doc.Text(), "# Glossary\n")
	if !found {
		t.Fatal("pluginapi/doc.go has no glossary")
	}
	var page strings.Builder
	page.WriteString("# Glossary\n\n<!-- Generated from pluginapi/doc.go. Change it there. -->\n\n" +
		"One word for each idea, the same in the code, the messages and these pages.\n\n| Word | Meaning |\n|---|---|\n")
	for entry := range strings.SplitSeq(list, "  - ") {
		word, meaning, ok := strings.Cut(strings.Join(strings.Fields(entry), " "), ": ")
		if ok {
			fmt.Fprintf(&page, "| **%s** | %s |\n", word, meaning)
		}
	}
	return page.String()
}

const errorsHead = `# Errors

<!-- The table of codes is generated from host/control/error.go. Change it there. -->

An error is one line, "cannot ‹verb› ‹object›: cause", with a ` + "`hint:`" + ` line under it where one helps. The control API
answers with ` + "`{\"code\": …, \"message\": …, \"hint\": …}`" + `; the codes are a closed set, and one that a client doesn't
know counts as ` + "`failed`" + `. The command line turns them into its [exit codes](cli.md).

| Code | HTTP status | Exit code | Meaning |
|---|---|---|---|
`

// errorsPage makes a page of the control API's codes.
func errorsPage(t *testing.T) string {
	var page bytes.Buffer
	page.WriteString(errorsHead)
	ast.Inspect(parse(t, "host/control/error.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != "Code" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		code := control.Code(value)
		status := strconv.Itoa(code.HTTPStatus())
		if code == control.NoHost || code == control.BrokenOff {
			status = "none"
		}
		exit := "1"
		if e, ok := exitCodes[code]; ok {
			exit = e
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", code, status, exit, strings.TrimSpace(spec.Comment.Text()))
		return true
	})
	page.WriteString(errorsTail)
	return page.String()
}

// exitCodes are the codes that don't end with exit code 1; the tests of
// cmd/zdhost hold the command line to them.
var exitCodes = map[control.Code]string{
	control.Usage: "2", control.NotFound: "2", control.Denied: "3", control.Held: "5", control.TimedOut: "6", control.NoHost: "7",
}

const errorsTail = `
What may have happened all the same: ` + "`timed_out`" + ` and ` + "`broken_off`" + `. Ask with ` + "`zdhost status`" + ` and ` + "`zdhost history`" + ` before
you try again. A rollout never depends on who asked for it: it goes on when the command is interrupted.

A wrong configuration is refused whole, with every mistake on a line of its own: file, line, reason, and the nearest
right thing. What runs goes on, and ` + "`zdhost status`" + ` shows that the last change was refused.
`

func parse(t *testing.T, name string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
