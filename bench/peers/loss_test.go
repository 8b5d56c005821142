package main

import (
	"strings"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

func lost(n int) map[string]suffered {
	r := load.Result{Requests: 100, Failed: n, Latency: &load.Histogram{}}
	r.Latency.Add(2 * time.Millisecond)
	return map[string]suffered{"A": {Result: r}}
}

func TestControlsMustShowWhatTheyAreFor(t *testing.T) {
	for _, c := range []struct {
		want   expectation
		failed int
		fine   bool
	}{
		{noLoss, 0, true}, {noLoss, 1, false},
		{someLoss, 1, true}, {someLoss, 0, false},
		{anything, 0, true}, {anything, 1, true},
	} {
		err := sufferer{want: c.want}.check(lost(c.failed))
		if (err == nil) != c.fine {
			t.Errorf("expectation %d with %d failures: %v", c.want, c.failed, err)
		}
	}
}

func TestLossRowTellsWhatWasNotRun(t *testing.T) {
	f := sufferer{candidate: candidate{name: "x"}, scenarios: "A"}
	if got := strings.Join(f.row(lost(7)), " | "); !strings.HasPrefix(got, "x | 7 of 100 | — | — | 2") || !strings.HasSuffix(got, "/— | —") {
		t.Errorf("the row is %q", got)
	}
}

func TestLossesHaveAGoalForZdhostOnly(t *testing.T) {
	var s section
	for _, f := range sufferers() {
		r := lost(0)
		f.figures(&s, r)
		if got, want := s.Figures[len(s.Figures)-1].Goal != "", strings.HasPrefix(f.name, "zdhost: "); got != want {
			t.Errorf("%s has a goal: %t", f.name, got)
		}
	}
}
