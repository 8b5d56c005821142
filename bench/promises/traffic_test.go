package promises

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// traffic is load that runs beside what a test does.
type traffic struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
	asked  atomic.Int64
	result load.Result
	err    error
}

// drive begins load and does not wait for it.
func drive(t *testing.T, o load.Options) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tr := &traffic{t: t, cancel: cancel, done: make(chan struct{})}
	seen := o.OnOutcome
	o.OnOutcome = func(outcome load.Outcome) {
		tr.asked.Add(1)
		if seen != nil {
			seen(outcome)
		}
	}
	go func() {
		defer close(tr.done)
		tr.result, tr.err = load.Run(ctx, o)
	}()
	t.Cleanup(func() {
		cancel()
		<-tr.done
	})
	return tr
}

// flow begins load and returns when it has had some answers.
func (g *ground) flow(o load.Options) *traffic {
	g.t.Helper()
	tr := drive(g.t, o)
	tr.more(g, 2*max(o.Clients, 1))
	return tr
}

// more waits until n more requests have ended.
func (tr *traffic) more(g *ground, n int) {
	tr.t.Helper()
	want := tr.asked.Load() + int64(n)
	g.await("more requests end", patience, func() bool { return tr.asked.Load() >= want })
}

// end stops the load and returns what the clients saw.
func (tr *traffic) end() load.Result {
	tr.t.Helper()
	tr.cancel()
	return tr.wait()
}

// wait lets limited load come to its own end.
func (tr *traffic) wait() load.Result {
	tr.t.Helper()
	<-tr.done
	if tr.err != nil {
		tr.t.Fatal(tr.err)
	}
	return tr.result
}

// run does limited load at once.
func run(t *testing.T, o load.Options) load.Result {
	t.Helper()
	return drive(t, o).wait()
}

// wantNoneFailed is the only pass where nothing may be lost.
func wantNoneFailed(t *testing.T, r load.Result) {
	t.Helper()
	t.Log(r)
	if r.Requests == 0 {
		t.Error("the clients asked nothing")
	}
	if r.Failed != 0 {
		t.Errorf("%d of %d requests failed", r.Failed, r.Requests)
		showFailures(t, r)
	}
}

// showFailures logs the first few.
func showFailures(t *testing.T, r load.Result) {
	t.Helper()
	for _, f := range r.Failures[:min(len(r.Failures), 12)] {
		t.Log(f)
	}
}

// wantAnsweredBy fails unless exactly these releases answered.
func wantAnsweredBy(t *testing.T, r load.Result, releases ...string) {
	t.Helper()
	for _, release := range releases {
		if r.ByRelease[release] == 0 {
			t.Errorf("%s answered nothing: %v", release, r.ByRelease)
		}
	}
	if len(r.ByRelease) != len(releases) {
		t.Errorf("answered by %v, want %v only", r.ByRelease, releases)
	}
}

// wantExecutions checks that numbered POSTs were executed once each.
func wantExecutions(t *testing.T, c *load.Checker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	verdict, err := c.Verify(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := verdict.Err(); err != nil {
		t.Error(err)
	}
	if verdict.Acknowledged == 0 {
		t.Error("nothing was executed")
	}
	if verdict.ExecutedUnanswered != 0 {
		t.Errorf("%d requests were executed and not answered", verdict.ExecutedUnanswered)
	}
}
