package promises

import (
	"context"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// betweenUpgrades is the least time from one upgrade's beginning to the next one's.
const betweenUpgrades = 250 * time.Millisecond

// settings are a strategy's.
type settings map[string]string

// noBake commits as soon as the weight is shifted.
func noBake() settings { return settings{"bake": "0s"} }

// atOnce also drains the old generation as soon as the new one has the weight.
func atOnce() settings { return settings{"bake": "0s", "warm": "0s"} }

// upgrade rolls a service out to a command and returns how that ended.
func (h *host) upgrade(service string, command []string, set settings) control.Outcome {
	h.t.Helper()
	return h.request(control.UpgradeRequest{Service: service, Command: command, Dir: h.dir, Set: set})
}

// request begins an upgrade and waits for its end.
func (h *host) request(r control.UpgradeRequest) control.Outcome {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	outcome, err := h.client.Upgrade(ctx, r, func(control.RolloutEvent) {})
	if err != nil {
		h.t.Fatalf("cannot upgrade: %v", err)
	}
	return outcome
}

// mustUpgrade is an upgrade that has to be committed.
func (h *host) mustUpgrade(service string, command []string, set settings) control.Outcome {
	h.t.Helper()
	o := h.upgrade(service, command, set)
	wantEnded(h.t, o, control.EndedCommitted)
	return o
}

// upgrades goes back and forth between releases v1 and v2, n times. Each begins 250 ms after the one before began, or
// when that has committed, whichever is later. Every other one keeps the old generation warm until the next.
func (h *host) upgrades(service string, n int, release func(name string) []string) {
	h.t.Helper()
	pace := time.NewTicker(betweenUpgrades)
	defer pace.Stop()
	for i := range n {
		name, set := "v2", noBake()
		if i%2 == 1 {
			name, set = "v1", atOnce()
		}
		h.mustUpgrade(service, release(name), set)
		<-pace.C
	}
}

func wantEnded(t *testing.T, o control.Outcome, want string) {
	t.Helper()
	if o.Ended != want {
		t.Fatalf("the rollout ended as %q, want %q: %s\n%v", o.Ended, want, o.Reason, o.LogTail)
	}
}

// newConnections is one connection a request, with little pauses that leave the processors to those who start.
func newConnections(address string) load.Options {
	return load.Options{Address: address, Mode: load.NewConn, Clients: sized().clients, Think: 2 * time.Millisecond, Timeout: 20 * time.Second}
}

// newConnectionsOnce is a few of them.
func newConnectionsOnce(address string) load.Options {
	return load.Options{Address: address, Mode: load.NewConn, Clients: 2, Exchanges: 20, Timeout: 20 * time.Second}
}
