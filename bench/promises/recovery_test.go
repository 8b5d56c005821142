package promises

import (
	"fmt"
	"os"
	"strings"
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

// TestRecovery_AcceptedConfiguration: a host that is started again goes on with the configuration that was accepted.
// Edits of the file that nobody accepted, a broken file and a service that the file no longer names change nothing.
func TestRecovery_AcceptedConfiguration(t *testing.T) {
	g := newGround(t, nil)
	o, other := g.offers("naive", freeAddress(t)), g.offers("shop", freeAddress(t))
	text := configuration{address: o.address, command: o.release("v1")}.String()
	second := fmt.Sprintf("\nservice \"second\" {\n  command = [%s]\n}\n", quoted(other.release("s1")))
	h := g.configured(text)
	g.write("zdhost.hcl", text+second)
	if s := h.cli("reload", "host"); s.code != 0 {
		t.Fatal(s)
	}
	g.await("both services run", patience, func() bool { return h.service("second").State == control.ServiceRunning })
	before := h.status()
	clients, others := g.flow(newConnections(o.address)), g.flow(newConnections(other.address))
	for _, edited := range []string{"service \"web\" {\n  commnd = []\n", text} {
		g.write("zdhost.hcl", edited)
		h.killHost()
		clients.more(g, 50)
		now := h.status()
		if len(now.Services) != 2 || len(now.Services[1].Instances) != 1 || now.Services[1].Instances[0].PID != before.Services[1].Instances[0].PID {
			t.Errorf("it went on with %+v", now.Services)
		}
	}
	wantNoneFailed(t, clients.end())
	wantNoneFailed(t, others.end())
	if s := h.cli("reload", "host"); s.code != 0 { // now it is accepted
		t.Fatal(s)
	}
	h.killHost()
	if now := h.status(); len(now.Services) != 1 {
		t.Errorf("what was accepted last is forgotten: %+v", now.Services)
	}
	if code := h.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestRecovery_ServiceReloadedAlone: the part that a service took by itself is accepted too.
func TestRecovery_ServiceReloadedAlone(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	text := configuration{address: o.address, command: o.release("v1")}
	h := g.configured(text.String())
	text.service = "instances = 2\n  strategy \"bluegreen\" {\n    bake = \"0s\"\n    warm = \"0s\"\n  }"
	g.write("zdhost.hcl", text.String())
	if s := h.cli("reload", web); s.code != 0 {
		t.Fatal(s)
	}
	h.serves(1)
	g.write("zdhost.hcl", "broken")
	h.killHost()
	h.kill(h.ready("2")[0], syscall.SIGKILL)
	h.ready("2")
}

// TestRecovery_UnclaimedServiceDrains: processes of a service that isn't configured any more end what they do.
func TestRecovery_UnclaimedServiceDrains(t *testing.T) {
	g := newGround(t, nil)
	o, other := g.offers("naive", freeAddress(t)), g.offers("shop", freeAddress(t))
	text := configuration{address: o.address, command: o.release("v1")}.String()
	h := g.configured(text + fmt.Sprintf("\nservice \"second\" {\n  command = [%s]\n}\n", quoted(other.release("s1"))))
	slow := drive(t, load.Options{Address: other.address, Mode: load.NewConn, Path: "/slow?d=3s", Clients: 4, Exchanges: 4})
	g.await("requests are in flight", patience, func() bool { return g.connections(other.address) >= 4 })
	if err := os.Remove(g.path("s/accepted")); err != nil { // so that the file counts, which names one service only
		t.Fatal(err)
	}
	g.write("zdhost.hcl", text)
	h.killHost()
	wantNoneFailed(t, slow.wait())
	g.await("nobody listens on its address", patience, func() bool { return !g.listens(other.address) })
	g.await("nothing of it is left", patience, func() bool { return len(h.status().Listeners) == 1 })
	wantNoneFailed(t, run(t, newConnectionsOnce(o.address)))
}

// TestRecovery_UnclaimedServiceStops: whoever wants an end at once gets it, whatever such processes have to do.
func TestRecovery_UnclaimedServiceStops(t *testing.T) {
	g := newGround(t, nil)
	other := g.offers("shop", freeAddress(t))
	text := "service \"first\" {\n  command = [\"/bin/sleep\", \"1000\"]\n}\n"
	h := g.configured(text + fmt.Sprintf("\nservice \"second\" {\n  command = [%s]\n}\n", quoted(other.release("s1"))))
	drive(t, load.Options{Address: other.address, Mode: load.NewConn, Path: "/slow?d=25s", Clients: 1, Exchanges: 1})
	g.await("a request is in flight", patience, func() bool { return g.connections(other.address) >= 1 })
	if err := os.Remove(g.path("s/accepted")); err != nil {
		t.Fatal(err)
	}
	g.write("zdhost.hcl", text)
	h.killHost()
	h.signal(syscall.SIGTERM)
	g.await("it stops", patience, func() bool { return strings.Contains(h.output.String(), "\"stopping\"") })
	h.signal(syscall.SIGTERM)
	h.wait(4 * time.Second)
}

// TestRecovery_Refusals: that the last change was refused is known after a restart of the host, until one is taken.
func TestRecovery_Refusals(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	text := configuration{address: o.address, command: o.release("v1")}.String()
	h := g.configured(text)
	refused := func() [2]bool { return [2]bool{h.status().Host.LastRefused != nil, h.service(web).LastRefused != nil} }
	g.write("zdhost.hcl", "broken")
	if s := h.cli("reload", "host"); s.code == 0 {
		t.Error(s)
	}
	if _, err := h.client.Upgrade(t.Context(), control.UpgradeRequest{Service: web, Release: g.path("nowhere")}, func(control.RolloutEvent) {}); err == nil {
		t.Error("a release that isn't there was taken")
	}
	h.killHost()
	if got := refused(); got != [2]bool{true, true} {
		t.Errorf("host and service were refused: %v", got)
	}
	h.mustUpgrade(web, o.release("v2"), noBake())
	g.write("zdhost.hcl", text)
	if s := h.cli("reload", "host"); s.code != 0 {
		t.Error(s)
	}
	if got := refused(); got != [2]bool{} {
		t.Errorf("host and service are still refused: %v", got)
	}
	h.killHost()
	if got := refused(); got != [2]bool{} {
		t.Errorf("host and service are refused again: %v", got)
	}
}
