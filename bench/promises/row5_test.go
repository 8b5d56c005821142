package promises

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/zdhost/zdhost/host/control"
)

// badCandidate is one that must not take over.
type badCandidate struct {
	name    string
	command func(g *ground, address string) []string
	service string   // more lines of the service's block
	says    []string // what the command prints; ADDRESS, PORT and OTHER are replaced by those of the listener
}

// badly is the bad server in one of its modes.
func badly(mode string) func(*ground, string) []string {
	return func(_ *ground, address string) []string {
		return []string{built.bad, "-address", address, "-release", "bad", "-mode", mode}
	}
}

// TestRow5_BeforeTheShift: a candidate that never gets ready costs no request; the command ends with 4, the reason
// and the candidate's last words; the old generation serves on.
func TestRow5_BeforeTheShift(t *testing.T) {
	short := "ready {\n    timeout = \"1500ms\"\n  }"
	asking := "ready {\n    timeout = \"1500ms\"\n    http = \"/\"\n  }"
	for _, c := range []badCandidate{
		{"exits", badly("exit"), short, []string{"exit code 3", `configuration key "shard" is missing`}},
		{"never listens", badly("never-listen"), short, []string{"ADDRESS", "not ready after 1.5"}},
		{"listens on another port", badly("other-port"), short, []string{"ADDRESS", "127.0.0.1:OTHER", "listening"}},
		{"listens in the wrong family", badly("wrong-family"), short, []string{"ADDRESS", "[::1]:PORT"}},
		{"answers with an error", badly("status=500"), asking, []string{"500"}},
		{"never answers", badly("hang"), asking, []string{"GET /"}},
		{"is not executable", func(g *ground, _ string) []string {
			return []string{g.write("plain", "#!/bin/sh\nexit 0\n")}
		}, short, []string{"not executable"}},
		{"is no program", func(g *ground, _ string) []string {
			path := g.write("garbage", "\x7fELF but not really")
			if err := os.Chmod(path, 0o755); err != nil {
				g.t.Fatal(err)
			}
			return []string{path}
		}, short, []string{"exec format error"}},
	} {
		t.Run(c.name, func(t *testing.T) { beforeTheShift(t, c) })
	}
}

func beforeTheShift(t *testing.T, c badCandidate) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1"), service: c.service}.String())
	before := h.service(web)
	clients := h.flow(newConnections(o.address))
	s := h.cli("upgrade", append([]string{web, "--"}, c.command(g, o.address)...)...)
	clients.more(g, 50)
	r := clients.end()
	t.Log(strings.TrimSpace(s.errout))
	if s.code != 4 {
		t.Errorf("exit code %d, want 4", s.code)
	}
	c.wantSaid(t, s, o.address)
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1")
	h.wantServes(before)
}

// wantSaid looks for every word of the reason.
func (c badCandidate) wantSaid(t *testing.T, s said, address string) {
	t.Helper()
	for _, want := range c.says {
		want = strings.NewReplacer("ADDRESS", address, "PORT", portOf(t, address)).Replace(want)
		before, _, other := strings.Cut(want, "OTHER")
		if !strings.Contains(s.errout, before) {
			t.Errorf("it doesn't say %q: %v", before, s)
		}
		if other && !slices.ContainsFunc(strings.Fields(s.errout), func(word string) bool {
			word = strings.Trim(word, ",;:()")
			_, port, err := net.SplitHostPort(word)
			return err == nil && strings.HasPrefix(word, before) && port != portOf(t, address)
		}) {
			t.Errorf("it doesn't name the other port: %v", s)
		}
	}
}

// wantServes fails unless the same process as before serves alone.
func (h *host) wantServes(before control.Service) {
	h.t.Helper()
	h.await("only the old generation is left", patience, func() bool {
		now := h.service(web)
		return now.Generation == before.Generation && len(now.Instances) == len(before.Instances) && now.State == control.ServiceRunning
	})
	now := h.service(web)
	for i := range before.Instances {
		if now.Instances[i].PID != before.Instances[i].PID {
			h.t.Errorf("the old generation was restarted: %v, now %v", before.Instances[i], now.Instances[i])
		}
	}
	if refused := now.LastRefused != nil; !refused && (now.Last == nil || now.Last.Ended != control.EndedRolledBack) {
		h.t.Errorf("the last rollout is %+v, want it rolled back, or refused", now.Last)
	}
	for _, l := range h.status().Listeners {
		if l.Name != "front" {
			continue // the candidate's own, which leaves with it
		}
		for _, lane := range l.Lanes {
			if want := map[bool]float64{true: 100}[lane.Generation == before.Generation]; lane.Weight != want {
				h.t.Errorf("generation %d has weight %v", lane.Generation, lane.Weight)
			}
		}
	}
}

