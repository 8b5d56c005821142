package architecture

import (
	"bytes"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	maxLines     = 500
	maxTestLines = 800
)

// TestPackagesAreDocumented wants a doc.go in every package that can be imported,
// and a comment over every program.
func TestPackagesAreDocumented(t *testing.T) {
	for importPath, p := range mustPackages(t) {
		name, mine := ours(importPath)
		if !mine {
			continue
		}
		if p.Name == "main" {
			if !hasComment(t, filepath.Join(p.Dir, "*.go")) {
				t.Errorf("%s: no file has a comment that says what the program does", name)
			}
			continue
		}
		if !hasComment(t, filepath.Join(p.Dir, "doc.go")) {
			t.Errorf("%s/doc.go: missing, or it doesn't say what the package owns, what it refuses and how it fails", name)
		}
	}
}

func hasComment(t *testing.T, pattern string) bool {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil {
			return true
		}
	}
	return false
}

// vague are names that say nothing of what is inside.
var vague = regexp.MustCompile(`^(util|utils|helper|helpers|common|types|misc|manager|base|shared|lib|stuff|consts|constants)$`)

func TestNamesSaySomething(t *testing.T) {
	eachFile(t, func(name string, _ []byte) {
		if path.Ext(name) != ".go" {
			return
		}
		file := strings.TrimSuffix(strings.TrimSuffix(path.Base(name), ".go"), "_test")
		if vague.MatchString(file) || vague.MatchString(path.Base(path.Dir(name))) {
			t.Errorf("%s: a file is one noun, named after its main type", name)
		}
	})
}

func TestFilesAreShort(t *testing.T) {
	eachFile(t, func(name string, text []byte) {
		limit := maxLines
		switch {
		case path.Ext(name) != ".go":
			return
		case strings.HasSuffix(name, "_test.go"):
			limit = maxTestLines
		}
		if n := bytes.Count(text, []byte("\n")); n > limit {
			t.Errorf("%s has %d lines, more than %d: it is more than one noun", name, n, limit)
		}
	})
}

// forbidden are texts that have no place in a file, with the reason. A file that
// speaks of them spells them so that they don't match.
var forbidden = []struct {
	in   string // of the path's end
	text *regexp.Regexp
	why  string
}{
	{"_test.go", regexp.MustCompile(`\btime\.Sleep\(`), "a test waits for a condition with a deadline"},
	{".go", regexp.MustCompile(`(?m)^func init\(\)`), "registries are explicit lists"},
	{"", regexp.MustCompile("(?m)(^|[\\s\"'=:(`])/(work|root)/"), "a path of somebody's machine"},
	{"", regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`), "what is left to do is an issue"},
}

// forbiddenIn lists why a file must not be as it is.
func forbiddenIn(name string, text []byte) []string {
	var why []string
	for _, f := range forbidden {
		if strings.HasSuffix(name, f.in) && f.text.Match(text) {
			why = append(why, f.why)
		}
	}
	return why
}

func TestNothingForbidden(t *testing.T) {
	eachFile(t, func(name string, text []byte) {
		for _, why := range forbiddenIn(name, text) {
			t.Errorf("%s: %s", name, why)
		}
	})
}

// TestForbiddenIsSeen is the negative control of TestNothingForbidden.
func TestForbiddenIsSeen(t *testing.T) {
	for name, text := range map[string]string{
		"a_test.go": "\ttime." + "Sleep(1)",
		"a.go":      "func " + "init() {}",
		"a.md":      "see `/" + "root/x`",
		"b.go":      "// TO" + "DO: all of it",
	} {
		if name == "a.go" {
			text = "\n" + text
		}
		if got := forbiddenIn(name, []byte(text)); len(got) != 1 {
			t.Errorf("%s with %q: %q, not one reason", name, text, got)
		}
	}
	if got := forbiddenIn("a.go", []byte("time."+"Sleep(1)")); got != nil {
		t.Errorf("a program may sleep: %q", got)
	}
}
