package host

import (
	"github.com/zdhost/zdhost/host/control"
)

// account is what a rollout meant for clients, by generation. It stays open until
// the generation that the rollout has replaced, or given up, is gone.
type account struct {
	rollout, trace string
	crashed        bool // the candidate died while clients were with it
	parts          map[uint64]tally
}

// begins starts the counting of what a rollout means for the clients.
func (g *generation) begins() {
	g.tally, g.account = tally{}, nil
	for _, l := range g.lanes {
		l.high = 0
		l.base, _ = l.Drops()
	}
	for _, r := range g.inst {
		r.base = r.stats
	}
}

// count is the generation's tally as far as it is known now.
func (g *generation) count() tally {
	g.tally.lanes(g)
	t := g.tally
	for _, r := range g.inst {
		t.program(r.stats, r.base)
	}
	return t
}

// settle reports on the rollout as it ends, and leaves the account with the
// generation that leaves because of it.
func (r *rolling) settle(committed bool) control.LossReport {
	h := r.svc.h
	a := &account{rollout: r.state.ID, trace: r.state.Trace, crashed: r.crashed, parts: map[uint64]tally{}}
	for _, g := range []*generation{r.from, r.candidate} {
		if g != nil {
			a.parts[g.number] = g.count()
		}
	}
	leaver := r.candidate
	if committed {
		leaver = r.from
	}
	report := a.report()
	if leaver == nil {
		report.Final = true
	} else {
		leaver.account = a
	}
	h.record(recordReport, a.trace, reportRecord{Rollout: a.rollout, Report: report, Final: report.Final})
	h.memory.reported(a.rollout, report)
	return report
}

// settled hears that a generation is gone: the rollout that it left because of
// now knows what its end meant.
func (h *Host) settled(g *generation) {
	a := g.account
	if a == nil {
		return
	}
	a.parts[g.number] = g.tally
	report := a.report()
	report.Final = true
	if last := g.svc.last; last != nil && last.state.ID == a.rollout {
		last.report = report
	}
	h.record(recordReport, a.trace, reportRecord{Rollout: a.rollout, Report: report, Final: true})
	h.memory.reported(a.rollout, report)
}

// report sums up the parts. What a candidate that crashed had accepted is lost,
// and nobody can count that.
func (a *account) report() control.LossReport {
	var t tally
	for _, p := range a.parts {
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
	if !a.crashed {
		r.Lost = known(t.cut + int(t.drops))
	}
	return r
}
