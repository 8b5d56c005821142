package promises

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// killHost kills the host, and nothing else of zdhost's, and waits for the next one.
func (h *host) killHost() {
	h.t.Helper()
	before := h.status().Host.PID
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	h.await("another host serves", patience, func() bool {
		h.mustRun()
		status, err := h.client.Status(h.t.Context())
		return err == nil && status.Host.PID != before && len(status.Services) > 0
	})
}

// recent counts answers by release from a moment on.
type recent struct {
	mu sync.Mutex
	by map[string]int
}

func (r *recent) see(o load.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]int{}
	}
	r.by[o.Release]++
}

// take returns what was counted and begins anew.
func (r *recent) take() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	by := r.by
	r.by = nil
	return by
}

// TestRecovery_WarmRollback: the warm generation comes back after the host was killed, its programs take connections
// again, and kept ones go there instead of to the release that was left.
func TestRecovery_WarmRollback(t *testing.T) {
	for _, sockets := range socketWays {
		t.Run(sockets, func(t *testing.T) {
			h, o := shop(t, sockets)
			c := load.NewChecker(h.executions())
			n := sized().kept
			var answers recent
			clients := h.flow(load.Options{Address: o.address, Mode: load.Kept, Clients: n, Checker: c, OnOutcome: answers.see, Think: 5 * time.Millisecond})
			h.mustUpgrade(web, o.release("v2"), noBake())
			clients.more(h.ground, 10*n)
			h.killHost()
			clients.more(h.ground, 4*n)
			outcome, err := h.client.Rollback(t.Context(), control.RollbackRequest{Service: web}, func(control.RolloutEvent) {})
			if err != nil {
				t.Fatal(err)
			}
			wantEnded(t, outcome, control.EndedCommitted)
			h.await("every connection is with v1", patience, func() bool {
				answers.take()
				clients.more(h.ground, 4*n)
				by := answers.take()
				return by["v1"] >= 4*n && len(by) == 1
			})
			fresh := run(t, newConnectionsOnce(o.address))
			wantAnsweredBy(t, fresh, "v1")
			r := clients.end()
			wantNoneFailed(t, r)
			wantKept(t, r, n)
			wantExecutions(t, c)
		})
	}
}

// TestRecovery_InBackoff: the host is killed while the only instance waits for its restart. Clients that queue
// meanwhile are answered by the instance that the next host starts, on the lane where they wait.
func TestRecovery_InBackoff(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{
		address: o.address, command: o.release("v1"), service: "restart {\n    backoff = \"10s\"\n    max_backoff = \"10s\"\n  }",
	}.String())
	h.mustUpgrade(web, o.release("v2"), atOnce())
	h.await("the first generation is gone, and its lane in the pool", patience, func() bool { return len(h.service(web).Instances) == 1 })
	victim := h.ready("1")[0]
	h.kill(victim, syscall.SIGKILL) // replaced at once
	h.replaced(victim, "1")
	h.kill(h.ready("1")[0], syscall.SIGKILL)
	h.await("nothing runs", goDown, func() bool { return len(h.service(web).Instances) == 0 })
	clients := drive(t, load.Options{Address: o.address, Mode: load.NewConn, Clients: 16, Timeout: 20 * time.Second})
	h.await("every client waits", patience, func() bool { return h.connections(o.address) >= 16 })
	h.killHost()
	clients.more(g, 200)
	r := clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v2")
}
