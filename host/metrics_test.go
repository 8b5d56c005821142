package host

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

const metricsHead = `# Metrics

This page is generated from ` + "`host/metrics.go`" + `; ` + "`make docs`" + ` writes it.

The control socket serves them in Prometheus' text format, for whoever may use it:

    curl --unix-socket .zdhost/control.sock http://zdhost/v1/metrics

Where the state directory's path is long, ` + "`control.path`" + ` in it names the socket. What only programs can count (requests, connections) is
there for those that do: zdapp's.

| Metric | Labels | Meaning |
|---|---|---|
`

// TestReference compares the page with the source; UPDATE_GOLDEN=1 writes it.
func TestReference(t *testing.T) {
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	lists := map[string]string{"laneLabels...": "listener, service, generation", "serviceLabels...": "service", "": "none"}
	var page strings.Builder
	page.WriteString(metricsHead)
	for _, m := range regexp.MustCompile(`describe\("(\w+)", "([^"]+)"(?:, )?(.*)\)\n`).FindAllStringSubmatch(string(source), -1) {
		labels, listed := lists[m[3]]
		if !listed {
			labels = strings.ReplaceAll(m[3], `"`, "")
		}
		fmt.Fprintf(&page, "| `zdhost_%s` | %s | %s |\n", m[1], labels, m[2])
	}
	const path = "../docs/reference/metrics.md"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page.String() {
		t.Errorf("%s is not what the source says; UPDATE_GOLDEN=1 writes it", path)
	}
}
