package zdapp

import (
	"testing"
	"time"
)

func TestFarewell(t *testing.T) {
	begun := time.Unix(1000, 0)
	at := func(ms int) time.Time { return begun.Add(time.Duration(ms) * time.Millisecond) }
	type look struct {
		ms      int
		head    headcount
		dismiss int
		then    verdict
	}
	for _, test := range []struct {
		name             string
		window, deadline int
		looks            []look
	}{
		{"nobody there", 1000, 5000, []look{{0, headcount{}, 0, shutdown}}},
		{"only HTTP/2", 1000, 5000, []look{{0, headcount{goaway: 3}, 0, shutdown}}},
		{"hooks are waited for", 1000, 5000, []look{{0, headcount{hooks: true}, 0, wait}, {4999, headcount{hooks: true}, 0, wait}, {5000, headcount{hooks: true}, 0, cut}}},
		{"idle ones go in the second half", 1000, 5000, []look{
			{0, headcount{idle: 10}, 0, wait}, {499, headcount{idle: 10}, 0, wait}, {500, headcount{idle: 10}, 0, wait},
			{600, headcount{idle: 10}, 2, wait}, {750, headcount{idle: 8}, 3, wait}, {990, headcount{idle: 5}, 5, wait},
		}},
		{"late idlers go at once", 1000, 5000, []look{{1000, headcount{idle: 4, busy: 1}, 4, wait}, {2000, headcount{idle: 1}, 1, wait}}},
		{"no window", 0, 5000, []look{{0, headcount{idle: 4}, 4, wait}}},
		{"more idlers than at half-time", 1000, 5000, []look{{500, headcount{busy: 5}, 0, wait}, {750, headcount{idle: 4}, 2, wait}}},
		{"the deadline cuts", 1000, 5000, []look{{4999, headcount{busy: 1}, 0, wait}, {5000, headcount{busy: 1, idle: 1}, 0, cut}}},
		{"a deadline before the window", 1000, 300, []look{{300, headcount{idle: 1}, 0, cut}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := farewell{begun: begun, window: at(test.window), deadline: at(test.deadline)}
			for _, l := range test.looks {
				if dismiss, then := f.step(at(l.ms), l.head); dismiss != l.dismiss || then != l.then {
					t.Errorf("at %d ms: dismiss %d, verdict %d; want %d, %d", l.ms, dismiss, then, l.dismiss, l.then)
				}
			}
		})
	}
}
