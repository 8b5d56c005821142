package promises

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// TestRow7_UpgradesInARow: five upgrades in two seconds while responses take long. Nothing fails; several generations
// drain at the same time, and all of them leave.
func TestRow7_UpgradesInARow(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	clients := drive(t, load.Options{
		Address: o.address, Mode: load.NewConn, Path: fmt.Sprintf("/slow?d=%v", sized().slow),
		Clients: 6 * sized().clients, Think: 3 * time.Second, // so they begin all the time, on every generation
		Timeout: sized().slow + 20*time.Second,
	})
	g.await("responses are in flight", patience, func() bool { return g.connections(o.address) >= sized().clients })

	outcomes := make(chan error, 5)
	pace := time.NewTicker(400 * time.Millisecond)
	defer pace.Stop()
	for i := range 5 {
		release := o.release(fmt.Sprintf("v%d", i+2))
		go func() { outcomes <- h.queued(release) }()
		<-pace.C
	}
	together := 0
	for left := 5; left > 0; {
		select {
		case err := <-outcomes:
			if err != nil {
				t.Error(err)
			}
			left--
		case <-pace.C:
			together = max(together, h.draining())
		}
	}
	g.await("every old generation has left", patience, func() bool {
		together = max(together, h.draining())
		return h.draining() == 0 && len(h.service(web).Instances) == 1
	})
	r := clients.end()
	wantNoneFailed(t, r)
	t.Logf("%d generations drained side by side", together)
	if together < 3 {
		t.Errorf("at most %d generations drained at a time", together)
	}
	fresh := run(t, newConnectionsOnce(o.address))
	wantNoneFailed(t, fresh)
	wantAnsweredBy(t, fresh, "v6")
}

// queued upgrades when it is its turn.
func (h *host) queued(command []string) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	outcome, err := h.client.Upgrade(ctx, control.UpgradeRequest{
		Service: web, Command: command, Dir: h.dir, Set: atOnce(), IfBusy: control.IfBusyQueue,
	}, func(control.RolloutEvent) {})
	if err == nil && outcome.Ended != control.EndedCommitted {
		err = fmt.Errorf("a queued upgrade ended as %q: %s", outcome.Ended, outcome.Reason)
	}
	return err
}

// draining counts the generations that are leaving.
func (h *host) draining() int {
	h.t.Helper()
	service := h.service(web)
	leaving := map[uint64]bool{}
	for _, i := range service.Instances {
		if i.State == control.InstanceDraining && i.Generation != service.Generation {
			leaving[i.Generation] = true
		}
	}
	return len(leaving)
}
