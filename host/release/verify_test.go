package release

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestVerifyNamesWhatDiffers(t *testing.T) {
	tests := map[string]struct {
		path, reason string
		tamper       func(dir string) error
	}{
		"content": {"bin/shop", "has other content", func(d string) error {
			return os.WriteFile(filepath.Join(d, "bin/shop"), []byte("#!/bin/SH\n"), 0)
		}},
		"size":    {"empty", "has 1 bytes and had 0", func(d string) error { return os.WriteFile(filepath.Join(d, "empty"), []byte("x"), 0) }},
		"mode":    {"empty", "is 0555 and was 0444", func(d string) error { return os.Chmod(filepath.Join(d, "empty"), 0o755) }},
		"added":   {"bin/zz", "was added", func(d string) error { return os.WriteFile(filepath.Join(d, "bin/zz"), nil, 0o644) }},
		"removed": {"a-b", "is missing", func(d string) error { return os.Remove(filepath.Join(d, "a-b")) }},
		"link": {"latest", `links to "empty" and linked to "bin/shop"`, func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, "latest")), os.Symlink("empty", filepath.Join(d, "latest")))
		}},
		"tree gone": {"", "is missing", func(d string) error { return removeTree(d) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			src := tree(t, sampleFiles())
			r := mustImport(t, s, src)
			writable(t, r.Dir)
			must(t, test.tamper(r.Dir))
			var differ *DifferError
			err := s.Verify(t.Context(), r.Digest)
			if test.path == "" {
				test.path = r.Dir
			}
			if !errors.As(err, &differ) || differ.Path != test.path || differ.Reason != test.reason || differ.Digest != r.Digest {
				t.Fatalf("got %v", err)
			}
			mustImport(t, s, src)
			must(t, s.Verify(t.Context(), r.Digest)) // importing again put it right
			if left, _ := os.ReadDir(s.tmp()); len(left) > 0 {
				t.Errorf("left in tmp: %v", left)
			}
		})
	}
}

// writable lets a tree be tampered with by an ordinary user too.
func writable(t testing.TB, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode()|0o200)
	}))
}

func TestADamagedManifestHarmsOneReleaseOnly(t *testing.T) {
	s := openStore(t)
	src := tree(t, sampleFiles())
	bad, good := mustImport(t, s, src), mustImport(t, s, tree(t, map[string]string{"x": "y"}))
	path := filepath.Join(s.path(bad.Digest), manifestName)
	must(t, os.Chmod(path, 0o644))
	for _, harm := range []func() error{
		func() error { return os.WriteFile(path, []byte("{}"), 0o644) },
		func() error { return os.Remove(path) },
	} {
		must(t, harm())
		all, err := s.List()
		if err == nil || len(all) != 1 || all[0].Digest != good.Digest {
			t.Fatalf("%v, %v", all, err)
		}
		if _, err := s.Get(string(bad.Digest)); err == nil || errors.Is(err, ErrNotFound) {
			t.Fatalf("get: %v", err)
		}
	}
	mustImport(t, s, src)
	if all, err := s.List(); err != nil || len(all) != 2 {
		t.Fatalf("after importing again: %v, %v", all, err)
	}
}

func TestRetain(t *testing.T) {
	s := openStore(t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	s.now = func() time.Time { return now }
	var all []Release // one a day, the oldest first
	for day := range 6 {
		now = start.AddDate(0, 0, day)
		all = append(all, mustImport(t, s, tree(t, map[string]string{"day": string(rune('0' + day)), "d/e": "x"})))
	}
	must(t, os.MkdirAll(filepath.Join(s.tmp(), "import-left", "tree"), 0o755))
	must(t, os.Chmod(filepath.Join(s.tmp(), "import-left", "tree"), 0o555))
	inUse := func(d Digest) bool { return d == all[0].Digest }

	unlock, err := s.hold(false) // an import is under way
	must(t, err)
	if _, err := s.Retain(0, 0, inUse); !errors.Is(err, ErrBusy) {
		t.Fatalf("during an import: %v", err)
	}
	unlock()

	removed, err := s.Retain(2, 60*time.Hour, inUse)
	must(t, err)
	// Kept: 5 and 4 (newest), 3 (younger than 60 h at day 5), 0 (in use).
	if len(removed) != 2 || removed[0] != all[2].Digest || removed[1] != all[1].Digest {
		t.Fatalf("removed %v", removed)
	}
	left, err := s.List()
	if err != nil || len(left) != 4 {
		t.Fatalf("%v, %v", left, err)
	}
	for _, r := range left {
		must(t, s.Verify(t.Context(), r.Digest))
	}
	if rubbish, _ := os.ReadDir(s.tmp()); len(rubbish) > 0 {
		t.Errorf("left in tmp: %v", rubbish)
	}
	if removed, err = s.Retain(0, 0, inUse); err != nil || len(removed) != 3 {
		t.Fatalf("removed %v, %v", removed, err)
	}
	must(t, s.Verify(t.Context(), all[0].Digest))
}
