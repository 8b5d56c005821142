package host

import (
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/journal"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/host/listener"
	"github.com/zdhost/zdhost/internal/seqpacket"
)

// quietHost is a host that runs nothing, with a journal.
func quietHost(t *testing.T) (*Host, notes) {
	t.Helper()
	n := newNotes(t)
	ours, theirs, err := seqpacket.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(theirs) })
	k, err := keeper.NewClient(ours) // whose keeper never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	h := New(Options{Config: &config.Config{}, Log: slog.New(slog.DiscardHandler)}, k)
	n.keeper = theirs
	h.ctx, h.journal, h.memory = t.Context(), n.log, newMemory()
	h.backlog.append = func(r journal.Record) error { _, err := n.log.Append(r); return err }
	return h, n
}

// bound is a socket on 127.0.0.1, on a port that the kernel chooses where it is 0.
func bound(t *testing.T, port uint16) (fd int, at netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(port)})
	}
	if err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*unix.SockaddrInet4).Port))
}

// lanesOf gives a port so many lanes, named lane/0, lane/1, … .
func lanesOf(t *testing.T, h *Host, count int) *port {
	t.Helper()
	fd, at := bound(t, 0)
	p := &port{name: "front", address: keeper.Address{Network: "tcp", Host: at.Addr().String(), Port: at.Port()}}
	h.addPort(p)
	for i := range count {
		if i > 0 {
			fd, _ = bound(t, at.Port())
		}
		if _, err := p.add("lane/"+string(rune('0'+i)), "", fd); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = p.listener.Close() })
	return p
}

// indices are those of the lanes in their order.
func indices(p *port) []int {
	var all []int
	for _, l := range p.lanes {
		all = append(all, l.Index())
	}
	return all
}

func TestPort_TheJournalFollowsTheIndices(t *testing.T) {
	h, n := quietHost(t)
	p := lanesOf(t, h, 3)
	if err := unix.Shutdown(p.lanes[0].FD(), unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if _, err := p.listener.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.noteIndices()
	want := indices(p)
	if slices.Equal(want, []int{0, 1, 2}) {
		t.Fatal("the repair moved nothing: the test shows nothing")
	}
	m := n.memory()
	for i, l := range p.lanes {
		if got := m.index(l.name); got != want[i] {
			t.Errorf("the next host takes %s for index %d, it has %d", l.name, got, want[i])
		}
	}
	before := n.log.Last()
	p.noteIndices()
	if n.log.Last() != before {
		t.Error("nothing changed, and it was written again")
	}
}

func TestPort_PoolsTheLaneWhereClientsWait(t *testing.T) {
	h, _ := quietHost(t)
	p := lanesOf(t, h, 3)
	if got := p.pooled(); got != p.lanes[0] {
		t.Errorf("it gives %s", got.name)
	}
	if err := p.listener.SetWeights(listener.Share{Lane: p.lanes[1].Lane, Weight: 10000}); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", p.address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := p.pooled(); got != p.lanes[1] {
		t.Errorf("it gives %s, and a client waits in %s", got.name, p.lanes[1].name)
	}
	fds := []int{p.lanes[0].FD(), p.lanes[1].FD(), p.lanes[2].FD()}
	if got := heir(fds); got != 1 {
		t.Errorf("the heir is %d", got)
	}
	if err := unix.Shutdown(p.lanes[1].FD(), unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if got := p.pooled(); got != p.lanes[0] {
		t.Errorf("it gives %s, which was shut down", got.name)
	}
}

func TestPort_LetsAUnixLaneGoThatWasShutDown(t *testing.T) {
	h, _ := quietHost(t)
	p := &port{name: "front", address: keeper.Address{Network: "unix", Path: "/nowhere"}}
	h.addPort(p)
	for _, name := range []string{"lane/0", "lane/1"} {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(t.TempDir(), "s")})
		}
		if err == nil {
			_, err = p.add(name, "/private", fd)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Shutdown(p.lanes[0].FD(), unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	healthy := p.lanes[1]
	if got := p.pooled(); got != healthy {
		t.Errorf("it gives %v", got)
	}
	if !slices.Equal(p.lanes, []*lane{healthy}) {
		t.Errorf("%d lanes are left", len(p.lanes))
	}
}

func TestMemory_TrustsNoIndexWhereTwoAreTheSame(t *testing.T) {
	m := newMemory()
	ds := []keeper.Descriptor{{Name: "lane/0"}, {Name: "lane/1"}}
	m.lanes["lane/0"], m.lanes["lane/1"] = laneRecord{Index: 1}, laneRecord{Index: 0}
	if got := m.indices(ds); !slices.Equal(got, []int{1, 0}) {
		t.Errorf("indices %v", got)
	}
	m.lanes["lane/1"] = laneRecord{Index: 1}
	if got := m.indices(ds); !slices.Equal(got, []int{listener.UnknownIndex, listener.UnknownIndex}) {
		t.Errorf("indices %v", got)
	}
}
