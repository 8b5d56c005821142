package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWritePageReplacesTheMeasuredPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	before := "# Speed\n\nwords\n" + pageBegin + "\nold\n" + pageEnd + "\nmore words\n"
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if err := writePage(path, "new\n"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := "# Speed\n\nwords\n" + pageBegin + "\n\nnew\n\n" + pageEnd + "\nmore words\n"
		if string(got) != want {
			t.Errorf("the page is\n%s\nwant\n%s", got, want)
		}
	}
}

func TestWritePageBeginsAPage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "performance.md")
	if err := writePage(path, "numbers"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(got), "# Performance\n") || !strings.Contains(string(got), "numbers") {
		t.Errorf("the page is %q, %v", got, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the directory has %v", entries)
	}
}

func TestWritePageRefusesAPageWithoutMarks(t *testing.T) {
	for name, page := range map[string]string{
		"none":       "# Speed\n",
		"one":        pageBegin,
		"two begins": pageBegin + pageBegin + pageEnd,
		"two ends":   pageBegin + pageEnd + pageEnd,
		"turned":     pageEnd + pageBegin,
	} {
		path := filepath.Join(t.TempDir(), "performance.md")
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := writePage(path, "new"); err == nil {
			t.Errorf("%s: it was taken", name)
		}
		if got, _ := os.ReadFile(path); string(got) != page {
			t.Errorf("%s: the page is now %q", name, got)
		}
	}
}
