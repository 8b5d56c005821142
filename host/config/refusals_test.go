package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestRefusals loads wrong configurations, each in every format, and compares
// all that is said about them. UPDATE_GOLDEN=1 rewrites the expectations.
func TestRefusals(t *testing.T) {
	files, err := filepath.Glob("testdata/refusals/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want string
			var got strings.Builder
			kept := archive.Files[:0]
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				kept = append(kept, f)
				got.WriteString(refusal(t, f.Name, string(f.Data)) + "\n")
			}
			if strings.Contains(got.String(), "hunter2") || strings.Contains(got.String(), "1234567") {
				t.Errorf("a secret is printed:\n%s", got.String())
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(got.String())})
				if err := os.WriteFile(filepath.Join(here, file), txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

// refusal returns what Load says about a file.
func refusal(t *testing.T, name, text string) string {
	t.Helper()
	c, err := Load(context.Background(), write(t, name, text))
	if c != nil {
		t.Errorf("%s was taken", name)
	}
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("%s: got %v, want an *Error", name, err)
	}
	return err.Error()
}

// TestRefusedFiles: what is wrong before there is any text.
func TestRefusedFiles(t *testing.T) {
	write(t, "zdhost.hcl", small)
	for _, err := range []error{os.Mkdir("dir.hcl", 0o700), os.WriteFile("large.yaml", []byte(strings.Repeat("#", 2<<20)), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"zdhost.conf": "zdhost.conf: unknown extension \".conf\"\nhint: known: .hcl, .yaml, .yml, .toml, .json",
		"zhdost.hcl":  "zhdost.hcl: cannot read the configuration: no such file or directory\nhint: did you mean \"zdhost.hcl\"?",
		"dir.hcl":     "dir.hcl: the configuration is no regular file",
		"large.yaml":  "large.yaml: the file is larger than 1024 KiB",
	} {
		if _, err := Load(context.Background(), path); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestByteOrderMark: editors that write one are forgiven.
func TestByteOrderMark(t *testing.T) {
	for _, c := range [][2]string{
		{"zdhost.hcl", small},
		{"zdhost.yaml", "service: {a: {command: [x]}}"},
		{"zdhost.toml", "service.a.command = ['x']"},
		{"zdhost.json", `{"service": {"a": {"command": ["x"]}}}`},
	} {
		if _, err := Load(context.Background(), write(t, c[0], "\uFEFF"+c[1])); err != nil {
			t.Errorf("%s: %v", c[0], err)
		}
	}
}

// TestManyProblems: a file that is wrong all over is not answered with a wall
// of text.
func TestManyProblems(t *testing.T) {
	var problems []Problem
	for range 80 {
		problems = append(problems, Problem{Message: "x"})
	}
	lines := strings.Split((&Error{Problems: problems}).Error(), "\n")
	if len(lines) != maxProblems+1 || lines[maxProblems] != "… and 30 more" {
		t.Errorf("got %d lines, the last: %s", len(lines), lines[len(lines)-1])
	}
}
