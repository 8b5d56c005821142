package zdapp

import "time"

// posture is what a drain has to do about a connection.
type posture int

const (
	busy   posture = iota // wait: a request is under way, or it is about to move or to end, or it is hijacked
	idle                  // close it when its time has come: nothing is lost that is known of
	goaway                // HTTP/2: only the server's shutdown ends it politely
)

// headcount is what a drain still waits for.
type headcount struct {
	busy, idle, goaway int
	hooks              bool // OnDrain hooks are running
}

// verdict is how a drain goes on.
type verdict int

const (
	wait     verdict = iota
	shutdown         // nothing is left that a shutdown of the server could drop
	cut              // time is up
)

// farewell is the plan of a drain. In the first half of the window connections end by themselves, with their next
// response; in the second half those that stay idle are closed, evenly spread; after it whatever gets idle is closed
// at once. At the deadline the rest is cut.
type farewell struct {
	begun, window, deadline time.Time
	peak                    int // idle connections when the second half began
}

// step says how many idle connections to close now, and how to go on.
func (f *farewell) step(now time.Time, h headcount) (dismiss int, then verdict) {
	switch {
	case h.busy == 0 && h.idle == 0 && !h.hooks:
		return 0, shutdown
	case !now.Before(f.deadline):
		return 0, cut
	case !now.Before(f.window):
		return h.idle, wait
	}
	half := f.window.Sub(f.begun) / 2
	left := f.window.Sub(now)
	if left > half {
		return 0, wait
	}
	if f.peak == 0 {
		f.peak = h.idle
	}
	keep := int(int64(f.peak) * int64(left) / int64(half))
	return max(h.idle-keep, 0), wait
}
