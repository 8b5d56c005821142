package promises

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// socketWays are how a service can get its sockets.
var socketWays = []string{"inherit", "adopt"}

// TestRow2_KeptConnections: the connections of a zdapp server survive upgrades: nothing fails, nothing is executed
// twice, and no client has to open a second connection.
func TestRow2_KeptConnections(t *testing.T) {
	for _, sockets := range socketWays {
		for _, think := range []time.Duration{2 * time.Millisecond, 300 * time.Millisecond} {
			t.Run(sockets+" think "+think.String(), func(t *testing.T) {
				keptThroughUpgrades(t, sockets, load.Options{Mode: load.Kept, Think: think}, 2)
			})
		}
	}
}

// TestRow2_IdleUnderShorterTimeout: a successor that allows 1 s for a request's header does not count the silence of
// connections that were idle before they came.
func TestRow2_IdleUnderShorterTimeout(t *testing.T) {
	for _, sockets := range socketWays {
		t.Run(sockets, func(t *testing.T) {
			h, o := shop(t, sockets)
			c := load.NewChecker(h.executions())
			n := sized().kept
			clients := h.idlers(load.Options{Address: o.address, Mode: load.Idle, Clients: n, Hold: 3 * time.Second, Checker: c})
			h.mustUpgrade(web, append(o.release("v2"), "-read-header-timeout", "1s"), noBake())
			clients.more(h.ground, 2*n)
			r := clients.end()
			wantNoneFailed(t, r)
			wantAnsweredBy(t, r, "v1", "v2")
			wantKept(t, r, n)
			wantExecutions(t, c)
		})
	}
}

// TestRow2_Pipelined: of two requests in one packet, none is forgotten and none is executed twice.
func TestRow2_Pipelined(t *testing.T) {
	for _, sockets := range socketWays {
		t.Run(sockets, func(t *testing.T) {
			keptThroughUpgrades(t, sockets, load.Options{Mode: load.Pipelined, Think: 2 * time.Millisecond}, 4)
		})
	}
}

// TestRow2_HalfRequests: a request of which half is there when the upgrade begins, half of its header or half of its
// body, is executed and answered once, on a connection that is kept.
func TestRow2_HalfRequests(t *testing.T) {
	for _, sockets := range socketWays {
		t.Run(sockets, func(t *testing.T) {
			keptThroughUpgrades(t, sockets, load.Options{Mode: load.HalfRequest, Hold: 400 * time.Millisecond}, 4)
		})
	}
}

// TestRow2_NewConnections: a zdapp server loses no new connection either, though as many clients knock as the
// processors can serve, so that some are in a lane's queue at the very moment of each shift.
func TestRow2_NewConnections(t *testing.T) {
	for _, sockets := range socketWays {
		t.Run(sockets, func(t *testing.T) {
			h, o := shop(t, sockets)
			options := newConnections(o.address)
			options.Clients, options.Think, options.Timeout = 16, 0, 5*time.Second
			clients := h.flow(options)
			h.upgrades(web, 2*sized().rolls, o.release)
			clients.more(h.ground, 100)
			r := clients.end()
			wantNoneFailed(t, r)
			wantAnsweredBy(t, r, "v1", "v2")
		})
	}
}

// TestRow2_BusyThroughTwoUpgrades: a connection that was busy while two upgrades went by moves on from where it was
// to the generation that serves now, and doesn't wait with the one between, which is kept warm.
func TestRow2_BusyThroughTwoUpgrades(t *testing.T) {
	h, o := shop(t, "inherit")
	c, err := net.Dial("tcp", o.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	ask := func(path string) (release string) {
		t.Helper()
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return answeredBy(t, in)
	}
	if got := ask("/"); got != "v1" {
		t.Fatalf("answered by %s", got)
	}
	if _, err := io.WriteString(c, "GET /slow?d=1500ms HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	h.await("the request is in flight", patience, func() bool { return h.acceptedBy(h.service(web).Instances[0].PID, o.address) == 1 })
	h.mustUpgrade(web, o.release("v2"), atOnce())
	h.await("v1 drains", patience, func() bool { return h.draining() == 1 })
	h.mustUpgrade(web, o.release("v3"), noBake())
	if got := answeredBy(t, in); got != "v1" {
		t.Errorf("the slow request was answered by %s", got)
	}
	began := time.Now()
	for i := 0; ask("/") != "v3"; i++ { // the byte that net/http reads ahead may keep it for one more
		if i == 2 {
			t.Fatal("it never reached v3")
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it waited %v on its way", took)
	}
}

// answeredBy reads a response and returns the release that it names.
func answeredBy(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.Close {
		t.Fatalf("read error %v, Connection: close %t", err, r.Close)
	}
	return r.Header.Get("X-Release")
}

// keptThroughUpgrades drives numbered POSTs through row 2's upgrades, and until each client has made some more rounds:
// none fails, each is executed once, and every client keeps its connection.
func keptThroughUpgrades(t *testing.T, sockets string, options load.Options, more int) {
	t.Helper()
	h, o := shop(t, sockets)
	c := load.NewChecker(h.executions())
	n := sized().kept
	options.Address, options.Clients, options.Checker = o.address, n, c
	clients := h.flow(options)
	h.upgrades(web, sized().rolls, o.release)
	clients.more(h.ground, more*n)
	r := clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1", "v2")
	wantKept(t, r, n)
	wantExecutions(t, c)
}

// shop is a host with the zdapp server.
func shop(t *testing.T, sockets string) (*host, *offer) {
	t.Helper()
	g := newGround(t, nil)
	o := g.offers("shop", freeAddress(t))
	return g.configured(configuration{address: o.address, sockets: sockets, command: o.release("v1")}.String()), o
}

// idlers begins load and returns when every client has had an answer and waits.
func (g *ground) idlers(o load.Options) *traffic {
	g.t.Helper()
	tr := drive(g.t, o)
	tr.more(g, o.Clients)
	return tr
}

// wantKept fails unless every client went through the run with the connection that it had opened first.
func wantKept(t *testing.T, r load.Result, clients int) {
	t.Helper()
	if r.Opened != clients || r.ClosedByServer != 0 {
		t.Errorf("%d clients opened %d connections, %d were closed by the server (%d announced)", clients, r.Opened, r.ClosedByServer, r.Announced)
	}
}
