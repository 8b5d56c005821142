package release

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestImportCommand(t *testing.T) {
	s := openStore(t)
	dir := tree(t, map[string]string{"serve*": "#!/bin/sh\n", "app.py": "print(1)\n", "plain": "x"})
	argv := []string{"sh", "app.py", "--port", "8080", dir, "app.py"}
	r, err := s.ImportCommand(t.Context(), argv, dir)
	must(t, err)
	m := r.Manifest
	if m.Kind != KindCommand || r.Dir != dir || m.Dir != dir || len(m.Files) != 2 || filepath.Base(m.Files[0].Path) != "sh" ||
		m.Files[1].Path != filepath.Join(dir, "app.py") || m.Files[1].Size != 9 {
		t.Fatalf("%+v", r)
	}
	must(t, s.Verify(t.Context(), r.Digest))
	if again, err := s.ImportCommand(t.Context(), argv, dir); err != nil || again.Digest != r.Digest {
		t.Fatalf("%v, %v", again.Digest, err)
	}
	if same, err := s.Unchanged(t.Context(), dir, r.Digest); !same || err != nil {
		t.Fatalf("%v, %v", same, err)
	}
	wantChanged(t, s, r.Digest)
	must(t, os.WriteFile(filepath.Join(dir, "8080"), nil, 0o644))
	wantChanged(t, s, r.Digest, "./8080")
	must(t, os.Remove(filepath.Join(dir, "8080")))

	must(t, os.WriteFile(filepath.Join(dir, "app.py"), []byte("print(2)\n"), 0o644))
	var differ *DifferError
	if err := s.Verify(t.Context(), r.Digest); !errors.As(err, &differ) || differ.Path != m.Files[1].Path {
		t.Fatal(err)
	}
	if same, err := s.Unchanged(t.Context(), dir, r.Digest); same || err != nil {
		t.Fatalf("%v, %v", same, err)
	}
	wantChanged(t, s, r.Digest, "./app.py")
	changed, err := s.ImportCommand(t.Context(), argv, dir)
	if err != nil || changed.Digest == r.Digest {
		t.Fatalf("%v, %v", changed.Digest, err)
	}
	elsewhere, err := s.ImportCommand(t.Context(), []string{"sh"}, t.TempDir())
	here, err2 := s.ImportCommand(t.Context(), []string{"sh"}, dir)
	if err != nil || err2 != nil || elsewhere.Digest == here.Digest {
		t.Fatalf("two directories, one release: %v, %v", err, err2)
	}
}

func wantChanged(t *testing.T, s *Store, d Digest, want ...string) {
	t.Helper()
	if got, err := s.Changed(t.Context(), d); err != nil || !slices.Equal(got, want) {
		t.Errorf("changed: %q, %v; want %q", got, err, want)
	}
}

func TestCommandsThatCannotBeFound(t *testing.T) {
	s := openStore(t)
	dir := tree(t, map[string]string{"serve*": "#!/bin/sh\n", "plain": "x"})
	for _, test := range []struct {
		argv []string
		dir  string
		want string
	}{
		{nil, dir, "names no program"},
		{[]string{"./none"}, dir, "there is no program " + dir + "/none"},
		{[]string{"no-such-program"}, dir, "or in PATH"},
		{[]string{"sh"}, dir + "/none", "is not a directory"},
		{[]string{"sh", "a\xff"}, dir, "not valid UTF-8"},
		{[]string{"sh", strings.Repeat("x", maxCommand)}, dir, "at most"},
	} {
		if _, err := s.ImportCommand(t.Context(), test.argv, test.dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40q: %.200v, want %q", test.argv, err, test.want)
		}
	}
	wantNothing(t, s)
	r, err := s.ImportCommand(t.Context(), []string{"serve"}, dir)
	if err != nil || r.Manifest.Files[0].Path != filepath.Join(dir, "serve") {
		t.Fatalf("the directory comes before PATH: %+v, %v", r.Manifest, err)
	}
	for _, name := range []string{"./plain", "plain"} { // its start will show that it is not executable
		r, err := s.ImportCommand(t.Context(), []string{name}, dir)
		if err != nil || r.Manifest.Files[0].Path != filepath.Join(dir, "plain") {
			t.Errorf("%s: %+v, %v", name, r.Manifest, err)
		}
	}
}
