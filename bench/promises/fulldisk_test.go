package promises

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/control"
)

// TestRecovery_FullDisk: a disk that was full for a moment in the middle of a rollout costs no event of it: the next
// host reads how it went and goes on.
func TestRecovery_FullDisk(t *testing.T) {
	g := newGround(t, nil)
	g.smallDisk()
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	clients := g.flow(newConnections(o.address))
	ended := make(chan said, 1)
	go func() {
		ended <- h.cli("upgrade", append([]string{web, "--set", "bake=60s", "--"}, o.release("v2")...)...)
	}()
	g.await("v2 is watched", patience, func() bool { r := h.service(web).Rollout; return r != nil && r.State == "baking" })
	free := g.fillDisk()
	for range 20 { // the page that the journal ends in may have room for some
		h.told("pause")
		h.told("resume")
	}
	h.told("pause")
	free()
	h.told("resume")
	h.told("promote")
	if s := <-ended; s.code != 5 { // it was held, and the command left
		t.Fatal(s)
	}
	h.serves(1)
	before := h.service(web)
	h.killHost()
	clients.more(g, 50)
	now := h.service(web)
	if now.Generation != before.Generation || now.Last == nil || now.Last.Ended != control.EndedCommitted {
		t.Errorf("it was %+v, and is %+v", before, now)
	}
	wantNoneFailed(t, clients.end())
}

// told is a verb of rollout that must be taken.
func (h *host) told(verb string) {
	h.t.Helper()
	if s := h.cli("rollout", verb, web); s.code != 0 {
		h.t.Fatal(s)
	}
}

// smallDisk makes the state directory a file system of its own.
func (g *ground) smallDisk() {
	g.t.Helper()
	err := os.Mkdir(g.state(), 0o700)
	if err == nil {
		err = unix.Mount("tmpfs", g.state(), "tmpfs", 0, "size=16m,mode=700")
	}
	if errors.Is(err, unix.EPERM) {
		g.t.Skip("only root can mount a file system")
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = unix.Unmount(g.state(), unix.MNT_DETACH) })
}

// fillDisk takes all room in the state directory until free is called.
func (g *ground) fillDisk() (free func()) {
	g.t.Helper()
	f, err := os.Create(g.path("s/ballast"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		g.t.Fatal(err)
	}
	return func() { _ = os.Remove(f.Name()) }
}
