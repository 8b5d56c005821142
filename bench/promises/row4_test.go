package promises

import (
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// TestRow4_KilledUnderLoad: an instance that is killed takes at most one request of each client with it, none hangs,
// and it is replaced.
func TestRow4_KilledUnderLoad(t *testing.T) {
	for _, server := range []string{"naive", "python"} {
		for _, instances := range []string{"1", "2"} {
			t.Run(server+" with "+instances, func(t *testing.T) {
				h, o := instancesOf(t, server, instances)
				clients := h.flow(newConnections(o.address))
				for range sized().kills {
					victim := h.ready(instances)[0]
					h.kill(victim, syscall.SIGKILL)
					h.replaced(victim, instances)
					clients.more(h.ground, 50)
				}
				wantOnly(t, clients.end(), sized().kills*sized().clients)
			})
		}
	}
}

// TestRow4_OnlyWhatItHadAccepted counts exactly: the instance is stopped, so what it has accepted is known, and the
// rest waits in the queue. What waits is answered by whoever comes next.
func TestRow4_OnlyWhatItHadAccepted(t *testing.T) {
	for _, instances := range []string{"1", "2"} {
		t.Run("naive with "+instances, func(t *testing.T) {
			h, o := instancesOf(t, "naive", instances)
			clients := h.flow(load.Options{Address: o.address, Mode: load.NewConn, Clients: 32, Timeout: 20 * time.Second})
			victim := h.ready(instances)[0]
			h.kill(victim, syscall.SIGSTOP)
			if instances == "1" {
				h.await("every client waits", patience, func() bool { return h.connections(o.address) >= 32 })
			} else {
				clients.more(h.ground, 200)
			}
			accepted := h.acceptedBy(victim.PID, o.address)
			waiting := h.connections(o.address) - accepted
			h.kill(victim, syscall.SIGKILL)
			h.replaced(victim, instances)
			clients.more(h.ground, 100)
			r := clients.end()
			t.Logf("it had accepted %d, %d waited", accepted, waiting)
			if instances == "1" && waiting == 0 {
				t.Error("nothing waited in the queue: the test has shown nothing")
			}
			wantOnly(t, r, accepted)
		})
	}
}

// wantOnly allows as many failures, none of which may be a hung or a refused client.
func wantOnly(t *testing.T, r load.Result, allowed int) {
	t.Helper()
	t.Log(r)
	if r.Failed > allowed {
		t.Errorf("%d requests failed, at most %d had been accepted", r.Failed, allowed)
		showFailures(t, r)
	}
	if r.Hung > 0 || r.ByKind[load.KindConnect] > 0 || r.ByKind[load.KindLocal] > 0 {
		t.Errorf("clients hung or were refused: %v", r.ByKind)
	}
}

// instancesOf is a host with a server in so many instances.
func instancesOf(t *testing.T, server, instances string) (*host, *offer) {
	t.Helper()
	g := newGround(t, nil)
	o := g.offers(server, freeAddress(t))
	h := g.configured(configuration{
		address: o.address, command: o.release("v1"),
		// What is killed again and again on purpose is no crash loop.
		service: "instances = " + instances + "\n  restart {\n    crash_loop = \"1000 in 1m\"\n    backoff = \"10ms\"\n    max_backoff = \"100ms\"\n  }",
	}.String())
	return h, o
}

// ready waits for so many ready instances and returns them.
func (h *host) ready(instances string) []control.Instance {
	h.t.Helper()
	want := int(instances[0] - '0')
	var ready []control.Instance
	h.await(instances+" instances are ready", patience, func() bool {
		ready = nil
		for _, i := range h.service(web).Instances {
			if i.State == control.InstanceReady {
				ready = append(ready, i)
			}
		}
		return len(ready) == want
	})
	return ready
}

// kill sends a signal to an instance of this host.
func (h *host) kill(i control.Instance, s syscall.Signal) {
	h.t.Helper()
	if i.PID <= 1 {
		h.t.Fatalf("instance %s has no process", i.ID)
	}
	if err := syscall.Kill(i.PID, s); err != nil {
		h.t.Fatal(err)
	}
}

// replaced waits until an instance is gone and there are as many as before.
func (h *host) replaced(victim control.Instance, instances string) {
	h.t.Helper()
	h.await("instance "+victim.ID+" is gone", patience, func() bool {
		for _, i := range h.service(web).Instances {
			if i.PID == victim.PID && i.State != control.InstanceExited {
				return false
			}
		}
		return true
	})
	h.ready(instances)
}
