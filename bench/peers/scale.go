package main

import "time"

// scale is how much is measured.
type scale struct {
	limit time.Duration // of everything together

	pairs int           // of runs in throughput, for each system and each kind of connection
	run   time.Duration // of one run

	windows int           // pairs of windows in latency, for each system
	window  time.Duration // of one window

	starts    int // of each kind in start
	rest      time.Duration
	changes   int // of weights
	rollbacks int
	upgrades  int // in each run of loss, and before memory is read again
}

func full() scale {
	return scale{
		limit: 8 * time.Minute,
		pairs: 20, run: 200 * time.Millisecond,
		windows: 6, window: 2200 * time.Millisecond,
		starts: 15, rest: 4 * time.Second, changes: 2000, rollbacks: 20, upgrades: 16,
	}
}

// quick is for developing: its intervals are too wide to say much.
func quick() scale {
	return scale{
		limit: 3 * time.Minute,
		pairs: 4, run: 60 * time.Millisecond,
		windows: 2, window: 1200 * time.Millisecond,
		starts: 5, rest: time.Second, changes: 500, rollbacks: 5, upgrades: 3,
	}
}
