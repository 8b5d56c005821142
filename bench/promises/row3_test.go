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
// after it is answered by the new one.
func TestRow3_LongExchanges(t *testing.T) {
	for _, server := range []string{"shop", "naive"} {
		for _, long := range lasting {
			set := atOnce()
			if server == "shop" && long.Mode == load.WebSocket {
				// A zdapp server that has to leave tells its sessions: see TestRow3_ToldSessions.
				set = noBake()
			}
			t.Run(server+" "+string(long.Mode), func(t *testing.T) { longExchange(t, server, long, set) })
		}
	}
}

func longExchange(t *testing.T, server string, long load.Options, set settings) {
	h, o := oneService(t, server)
	before := h.underWay(o.address, long)
	h.mustUpgrade(web, o.release("v2"), set)
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

// oneService is a host with an adopted server.
func oneService(t *testing.T, server string) (*host, *offer) {
	t.Helper()
	g := newGround(t, nil)
	o := g.offers(server, freeAddress(t))
	return g.configured(configuration{address: o.address, command: o.release("v1")}.String()), o
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
