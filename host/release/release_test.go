package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func openStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeTree(s.dir) })
	return s
}

// tree makes a directory. Values are contents; "->x" is a link to x, "dir" a
// directory, and a path that ends in * is executable.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		mode := fs.FileMode(0o644)
		if plain, ok := strings.CutSuffix(name, "*"); ok {
			name, mode = plain, 0o755
		}
		full := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		switch target, isLink := strings.CutPrefix(content, "->"); {
		case isLink:
			must(t, os.Symlink(target, full))
		case content == "dir":
			must(t, os.MkdirAll(full, 0o755))
		default:
			must(t, os.WriteFile(full, []byte(content), mode))
		}
	}
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustImport(t testing.TB, s *Store, path string) Release {
	t.Helper()
	r, err := s.Import(t.Context(), path, nil)
	must(t, err)
	return r
}

func sampleFiles() map[string]string {
	return map[string]string{"bin/shop*": "#!/bin/sh\n", "etc/<a>&b.conf": "x = 1\n", "empty": "", "cache/tmp": "dir",
		"latest": "->bin/shop", "bin/self": "->../bin/./shop", "a-b": "1", "a/b": "2"}
}

func TestImport(t *testing.T) {
	s, src := openStore(t), tree(t, sampleFiles())
	var steps []int64
	r, err := s.Import(t.Context(), src, func(done, total int64) {
		if total != 18 {
			t.Errorf("total %d", total)
		}
		steps = append(steps, done)
	})
	must(t, err)
	if !slices.IsSorted(steps) || steps[0] != 0 || steps[len(steps)-1] != 18 {
		t.Errorf("progress %v", steps)
	}
	if r.Source != src || time.Since(r.Created) > time.Minute || r.Dir != filepath.Join(s.path(r.Digest), "tree") {
		t.Errorf("%+v", r)
	}
	for name, want := range map[string]fs.FileMode{".": fs.ModeDir | 0o555, "bin": fs.ModeDir | 0o555, "bin/shop": 0o555,
		"etc/<a>&b.conf": 0o444, "cache/tmp": fs.ModeDir | 0o555, "latest": fs.ModeSymlink | 0o777} {
		info, err := os.Lstat(filepath.Join(r.Dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(r.Dir, "latest")); string(b) != "#!/bin/sh\n" {
		t.Errorf("through the link: %q", b)
	}
	must(t, s.Verify(t.Context(), r.Digest))
	got, err := s.Get(string(r.Digest))
	if err != nil || got.Digest != r.Digest || len(got.Manifest.Files) != 8 {
		t.Fatalf("%+v, %v", got, err)
	}
	left, _ := os.ReadDir(s.tmp())
	if len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
}

// A service may have a user of its own, and zdhost any umask.
func TestReleaseIsReadByAllWhateverTheUmask(t *testing.T) {
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	s := openStore(t)
	r := mustImport(t, s, tree(t, sampleFiles()))
	for dir := r.Dir; dir != s.dir; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o005 != 0o005 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	for _, name := range []string{"bin", "bin/shop", "etc/<a>&b.conf"} {
		if info, err := os.Stat(filepath.Join(r.Dir, name)); err != nil || info.Mode().Perm()&0o004 == 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// The digest is a promise to signatures and to policies: it must never change.
func TestGoldenDigest(t *testing.T) {
	s := openStore(t)
	r := mustImport(t, s, tree(t, sampleFiles()))
	golden, err := os.ReadFile(filepath.Join("testdata", "manifest-v1.json"))
	must(t, err)
	stored, err := os.ReadFile(filepath.Join(s.path(r.Digest), manifestName))
	must(t, err)
	if string(stored) != string(golden) {
		t.Errorf("the manifest is\n%s, want\n%s", stored, golden)
	}
	if r.Digest != digestOf(golden) || r.Digest != "sha256:c02f45e060cb7f354c8c64dbb38a3015fdade846daf48c4c280ffe07c6a3339d" {
		t.Errorf("digest %s", r.Digest)
	}
	m, err := parseManifest(golden)
	must(t, err)
	if d, err := m.Digest(); d != r.Digest || err != nil {
		t.Errorf("read back: %s, %v", d, err)
	}
}

func TestSameContentIsStoredOnce(t *testing.T) {
	s := openStore(t)
	now := time.Now()
	s.now = func() time.Time { now = now.Add(time.Second); return now }
	first := mustImport(t, s, tree(t, sampleFiles()))
	other := mustImport(t, s, tree(t, map[string]string{"x": "y"}))
	src := tree(t, sampleFiles())
	must(t, os.Chmod(filepath.Join(src, "empty"), 0o600)) // permissions but the execute bit don't count
	must(t, os.Chtimes(filepath.Join(src, "a-b"), now, now))
	again := mustImport(t, s, src)
	if again.Digest != first.Digest || again.Source != src || !again.Created.After(other.Created) {
		t.Fatalf("%+v after %+v", again, first)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].Digest != first.Digest {
		t.Fatalf("%v, %v", all, err)
	}
	must(t, os.Chmod(filepath.Join(src, "empty"), 0o700))
	if mustImport(t, s, src).Digest == first.Digest {
		t.Error("the execute bit doesn't count")
	}
}

func TestImportRefuses(t *testing.T) {
	special := func(make func(dir string) error) func(*testing.T) string {
		return func(t *testing.T) string {
			dir := tree(t, map[string]string{"ok": "1"})
			must(t, make(dir))
			return dir
		}
	}
	files := func(name, content string) func(*testing.T) string {
		return func(t *testing.T) string { return tree(t, map[string]string{"d/e/ok": "1", name: content}) }
	}
	tests := []struct {
		name, want string
		make       func(*testing.T) string
	}{
		{"pipe", `"p" is a pipe`, special(func(d string) error { return mkfifo(filepath.Join(d, "p")) })},
		{"socket", `"s" is a socket`, special(func(d string) error { return mksocket(filepath.Join(d, "s")) })},
		{"setuid", `"ok" is set-user-id`, special(func(d string) error { return os.Chmod(filepath.Join(d, "ok"), 0o755|fs.ModeSetuid) })},
		{"setgid", `"ok" is set-user-id or set-group-id`, special(func(d string) error { return os.Chmod(filepath.Join(d, "ok"), 0o755|fs.ModeSetgid) })},
		{"not UTF-8", "not valid UTF-8", files("a\xff", "1")},
		{"absolute link", "outside the release", files("l", "->/etc/passwd")},
		{"link up", "outside the release", files("d/l", "->../../x")},
		{"link up through a missing name", "outside the release", files("l", "->none/../../x")},
		{"link up through a link", "outside the release", special(func(d string) error {
			return errors.Join(os.Symlink(".", filepath.Join(d, "here")), os.Symlink("here/../x", filepath.Join(d, "out")))
		})},
		{"loop", "more than 40 links", files("l", "->l")},
		{"empty", "it is empty", func(t *testing.T) string { return t.TempDir() }},
		{"missing", "no such file", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }},
		{"some file", "neither a directory nor a packed release", func(t *testing.T) string { return filepath.Join(files("f", "hello")(t), "f") }},
		{"a device", "neither a directory nor a packed release", func(t *testing.T) string { return "/dev/null" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, src := openStore(t), test.make(t)
			_, err := s.Import(t.Context(), src, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "cannot import "+src+": ") {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			wantNothing(t, s)
		})
	}
}

func TestLinksThatStayInsideAreKept(t *testing.T) {
	s := openStore(t)
	r := mustImport(t, s, tree(t, map[string]string{"d/e/f": "1", "up": "->d/e/../e/f", "d/back": "->../up", "dangling": "->none/at/all",
		"dir": "->d/e", "dir2": "->dir/.."}))
	if b, err := os.ReadFile(filepath.Join(r.Dir, "dir2", "back")); string(b) != "1" {
		t.Fatalf("%q, %v", b, err)
	}
}

func wantNothing(t testing.TB, s *Store) {
	t.Helper()
	if all, err := s.List(); len(all) > 0 || err != nil {
		t.Fatalf("the store lists %v, %v", all, err)
	}
	for _, dir := range []string{s.tmp(), s.releases()} {
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Fatalf("left in %s: %v", dir, left)
		}
	}
}

func TestImportRefusesADirectoryAroundTheStore(t *testing.T) {
	dir := tree(t, map[string]string{"app": "1"})
	s, err := Open(filepath.Join(dir, ".zdhost", "releases"))
	must(t, err)
	if _, err := s.Import(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "own state, .zdhost/releases") {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeTree(s.dir) })
	r := mustImport(t, s, tree(t, map[string]string{"app": "1"}))
	if again := mustImport(t, s, r.Dir); again.Digest != r.Digest {
		t.Fatal("importing a stored tree gives another release")
	}
}

func TestAFileThatChangesWhileItIsCopied(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	tests := map[string]func(dir string) error{
		"a":     func(d string) error { return os.WriteFile(filepath.Join(d, "a"), []byte(big[1:]+"y"), 0o644) },
		"b":     func(d string) error { return os.WriteFile(filepath.Join(d, "b"), []byte("1234"), 0o644) },
		"added": func(d string) error { return os.WriteFile(filepath.Join(d, "added"), nil, 0o644) },
		"gone":  func(d string) error { return os.Remove(filepath.Join(d, "gone")) },
		"link": func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, "link")), os.Symlink("b", filepath.Join(d, "link")))
		},
		"swapped": func(d string) error { // for a link that leads to a secret
			return errors.Join(os.Remove(filepath.Join(d, "swapped")), os.Symlink("/etc/passwd", filepath.Join(d, "swapped")))
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			src := tree(t, map[string]string{"a": big, "b": "123", "gone": "x", "link": "->a", "swapped": "s"})
			changed := false
			_, err := s.Import(t.Context(), src, func(done, _ int64) {
				if done > 0 && !changed {
					changed = true
					must(t, change(src))
				}
			})
			var changedErr *ChangedError
			if !errors.As(err, &changedErr) || changedErr.Path != name {
				t.Fatalf("got %v", err)
			}
			wantNothing(t, s)
		})
	}
}

