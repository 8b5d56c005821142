package zdapp

import (
	"slices"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var y tally
	for _, d := range []time.Duration{-1, 0, 999, time.Microsecond, 2 * time.Microsecond, 3 * time.Microsecond, 4 * time.Microsecond} {
		y.observe(d)
	}
	if got := y.stats(0).Histogram; !slices.Equal(got, []uint64{3, 1, 2, 1}) {
		t.Errorf("histogram %v", got)
	}
	y.observe(time.Hour)
	if got := y.stats(0).Histogram; len(got) != buckets || got[buckets-1] != 1 {
		t.Errorf("histogram %v", got)
	}
}

func TestInheritedNames(t *testing.T) {
	for list, want := range map[string][]string{
		"web:admin":   {"web", "admin", "fd5"},
		"":            {"fd3", "fd4", "fd5"},
		"web:web":     {"web", "fd4", "fd5"},
		"unknown::a":  {"fd3", "fd4", "a"},
		"a:b:c:d:e":   {"a", "b", "c"},
		"fd4:web:web": {"fd4", "web", "fd5"},
	} {
		if got := inheritedNames(3, list); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
}
