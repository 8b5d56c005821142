package promises

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// TestKinds_UnixSocket: upgrades behind a unix socket lose nothing, and the path is there from the first to the last
// moment and not after it.
func TestKinds_UnixSocket(t *testing.T) {
	for _, way := range []struct{ server, sockets string }{{"naive", "adopt"}, {"shop", "adopt"}, {"shop", "inherit"}} {
		t.Run(way.server+" "+way.sockets, func(t *testing.T) {
			g := newGround(t, nil)
			path := g.path("web.sock")
			o := g.offers(way.server, "unix:"+path)
			h := g.configured(configuration{address: o.address, sockets: way.sockets, command: o.release("v1")}.String())
			clients := g.flow(load.Options{Network: "unix", Address: path, Mode: load.NewConn, Clients: sized().clients, Think: 2 * time.Millisecond, Timeout: 20 * time.Second})
			h.upgrades(web, sized().rolls, o.release)
			clients.more(g, 50)
			r := clients.end()
			wantNoneFailed(t, r)
			wantAnsweredBy(t, r, "v1", "v2")
			if code := h.stop(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// activated is a server of socket activation as systemd documents it; it says when it is ready.
const activated = `import os, socket, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

assert int(os.environ["LISTEN_PID"]) == os.getpid(), "LISTEN_PID"
assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_FDNAMES"] == "front", "LISTEN_FDS"

class Handler(BaseHTTPRequestHandler):
    wbufsize = -1
    def do_GET(self):
        body = sys.argv[1].encode() + b"\n"
        self.send_response(200)
        self.send_header("X-Release", sys.argv[1])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = os.environ["NOTIFY_SOCKET"]
notify.sendto(b"READY=1\nSTATUS=serving " + sys.argv[1].encode(), "\0" + name[1:] if name[0] == "@" else name)
server.serve_forever()
`

// TestKinds_Activated: a program that takes its socket as systemd gives it is upgraded without loss.
func TestKinds_Activated(t *testing.T) {
	g := newGround(t, nil)
	python := g.offers("python", freeAddress(t)) // or skips
	script := g.write("activated.py", activated)
	release := func(name string) []string { return []string{pythonOf(t), script, name} }
	h := g.configured(configuration{
		address: python.address, sockets: "inherit", command: release("v1"), service: "ready {\n    notify = true\n  }",
	}.String())
	clients := g.flow(newConnections(python.address))
	h.upgrades(web, sized().rolls, release)
	clients.more(g, 50)
	r := clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1", "v2")
	if text := h.service(web).Instances[0].Text; !strings.HasPrefix(text, "serving v") {
		t.Errorf("it said %q of itself", text)
	}
}

// pythonOf is a python3 that is the program itself and no wrapper.
func pythonOf(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/python3", "/usr/local/bin/python3"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Skip("there is no python3 in /usr/bin")
	return ""
}

// TestKinds_RollbackToGone: a release whose processes have left, and whose directory is gone, comes back from the store.
func TestKinds_RollbackToGone(t *testing.T) {
	g := newGround(t, nil)
	address := freeAddress(t)
	first, second := g.releaseDirectory("r1", "v1", address), g.releaseDirectory("r2", "v2", address)
	h := g.configured(configuration{address: address, command: []string{"./server"}, release: first}.String())
	before := h.service(web)
	clients := g.flow(newConnections(address))
	if s := h.cli("upgrade", web, second, "--set", "bake=0s", "--set", "warm=0s"); s.code != 0 {
		t.Fatalf("cannot upgrade: %v", s)
	}
	g.await("the old generation has left", patience, func() bool { return len(h.service(web).Instances) == 1 })
	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	if s := h.cli("rollback", web, "--reason", "wrong prices"); s.code != 0 {
		t.Fatalf("cannot roll back: %v", s)
	}
	now := h.service(web)
	if now.Release != before.Release || now.Generation == before.Generation {
		t.Errorf("generation %d of %s serves, want a new one of %s", now.Generation, now.Release, before.Release)
	}
	if s := h.cli("rollback", web, "--to", strings.TrimPrefix(h.history()[1].To, "sha256:")[:8]); s.code != 0 {
		t.Errorf("cannot roll back by a part of the digest: %v", s)
	}
	clients.more(g, 50)
	r := clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1", "v2")
	if s := h.cli("history", web); !strings.Contains(s.out, "wrong prices") {
		t.Errorf("the history doesn't say why: %v", s)
	}
}

// history is what the host remembers of the service, newest first.
func (h *host) history() []control.HistoryEntry {
	h.t.Helper()
	entries, err := h.client.History(h.t.Context(), control.HistoryQuery{Service: web})
	if err != nil {
		h.t.Fatal(err)
	}
	return entries
}

// TestKinds_TwoHosts: two hosts on one machine have nothing to do with each other, though their services, generations
// and instances have the same names.
func TestKinds_TwoHosts(t *testing.T) {
	var hosts [2]*host
	var offers [2]*offer
	for i := range hosts {
		g := newGround(t, nil)
		offers[i] = g.offers("naive", freeAddress(t))
		hosts[i] = g.configured(configuration{address: offers[i].address, command: offers[i].release("v1")}.String())
	}
	other := hosts[1].service(web)
	clients := hosts[1].flow(newConnections(offers[1].address))
	hosts[0].upgrades(web, 3, offers[0].release)
	if code := hosts[0].stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	clients.more(hosts[1].ground, 50)
	wantNoneFailed(t, clients.end())
	if now := hosts[1].service(web); now.Restarts != 0 || now.Instances[0].PID != other.Instances[0].PID {
		t.Errorf("the other host's instance was touched: %+v, was %+v", now.Instances, other.Instances)
	}
}

// TestKinds_WithoutConfiguration: `run -- PROGRAM` names the service after the program and holds the address that it
// binds; `upgrade -- PROGRAM` takes the place of it.
func TestKinds_WithoutConfiguration(t *testing.T) {
	g := newGround(t, nil)
	address := freeAddress(t)
	h := g.up("--", built.naive, "-address", address, "-release", "v1")
	name := filepath.Base(built.naive)
	clients := g.flow(newConnections(address))
	if s := h.cli("upgrade", name, "--set", "bake=0s", "--", built.naive, "-address", address, "-release", "v2"); s.code != 0 {
		t.Fatalf("cannot upgrade: %v", s)
	}
	clients.more(g, 50)
	if s := h.cli("rollback", name); s.code != 0 {
		t.Fatalf("cannot roll back: %v", s)
	}
	clients.more(g, 50)
	r := clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1", "v2")
	l := h.status().Listeners
	if len(l) != 1 || l[0].Address != address || !l[0].Adopted {
		t.Errorf("the listeners are %+v", l)
	}
}
