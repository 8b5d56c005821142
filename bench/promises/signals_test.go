package promises

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// TestSignals_Term: SIGTERM ends everything in order: what is in flight is answered, the exit code is 0.
func TestSignals_Term(t *testing.T) {
	for _, server := range []string{"naive", "shop"} {
		t.Run(server, func(t *testing.T) {
			g := newGround(t, nil)
			o := g.offers(server, freeAddress(t))
			h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
			slow := drive(t, load.Options{Address: o.address, Mode: load.NewConn, Path: "/slow?d=2s", Clients: 4, Exchanges: 4})
			g.await("requests are in flight", patience, func() bool { return g.connections(o.address) >= 4 })
			if code := h.stop(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			wantNoneFailed(t, slow.wait())
		})
	}
}

// TestSignals_TermDuringHandover: a connection that is busy on an old generation when everything ends is told there. The
// generation that would have taken it is ending, too.
func TestSignals_TermDuringHandover(t *testing.T) {
	for name, set := range map[string]settings{"warm": noBake(), "draining": atOnce()} {
		t.Run(name, func(t *testing.T) {
			h, o := shop(t, "inherit")
			c, err := net.Dial("tcp", o.address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			in := bufio.NewReader(c)
			ask := func(path string) {
				t.Helper()
				if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
			}
			ask("/slow?d=2s")
			h.await("the request is in flight", patience, func() bool { return h.acceptedBy(h.service(web).Instances[0].PID, o.address) == 1 })
			h.mustUpgrade(web, o.release("v2"), set)
			if name == "draining" {
				h.await("v1 drains", patience, func() bool { return h.draining() == 1 })
			}
			h.signal(syscall.SIGTERM)
			if got := answeredBy(t, in); got != "v1" {
				t.Errorf("the slow request was answered by %s", got)
			}
			ask("/")
			r, err := http.ReadResponse(in, nil)
			if err != nil || !r.Close {
				t.Errorf("the next request: response %v, error %v; want one that is the connection's last", r, err)
			}
			if code := h.wait(goDown); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestSignals_Usr2: SIGUSR2 takes what release directories have become, and leaves alone what has not changed.
func TestSignals_Usr2(t *testing.T) {
	g := newGround(t, nil)
	address := freeAddress(t)
	place := g.releaseDirectory("release", "v1", address)
	h := g.configured(configuration{address: address, command: []string{"./server"}, release: place}.String())
	before := h.service(web)
	clients := g.flow(newConnections(address))

	h.signal(syscall.SIGUSR2) // nothing has changed
	clients.more(g, 200)
	if now := h.service(web); now.Generation != before.Generation || now.State != control.ServiceRunning {
		t.Errorf("an unchanged release was upgraded: %+v", now)
	}
	g.releaseDirectory("release", "v2", address)
	h.signal(syscall.SIGUSR2)
	h.serves(before.Generation)
	clients.more(g, 50)
	r := clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1", "v2")
}

// TestSignals_Hup: SIGHUP takes a changed configuration as a rollout, adds and removes services, and refuses a broken
// file without touching what runs.
func TestSignals_Hup(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	text := configuration{address: o.address, command: o.release("v1"), service: "strategy \"bluegreen\" {\n    bake = \"0s\"\n  }"}
	h := g.configured(text.String())
	before := h.service(web)
	clients := g.flow(newConnections(o.address))

	g.write("zdhost.hcl", "service \"web\" {\n  commnd = []\n}\n")
	h.signal(syscall.SIGHUP)
	g.await("the broken file is refused", patience, func() bool { return h.status().Host.LastRefused != nil })
	if refused := h.status().Host.LastRefused; !strings.Contains(refused.Reason, "zdhost.hcl:2") || !strings.Contains(refused.Reason, "commnd") {
		t.Errorf("the reason is %q", refused.Reason)
	}
	if now := h.service(web); now.Generation != before.Generation || now.State != control.ServiceRunning {
		t.Errorf("a broken configuration changed something: %+v", now)
	}

	text.command = o.release("v2")
	other := g.offers("shop", freeAddress(t))
	g.write("zdhost.hcl", text.String()+fmt.Sprintf("\nservice \"second\" {\n  command = [%s]\n}\n", quoted(other.release("s1"))))
	h.signal(syscall.SIGHUP)
	h.serves(before.Generation)
	g.await("the new service answers", patience, func() bool { return g.listens(other.address) })
	r := run(t, newConnectionsOnce(other.address))
	wantNoneFailed(t, r)
	if refused := h.status().Host.LastRefused; refused != nil {
		t.Errorf("it is still refused: %+v", refused)
	}

	g.write("zdhost.hcl", text.String())
	h.signal(syscall.SIGHUP)
	g.await("the service that is gone leaves", patience, func() bool { return len(h.status().Services) == 1 && !g.listens(other.address) })
	clients.more(g, 50)
	r = clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1", "v2")
}

// signal sends one to zdhost.
func (h *host) signal(s syscall.Signal) {
	h.t.Helper()
	if err := h.cmd.Process.Signal(s); err != nil {
		h.t.Fatal(err)
	}
}

// serves waits until a newer generation serves.
func (h *host) serves(than uint64) {
	h.t.Helper()
	h.await(fmt.Sprintf("a generation after %d serves", than), patience, func() bool {
		s := h.service(web)
		return s.Generation > than && s.State == control.ServiceRunning
	})
}

// listens says whether somebody listens on a port of 127.0.0.1.
func (g *ground) listens(address string) bool {
	g.t.Helper()
	const listen = "0A"
	for _, c := range g.listed(address) {
		if c.state == listen {
			return true
		}
	}
	return false
}

// releaseDirectory makes, or changes, a release: a directory with a program that answers with the release's name.
func (g *ground) releaseDirectory(dir, name, address string) string {
	g.t.Helper()
	if err := os.MkdirAll(g.path(dir), 0o755); err != nil {
		g.t.Fatal(err)
	}
	path := g.write(dir+"/server", fmt.Sprintf("#!/bin/sh\nRELEASE=%s exec %s -address %s\n", name, built.naive, address))
	if err := os.Chmod(path, 0o755); err != nil {
		g.t.Fatal(err)
	}
	// Directories are compared by their files' times too, which have the kernel's clock tick.
	stamp := time.Now()
	if err := os.Chtimes(path, stamp, stamp); err != nil {
		g.t.Fatal(err)
	}
	return g.path(dir)
}
