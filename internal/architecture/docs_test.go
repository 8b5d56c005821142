package architecture

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zdhost/zdhost/host/instance"
)

// sections are what a decision record consists of.
var sections = []string{"Status: ", "## Context", "## Decision", "## Consequences", "## Crash scenarios"}

func TestDecisionRecordsAreComplete(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(root, "docs/adr/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob(filepath.Join(root, "docs/adr/[0-9]*.md"))
	if err != nil || len(records) == 0 {
		t.Fatalf("no decision records: %v", err)
	}
	for _, record := range records {
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(record)
		if !strings.Contains(string(index), "("+name+")") {
			t.Errorf("%s is not in the list of docs/adr/README.md", name)
		}
		for _, s := range sections {
			if !strings.Contains(string(text), "\n"+s) {
				t.Errorf("%s lacks %q", name, strings.TrimSpace(s))
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksLeadSomewhere follows the links between the pages.
func TestLinksLeadSomewhere(t *testing.T) {
	eachFile(t, func(name string, text []byte) {
		if path.Ext(name) != ".md" {
			return
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			target, err := url.Parse(string(m[1]))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if target.Scheme != "" || target.Path == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, path.Dir(name), target.Path)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", name, target.Path)
			}
		}
	})
}

// TestEnvironmentIsDocumented compares the reference page with what a program is
// given.
func TestEnvironmentIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/reference/environment.md"))
	if err != nil {
		t.Fatal(err)
	}
	given := instance.Environment(instance.Identity{
		Service: "s", Release: "r", Instance: "i", Generation: 1, NotifySocket: "n", WorkloadSocket: "w", WatchdogUSec: 1, User: "u", Home: "/",
	}, nil, nil, nil)
	given = append(given, "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=")
	for _, kv := range given {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/reference/environment.md doesn't mention %s", name)
		}
	}
}
