package host

import (
	"fmt"

	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/zdapp/workload"
)

// tally counts what became of a generation's clients during a rollout, from the
// host's own counters and from programs that count.
type tally struct {
	moved, told, cut int
	requests         uint64
	counted          bool // some program counted
	high, limit      int
	drops            uint64
}

// program adds what a program counted since the rollout began.
func (t *tally) program(now, before *workload.Stats) {
	if now == nil {
		return
	}
	if before == nil {
		before = &workload.Stats{}
	}
	t.counted = true
	t.requests += now.Requests - before.Requests
	t.moved += int(now.MovedOut - before.MovedOut)
	t.told += int(now.Told - before.Told)
}

// ended adds an instance that is gone.
func (t *tally) ended(r *running, report instance.Report) {
	t.program(r.stats, r.base)
	t.cut += report.Cut
}

// lanes adds what the generation's lanes counted.
func (t *tally) lanes(g *generation) {
	for _, l := range g.lanes {
		if d, err := l.Drops(); err == nil && d > l.base {
			t.drops += d - l.base
			l.base = d
		}
		n, limit, err := l.Queue()
		if err == nil {
			t.limit = max(t.limit, limit)
		}
		t.high = max(t.high, l.high, n)
	}
}

func (t tally) String() string {
	return fmt.Sprintf("moved %d, told %d, cut %d, queue high-water %d of %d, drops %d", t.moved, t.told, t.cut, t.high, t.limit, t.drops)
}
