package instance

import "time"

// RestartPolicy says how an instance that ended unasked is replaced.
type RestartPolicy struct {
	Backoff, MaxBackoff time.Duration
	// LoopCount exits within LoopWindow are a crash loop: from then on every
	// replacement waits MaxBackoff.
	LoopCount  int
	LoopWindow time.Duration
}

// Restarts decides when to replace, from the times of the exits. It is a value
// with rules and no clock; its zero value has seen no exit.
type Restarts struct {
	exits []time.Time
}

// Exited notes an exit of an instance that had been up since started, and
// returns how long to wait before its replacement and whether this is a crash
// loop. The wait doubles with each exit inside the window; an instance that was
// up for a whole window begins anew, and the first replacement comes at once.
func (r *Restarts) Exited(now, started time.Time, p RestartPolicy) (wait time.Duration, loop bool) {
	if now.Sub(started) >= p.LoopWindow {
		r.exits = nil
	}
	kept := r.exits[:0]
	for _, t := range r.exits {
		if now.Sub(t) < p.LoopWindow {
			kept = append(kept, t)
		}
	}
	r.exits = append(kept, now)
	n := len(r.exits)
	if p.LoopCount > 0 && n >= p.LoopCount {
		return p.MaxBackoff, true
	}
	if n == 1 {
		return 0, false
	}
	wait = p.Backoff
	for i := 2; i < n && wait < p.MaxBackoff; i++ {
		wait *= 2
	}
	return min(wait, p.MaxBackoff), false
}
