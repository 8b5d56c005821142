package promises

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// The tests of this file are negative controls: the same load, without zdhost, has to lose. If one of them fails, the
// rows that it stands for prove nothing.

// TestControl_Row1: a server that is stopped and started again loses new connections.
func TestControl_Row1(t *testing.T) {
	g, s := bare(t, "naive")
	clients := g.flow(newConnections(s.offer.address))
	s.restart(syscall.SIGTERM)
	clients.more(g, 50)
	wantLoss(t, clients.end())
}

// TestControl_Row2: it breaks kept connections, too.
func TestControl_Row2(t *testing.T) {
	g, s := bare(t, "shop")
	clients := g.flow(load.Options{Address: s.offer.address, Mode: load.Kept, Clients: sized().kept, Think: 2 * time.Millisecond})
	s.restart(syscall.SIGTERM)
	clients.more(g, 50)
	r := clients.end()
	wantLoss(t, r)
	if r.Opened <= sized().kept {
		t.Errorf("%d clients kept their %d connections through a restart", sized().kept, r.Opened)
	}
}

// TestControl_Row4: a server that is killed loses more than what it had accepted: those who come are refused.
func TestControl_Row4(t *testing.T) {
	g, s := bare(t, "naive")
	clients := g.flow(newConnections(s.offer.address))
	s.restart(syscall.SIGKILL)
	clients.more(g, 50)
	r := clients.end()
	wantLoss(t, r)
	if r.ByKind[load.KindConnect] == 0 {
		t.Error("nobody was refused")
	}
}

// wantLoss fails unless the generator has seen some.
func wantLoss(t *testing.T, r load.Result) {
	t.Helper()
	t.Log(r)
	if r.Failed == 0 {
		t.Error("the generator saw no loss: it is blind")
	}
}

// bareServer is one without zdhost.
type bareServer struct {
	offer *offer
	cmd   *exec.Cmd
}

func bare(t *testing.T, server string) (*ground, *bareServer) {
	t.Helper()
	g := newGround(t, nil)
	s := &bareServer{offer: g.offers(server, freeAddress(t))}
	s.start()
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	return g, s
}

func (s *bareServer) start() {
	g := s.offer.g
	g.t.Helper()
	argv := s.offer.release("v1")
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Dir = g.dir
	if err := s.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.await("the bare server listens", comeUp, func() bool { return g.listens(s.offer.address) })
}

// end sends a signal and waits for the process.
func (s *bareServer) end(signal syscall.Signal) {
	_ = s.cmd.Process.Signal(signal)
	_ = s.cmd.Wait()
}

// restart is how a server is replaced without zdhost.
func (s *bareServer) restart(signal syscall.Signal) {
	s.end(signal)
	s.start()
}
