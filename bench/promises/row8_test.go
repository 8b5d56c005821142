package promises

import (
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// faces are the addresses of a listener, and how clients reach it.
var faces = []struct {
	name    string
	listen  func(port string) string
	clients []string // hosts
}{
	{"127.0.0.1", func(port string) string { return "127.0.0.1:" + port }, []string{"127.0.0.1"}},
	{"both families", func(port string) string { return ":" + port }, []string{"127.0.0.1", "::1"}},
	{"[::]", func(port string) string { return "[::]:" + port }, []string{"::1"}},
}

// TestRow8_HalfTheWeight: an upgrade that is held at half of the weight gives the candidate half of the connections.
func TestRow8_HalfTheWeight(t *testing.T) {
	for _, face := range faces {
		t.Run(face.name, func(t *testing.T) {
			g := newGround(t, nil)
			port := portOf(t, freeAddress(t))
			o := g.offers("naive", face.listen(port))
			h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
			s := h.cli("upgrade", append([]string{web, "--set", "weight=50", "--"}, o.release("v2")...)...)
			if s.code != 5 {
				t.Fatalf("want exit code 5: %v", s)
			}
			if state := h.service(web).State; state != control.ServiceHeld {
				t.Errorf("the service is %s, want held", state)
			}
			for _, client := range face.clients {
				r := run(t, load.Options{Address: net.JoinHostPort(client, port), Mode: load.Connect, Clients: 8, Exchanges: sized().connect})
				wantNoneFailed(t, r)
				share := 100 * float64(r.ByRelease["v2"]) / float64(r.OK)
				t.Logf("%s: %.2f %% of %d", client, share, r.OK)
				if math.Abs(share-50) > 2 { // four standard deviations of 10,000 draws
					t.Errorf("the candidate got %.2f %%, want 50 ± 2", share)
				}
			}
			if s := h.cli("rollout", "promote", web); s.code != 0 {
				t.Errorf("cannot promote: %v", s)
			}
			h.await("it is committed", patience, func() bool { return h.service(web).State == control.ServiceRunning })
			r := run(t, newConnectionsOnce(net.JoinHostPort(face.clients[0], port)))
			wantNoneFailed(t, r)
			wantAnsweredBy(t, r, "v2")
		})
	}
}

// TestRow8_ProbesReachTheCandidate: while a candidate isn't ready, the host's questions reach it and nobody else, and
// the clients' connections reach everybody else.
func TestRow8_ProbesReachTheCandidate(t *testing.T) {
	for _, face := range faces {
		t.Run(face.name, func(t *testing.T) {
			g := newGround(t, nil)
			port := portOf(t, freeAddress(t))
			diary, door := g.path("diary"), g.path("door")
			release := func(name, door string) []string {
				return []string{"/usr/bin/env", roleVariable + "=diarist", "ADDRESS=" + face.listen(port), "RELEASE=" + name,
					"DIARY=" + diary, "DOOR=" + door, self(t)}
			}
			h := g.configured(configuration{
				address: face.listen(port), command: release("v1", g.dir),
				service: "ready {\n    http = \"/ready\"\n    interval = \"20ms\"\n  }",
			}.String())
			asked := count(t, diary, "v1 /ready")
			done := make(chan control.Outcome, 1)
			go func() { done <- h.upgrade(web, release("v2", door), noBake()) }()
			g.await("the candidate has been asked often", patience, func() bool { return count(t, diary, "v2 /ready") >= 20 })
			for _, client := range face.clients {
				r := run(t, load.Options{Address: net.JoinHostPort(client, port), Mode: load.Connect, Clients: 8, Exchanges: 2000})
				wantNoneFailed(t, r)
				wantAnsweredBy(t, r, "v1")
			}
			if n := count(t, diary, "v2 /\n"); n != 0 {
				t.Errorf("%d connections of clients reached the candidate", n)
			}
			if n := count(t, diary, "v1 /ready") - asked; n != 0 {
				t.Errorf("%d of the candidate's probes reached the old generation", n)
			}
			g.write("door", "")
			select {
			case o := <-done:
				wantEnded(t, o, control.EndedCommitted)
			case <-time.After(patience):
				t.Fatal("the upgrade does not end")
			}
			r := run(t, newConnectionsOnce(net.JoinHostPort(face.clients[0], port)))
			wantNoneFailed(t, r)
			wantAnsweredBy(t, r, "v2")
		})
	}
}

// self is this test's own binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// count is how often a text is in a file.
func count(t *testing.T, path, text string) int {
	t.Helper()
	all, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(all), text)
}