func TestCancelledImport(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Import(ctx, tree(t, map[string]string{"a": strings.Repeat("x", 1<<20)}), func(done, _ int64) {
		if done > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	wantNothing(t, s)
}

func TestConcurrentImports(t *testing.T) {
	s := openStore(t)
	same := tree(t, sampleFiles())
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			src := same
			if i%3 == 0 {
				src = tree(t, map[string]string{"n": fmt.Sprint(i)})
			}
			r, err := s.Import(t.Context(), src, nil)
			if err == nil {
				err = s.Verify(t.Context(), r.Digest)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	all, err := s.List()
	if err != nil || len(all) != 5 {
		t.Fatalf("%d releases, %v", len(all), err)
	}
	if left, _ := os.ReadDir(s.tmp()); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
}

func TestGet(t *testing.T) {
	s := openStore(t)
	if _, err := s.Get("abc"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "empty") {
		t.Fatal(err)
	}
	var all []Release
	for i := range 17 { // two of them begin with the same digit
		all = append(all, mustImport(t, s, tree(t, map[string]string{"n": fmt.Sprint(i)})))
	}
	for _, r := range all {
		for _, name := range []string{string(r.Digest), r.Digest.digits(), r.Digest.Short(), strings.ToUpper(r.Digest.digits()[:16])} {
			if got, err := s.Get(name); err != nil || got.Digest != r.Digest {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	ambiguous := 0
	for _, digit := range strings.Split("0123456789abcdef", "") {
		if _, err := s.Get(digit); errors.Is(err, ErrAmbiguous) {
			ambiguous++
		}
	}
	if ambiguous == 0 {
		t.Error("no beginning was ambiguous")
	}
	for _, bad := range []string{"", "sha256:", "xyz", "../x", strings.Repeat("0", 64)} {
		if _, err := s.Get(bad); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestUnchanged(t *testing.T) {
	s := openStore(t)
	src := tree(t, sampleFiles())
	r := mustImport(t, s, src)
	check := func(path string, d Digest, want bool) {
		t.Helper()
		if got, err := s.Unchanged(t.Context(), path, d); got != want || err != nil {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	}
	check(src, r.Digest, true)
	must(t, os.WriteFile(filepath.Join(src, "a-b"), []byte("3"), 0o644)) // same size
	check(src, r.Digest, false)
	must(t, os.WriteFile(filepath.Join(src, "a-b"), []byte("1"), 0o644))
	check(src, r.Digest, true)
	must(t, os.Chmod(filepath.Join(src, "a-b"), 0o755))
	check(src, r.Digest, false)
	packed := packTo(t, tree(t, sampleFiles()))
	check(packed, r.Digest, true)
	check(packed, mustImport(t, s, src).Digest, false)
	if _, err := s.Unchanged(t.Context(), filepath.Join(src, "none"), r.Digest); err == nil {
		t.Error("a path that doesn't exist")
	}
}
