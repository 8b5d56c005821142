package host

import (
	"fmt"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/zdapp/workload"
)

// tally counts what became of a generation's clients, from the host's own
// counters and from programs that count.
type tally struct {
	moved, told, cut int
	requests         uint64
	counted          bool // some program counted
	high, limit      int
	drops            uint64
}

func (t *tally) add(r instance.Report, stats *workload.Stats) {
	t.moved += r.Moved
	t.told += r.Told
	t.cut += r.Cut
	if stats != nil {
		t.requests += stats.Requests
		t.counted = true
	}
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

// lossReport sums up two generations. crashed says that the candidate died while
// clients were with it: what it had accepted is lost, and nobody can count that.
func lossReport(crashed bool, parts ...tally) control.LossReport {
	var t tally
	for _, p := range parts {
		t.moved, t.told, t.cut = t.moved+p.moved, t.told+p.told, t.cut+p.cut
		t.requests += p.requests
		t.counted = t.counted || p.counted
		t.high, t.limit = max(t.high, p.high), max(t.limit, p.limit)
		t.drops += p.drops
	}
	known := func(n int) *int64 { return control.Known(int64(n)) }
	r := control.LossReport{
		Moved: known(t.moved), Told: known(t.told), Cut: known(t.cut),
		QueueHigh: known(t.high), QueueMax: known(t.limit), Drops: known(int(t.drops)),
	}
	if t.counted {
		r.Requests = known(int(t.requests))
	}
	if !crashed {
		r.Lost = known(t.cut + int(t.drops))
	}
	return r
}
