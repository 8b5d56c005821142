package promises

import (
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// lasting are the exchanges that outlive an upgrade.
var lasting = []load.Options{
	{Mode: load.Stream, Hold: 4 * time.Second, Parts: 4},                   // 3 s with pauses of 1 s
	{Mode: load.SlowBody, Hold: 3 * time.Second, Parts: 4, BodySize: 1024}, // a quarter each second
	{Mode: load.WebSocket, Hold: 4 * time.Second, Parts: 4},                // a message each second
}

// lastingClients have one each.
const lastingClients = 4

// TestRow3_LongExchanges: what was begun before the upgrade ends on the old generation, complete, while what begins
// after it is answered by the new one. That the old generation drains at once doesn't matter.
func TestRow3_LongExchanges(t *testing.T) {
	for _, server := range []string{"shop", "naive"} {
		for _, long := range lasting {
			t.Run(server+" "+string(long.Mode), func(t *testing.T) {
				var flags []string
				if server == "shop" && long.Mode == load.WebSocket {
					flags = []string{"-keep-sessions"} // without it they are told: see TestRow3_ToldSessions
				}
				longExchange(t, server, flags, long, atOnce())
			})
		}
	}
	t.Run("shop websocket warm", func(t *testing.T) { longExchange(t, "shop", nil, lasting[2], noBake()) })
}

func longExchange(t *testing.T, server string, flags []string, long load.Options, set settings) {
	h, o := oneService(t, server, flags...)
	before := h.underWay(o.address, long)
	h.mustUpgrade(web, append(o.release("v2"), flags...), set)
	if set["warm"] == "0s" {
		h.await("v1 drains", patience, func() bool { return h.draining() == 1 })
	}
	after := drive(t, eachOnce(o.address, long))

	fresh := run(t, newConnectionsOnce(o.address))
	wantNoneFailed(t, fresh)
	wantAnsweredBy(t, fresh, "v2")
	r := before.wait()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1")
	if r.ClosedByServer != 0 {
		t.Errorf("%d were ended early", r.ClosedByServer)
	}
	r = after.wait()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v2")
}

// TestRow3_ToldSessions: a zdapp server that has to leave at once ends its WebSockets with a close frame, never by
// hanging up.
func TestRow3_ToldSessions(t *testing.T) {
	h, o := oneService(t, "shop")
	before := h.underWay(o.address, load.Options{Mode: load.WebSocket, Hold: 8 * time.Second, Parts: 40})
	h.mustUpgrade(web, o.release("v2"), atOnce())
	r := before.wait()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1")
	if r.Announced != lastingClients {
		t.Errorf("%d of %d sessions were told", r.Announced, lastingClients)
	}
}

// oneService is a host with an adopted server, which is given the flags.
func oneService(t *testing.T, server string, flags ...string) (*host, *offer) {
	t.Helper()
	g := newGround(t, nil)
	o := g.offers(server, freeAddress(t))
	return g.configured(configuration{address: o.address, command: append(o.release("v1"), flags...)}.String()), o
}

// underWay begins one exchange of each client and returns when all are connected.
func (g *ground) underWay(address string, long load.Options) *traffic {
	g.t.Helper()
	tr := drive(g.t, eachOnce(address, long))
	g.await("the exchanges are under way", patience, func() bool { return g.connections(address) >= lastingClients })
	return tr
}

// eachOnce is one exchange of each client.
func eachOnce(address string, long load.Options) load.Options {
	long.Address, long.Clients, long.Exchanges = address, lastingClients, lastingClients
	return long
}
