package pluginapi

import "testing"

func TestWeight(t *testing.T) {
	for w, want := range map[Weight]string{0: "0 %", 1: "0.01 %", 5000: "50 %", 3333: "33.33 %", FullWeight: "100 %", NoWeight: "none"} {
		if got := w.String(); got != want || !w.Valid() {
			t.Errorf("%d is %q, valid %t; want %q", int(w), got, w.Valid(), want)
		}
	}
	for _, w := range []Weight{-2, FullWeight + 1} {
		if w.Valid() {
			t.Errorf("%d is valid", int(w))
		}
	}
}

func TestLookups(t *testing.T) {
	plan := Plan{Steps: []Step{{ID: "a"}, {ID: "b"}}}
	if plan.Index("b") != 1 || plan.Index("") != -1 {
		t.Error("a step is not where it is")
	}
	s := Snapshot{Generations: []GenerationSnapshot{{Number: 1}, {Number: 2, Ready: 3}}}
	if g, ok := s.Generation(2); !ok || g.Ready != 3 {
		t.Error("generation 2 is not in the snapshot")
	}
	d := Decision{Generations: []GenerationTarget{{Number: 2, Instances: 4}}}
	if g, ok := d.Target(2); !ok || g.Instances != 4 {
		t.Error("generation 2 is not in the decision")
	}
	if _, ok := d.Target(0); ok {
		t.Error("generation 0 is in the decision")
	}
}
