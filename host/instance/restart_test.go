package instance

import (
	"testing"
	"time"
)

func TestRestarts(t *testing.T) {
	p := RestartPolicy{Backoff: 100 * time.Millisecond, MaxBackoff: time.Second, LoopCount: 8, LoopWindow: time.Minute}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type exit struct {
		at, up time.Duration // up: how long it had run
		wait   time.Duration
		loop   bool
	}
	for name, exits := range map[string][]exit{
		"the first comes back at once": {{0, time.Second, 0, false}},
		"the wait doubles up to its bound, then it is a loop": {
			{0, time.Second, 0, false}, {1 * time.Second, 0, 100 * time.Millisecond, false}, {2 * time.Second, 0, 200 * time.Millisecond, false},
			{3 * time.Second, 0, 400 * time.Millisecond, false}, {4 * time.Second, 0, 800 * time.Millisecond, false},
			{5 * time.Second, 0, time.Second, false}, {6 * time.Second, 0, time.Second, false}, {7 * time.Second, 0, time.Second, true},
			{8 * time.Second, 0, time.Second, true},
		},
		"what is older than the window is forgotten": {
			{0, time.Second, 0, false}, {59 * time.Second, time.Second, 100 * time.Millisecond, false},
			{119 * time.Second, time.Second, 0, false},
		},
		"a whole window of life begins anew": {
			{0, time.Second, 0, false}, {1 * time.Second, time.Second, 100 * time.Millisecond, false}, {2 * time.Second, time.Minute, 0, false},
			{3 * time.Second, time.Second, 100 * time.Millisecond, false},
		},
		"exits at one moment count each": {{0, 0, 0, false}, {0, 0, 100 * time.Millisecond, false}, {0, 0, 200 * time.Millisecond, false}},
	} {
		var r Restarts
		for n, e := range exits {
			now := begin.Add(e.at)
			if wait, loop := r.Exited(now, now.Add(-e.up), p); wait != e.wait || loop != e.loop {
				t.Errorf("%s: exit %d: %s, loop %v; want %s, %v", name, n, wait, loop, e.wait, e.loop)
			}
		}
	}
	p.LoopCount = 0 // never a loop
	var r Restarts
	for range 100 {
		if wait, loop := r.Exited(begin, begin, p); loop || wait > p.MaxBackoff {
			t.Fatalf("%s, loop %v", wait, loop)
		}
	}
}
