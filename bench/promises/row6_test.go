package promises

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// TestRow6_WarmRollback: a rollback to a generation that is warm starts nothing; new connections go there at once.
// What is measured, from the client's side, is an upper bound: from the command's first byte to the beginning of the
// first connection that the old release answered. The host's own word for it is logged beside.
func TestRow6_WarmRollback(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	warm, old := h.service(web).Instances[0].PID, h.service(web).Generation

	var back firstAnswer
	clients := h.flow(load.Options{Address: o.address, Mode: load.NewConn, Clients: 2, OnOutcome: back.see})
	var took, told []time.Duration
	for range sized().rollback {
		h.mustUpgrade(web, o.release("v2"), noBake())
		clients.more(g, 20)
		back.awaitNext("v1")
		began := time.Now()
		var switched time.Time
		outcome, err := h.client.Rollback(t.Context(), control.RollbackRequest{Service: web}, func(e control.RolloutEvent) {
			if switched.IsZero() && slices.Contains(e.Weights, control.GenerationWeight{Generation: old, Weight: 100}) {
				switched = e.Time
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		wantEnded(t, outcome, control.EndedCommitted)
		g.await("the old release answers", patience, func() bool { return !back.when().IsZero() })
		took, told = append(took, back.when().Sub(began)), append(told, switched.Sub(began))
		if now := h.service(web); now.Instances[0].PID != warm && now.Instances[len(now.Instances)-1].PID != warm {
			t.Errorf("another process serves: %v, want %d", now.Instances, warm)
		}
	}
	wantNoneFailed(t, clients.end())
	slices.Sort(took)
	t.Logf("from the command to the old release: %v; by the host's own word (unsorted): %v", took, told)
	if median := took[len(took)/2]; median > sized().within {
		t.Errorf("the median is %v, more than %v", median, sized().within)
	}
}

// firstAnswer notes when the first connection began that a release answered.
type firstAnswer struct {
	mu      sync.Mutex
	release string
	from    time.Time // connections that began before don't count
	began   time.Time
}

// awaitNext begins to wait for a release.
func (f *firstAnswer) awaitNext(release string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.release, f.from, f.began = release, time.Now(), time.Time{}
}

func (f *firstAnswer) see(o load.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	began := o.When.Add(-o.Latency)
	if o.Release == f.release && began.After(f.from) && (f.began.IsZero() || began.Before(f.began)) {
		f.began = began
	}
}

func (f *firstAnswer) when() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.began
}
