package promises

import (
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// TestRow3_LongExchanges: what was begun before the upgrade ends on the old generation, complete, while what begins
// after it is answered by the new one.
func TestRow3_LongExchanges(t *testing.T) {
	for _, server := range []string{"shop", "naive"} {
		for _, long := range []load.Options{
			{Mode: load.Stream, Hold: 4 * time.Second, Parts: 4},    // 3 s with pauses of 1 s
			{Mode: load.SlowBody, Hold: 3 * time.Second, Parts: 4},  // a quarter each second
			{Mode: load.WebSocket, Hold: 4 * time.Second, Parts: 4}, // a message each second
		} {
			t.Run(server+" "+string(long.Mode), func(t *testing.T) { longExchange(t, server, long) })
		}
	}
}

func longExchange(t *testing.T, server string, long load.Options) {
	g := newGround(t, nil)
	o := g.offers(server, freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	before := h.sequel(o.address, long)
	h.mustUpgrade(web, o.release("v2"), atOnce())
	after := h.sequel(o.address, long)

	fresh := run(t, load.Options{Address: o.address, Mode: load.NewConn, Clients: 2, Exchanges: 20})
	wantNoneFailed(t, fresh)
	wantAnsweredBy(t, fresh, "v2")
	r := before.wait()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1")
	if r.ClosedByServer != 0 && long.Mode == load.WebSocket {
		t.Errorf("%d sessions were ended early", r.ClosedByServer)
	}
	r = after.wait()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v2")
}

// sequel begins one long exchange of each of some clients, and returns when all are connected.
func (g *ground) sequel(address string, long load.Options) *traffic {
	g.t.Helper()
	const clients = 4
	open := g.connections(address)
	long.Address, long.Clients, long.Exchanges = address, clients, clients
	long.BodySize = 256
	tr := drive(g.t, long)
	g.await("the long exchanges have begun", patience, func() bool { return g.connections(address) >= open+clients })
	return tr
}