// TestRow5_WrongFamily: a program that serves IPv4 only can't follow one on an IPv6 address; it says so with both
// addresses, though it ends by itself.
func TestRow5_WrongFamily(t *testing.T) {
	g := newGround(t, nil)
	port := portOf(t, freeAddress(t))
	six := "[::1]:" + port
	o, four := g.offers("naive", six), g.offers("naive", "127.0.0.1:"+port)
	h := g.configured(configuration{address: "[::]:" + port, command: g.offers("naive", "[::]:"+port).release("v1"), service: "ready {\n    timeout = \"2s\"\n  }"}.String())
	before := h.service(web)
	clients := g.flow(newConnections(o.address))
	s := h.cli("upgrade", append([]string{web, "--"}, four.release("four")...)...)
	if s.code != 4 || !strings.Contains(s.errout, "[::]:"+port) || !strings.Contains(s.errout, "127.0.0.1:"+port) {
		t.Errorf("want exit code 4 and both addresses: %v", s)
	}
	clients.more(g, 20)
	wantNoneFailed(t, clients.end())
	h.wantServes(before)
}

// TestRow5_AnotherFixedPort: a candidate that binds another address is refused with both, its address goes with it, and
// the next good candidate is not held up.
func TestRow5_AnotherFixedPort(t *testing.T) {
	for _, way := range []string{"configured", "without configuration"} {
		t.Run(way, func(t *testing.T) {
			g := newGround(t, nil)
			o, other := g.offers("naive", freeAddress(t)), g.offers("naive", freeAddress(t))
			var h *host
			if way == "configured" {
				h = g.configured(configuration{address: o.address, command: o.release("v1"), service: "ready {\n    timeout = \"2s\"\n  }"}.String())
			} else {
				h = g.up(append([]string{"--name", web, "--"}, o.release("v1")...)...)
			}
			clients := g.flow(newConnections(o.address))
			var s said
			if way == "configured" {
				s = h.cli("upgrade", append([]string{web, "--"}, other.release("other")...)...)
				if s.code != 4 || !strings.Contains(s.errout, o.address) || !strings.Contains(s.errout, other.address) {
					t.Errorf("want exit code 4 and both addresses: %v", s)
				}
			} else { // its timeout is the default, which is long: an operator has seen enough
				done := make(chan said, 1)
				go func() { done <- h.cli("upgrade", append([]string{web, "--"}, other.release("other")...)...) }()
				g.await("the other address is bound", patience, func() bool { return g.listens(other.address) })
				if abort := h.cli("rollout", "abort", web); abort.code != 0 {
					t.Errorf("cannot abort: %v", abort)
				}
				if s = <-done; s.code != 4 {
					t.Errorf("want exit code 4: %v", s)
				}
			}
			h.mustUpgrade(web, o.release("v2"), noBake())
			clients.more(g, 50)
			r := clients.end()
			wantNoneFailed(t, r)
			wantAnsweredBy(t, r, "v1", "v2")
			g.await("nobody listens on the other address", patience, func() bool { return !g.listens(other.address) })
		})
	}
}

// TestRow5_AfterTheShift: a candidate that dies while it is watched takes what it had accepted, and no more; the
// weight goes back to the old generation.
func TestRow5_AfterTheShift(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	before := h.service(web)
	clients := h.flow(newConnections(o.address))
	s := h.cli("upgrade", append([]string{web, "--set", "bake=20s", "--"}, badly("die-after=1s")(g, o.address)...)...)
	clients.more(g, 50)
	r := clients.end()
	t.Log(strings.TrimSpace(s.errout))
	if s.code != 4 {
		t.Errorf("exit code %d, want 4", s.code)
	}
	for _, want := range []string{"exit code 4", "giving up"} {
		if !strings.Contains(s.errout, want) {
			t.Errorf("it doesn't say %q: %v", want, s)
		}
	}
	wantOnly(t, r, sized().clients)
	wantAnsweredBy(t, r, "v1", "bad")
	h.wantServes(before)
	fresh := run(t, newConnectionsOnce(o.address))
	wantNoneFailed(t, fresh)
	wantAnsweredBy(t, fresh, "v1")
}
