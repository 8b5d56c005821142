package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func sample() *report {
	t := table{Head: []string{"system", "req/s"}}
	t.add("bare", "100")
	t.add("a|b", "98")
	s := &section{Name: "throughput", Title: "Throughput", Method: "Pairs.", Tables: []table{t}}
	s.figure(ratio("adopted / bare", estimate{Median: 1, Low: 0.99, High: 1.01}).against(atLeast(0.98)))
	s.figure(number("no goal", 3, "ms"))
	s.note("noise is %d %%", 2)
	return &report{
		Began: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Took: "5m0s",
		Machine:  machine{CPUs: 2, Load: 0.1, Versions: []version{{"Go", "go1"}}},
		Sections: []*section{s},
	}
}

func TestMarkdown(t *testing.T) {
	got := sample().markdown()
	for _, want := range []string{
		"on 2 January 2030, 03:04 UTC in 5m0s",
		"| Go | go1 |\n",
		"| adopted / bare | 1.000 (0.990–1.010) | ≥ 0.98 | met |\n",
		"### Throughput\n\nPairs.\n\n| system | req/s |\n|---|---:|\n| bare | 100 |\n| a\\|b | 98 |\n\n* noise is 2 %\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, unwanted := range []string{"no goal", "busy", "Not complete", "\n\n\n"} {
		if strings.Contains(got, unwanted) {
			t.Errorf("%q in\n%s", unwanted, got)
		}
	}
}

func TestMarkdownOwnsUp(t *testing.T) {
	r := sample()
	r.Machine.Load = 3
	r.Sections[0].Error = "out of time"
	got := r.markdown()
	for _, want := range []string{"**The machine was busy", "**Not complete**: out of time"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if !r.failed() || sample().failed() {
		t.Error("a section's error is not the report's")
	}
}

func TestJSONRoundTrip(t *testing.T) {
	var b bytes.Buffer
	if err := sample().writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	f := got.Sections[0].Figures[0]
	if f.Value != 1 || *f.Low != 0.99 || f.Standing != met {
		t.Errorf("got %+v", f)
	}
}
