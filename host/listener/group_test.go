package listener

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

// TestIndicesAreStable names each lane alone, twice, and with duplicates of other lanes closed in between.
func TestIndicesAreStable(t *testing.T) {
	const count = 4
	l, lanes := bindings[0].lanes(t, count, Options{})
	for round := range 2 {
		for i, lane := range lanes {
			if lane.Index() != i {
				t.Fatalf("lane %d has index %d", i, lane.Index())
			}
			setWeights(t, l, Share{lane, traffic.Whole})
			if got := spread(t, l, []string{"127.0.0.1"}, 100); got[lane] != 100 {
				t.Fatalf("round %d: lane %d got %d of 100", round, i, got[lane])
			}
			duplicate, err := unix.Dup(lanes[(i+1)%count].FD())
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(duplicate)
		}
	}
}

// TestSecondLaneIsSteeredFromItsFirstMoment keeps clients arriving while lanes are added: none may reach a new one.
func TestSecondLaneIsSteeredFromItsFirstMoment(t *testing.T) {
	b := bindings[0]
	l, lanes := b.lanes(t, 1, Options{})
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				failed <- nil
				return
			default:
			}
			c, err := net.Dial("tcp", l.Address().IP.String())
			if err != nil {
				failed <- err
				return
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}()
	arrived := 0
	for range 20 {
		addLane(t, l, b.open(t, l.Address().IP.Port(), false))
		for before := arrived; arrived < before+20; {
			arrived += acceptAll(t, lanes[0])
		}
	}
	close(stop)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	for _, lane := range l.Lanes()[1:] {
		if n := acceptAll(t, lane); n > 0 {
			t.Errorf("lane %d got %d connections without a weight", lane.Index(), n)
		}
	}
}

func TestAddLaneTakesOneThatListens(t *testing.T) {
	b := bindings[0]
	l, lanes := b.lanes(t, 1, Options{Backlog: 100})
	fd := b.open(t, l.Address().IP.Port(), false)
	if err := unix.Listen(fd, 7); err != nil {
		t.Fatal(err)
	}
	second := addLane(t, l, fd)
	if _, limit, err := second.Queue(); err != nil || limit != 7 {
		t.Errorf("its backlog became %d, error %v", limit, err)
	}
	if _, limit, err := lanes[0].Queue(); err != nil || limit != 100 {
		t.Errorf("the first lane's backlog is %d, error %v", limit, err)
	}
}

func TestAddLaneRefuses(t *testing.T) {
	b, dual := bindings[0], bindings[4]
	l, lanes := b.lanes(t, 1, Options{})
	other := b.open(t, 0, true)
	multipath, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		t.Logf("this kernel has no MPTCP: %v", err)
		multipath = openUnix(t, socketPath(t))
	}
	datagram, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := unix.Dup(lanes[0].FD())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fd   int
		want string
	}{
		"another port":  {other, "bound to"},
		"MPTCP":         {multipath, ""},
		"a datagram":    {datagram, "none of tcp"},
		"the same lane": {again, "already"},
	} {
		if _, err := l.AddLane(c.fd); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gives %v, want %q", name, err, c.want)
		}
		if err := unix.Close(c.fd); err != nil {
			t.Errorf("%s: the refused descriptor was closed: %v", name, err)
		}
	}
	if _, err := l.AddLane(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("no descriptor gives %v", err)
	}

	bare, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(bare)
	if err := errors.Join(socket(bare).bind(netip.MustParseAddrPort("127.0.0.1:0")), unix.Listen(bare, 1)); err != nil {
		t.Fatal(err)
	}
	local, _ := socket(bare).local()
	ungrouped := New("web", Address{Network: TCP, IP: local}, Options{})
	if _, err := ungrouped.AddLane(bare); err == nil || !strings.Contains(err.Error(), "without SO_REUSEPORT") {
		t.Errorf("a socket that listens without SO_REUSEPORT gives %v", err)
	}

	mixed := dual.open(t, 0, true)
	local, _ = socket(mixed).local()
	only4 := New("web", Address{Network: TCP, IP: netip.AddrPortFrom(netip.IPv4Unspecified(), local.Port())}, Options{})
	if _, err := only4.AddLane(mixed); err == nil {
		t.Error("a dual-stack socket became a lane of 0.0.0.0")
	}
	unix.Close(mixed)
}

// TestOneFamily fixes the family of a ":port" listener by its first socket.
func TestOneFamily(t *testing.T) {
	first := bindings[1].open(t, 0, true)
	local, err := socket(first).local()
	if err != nil {
		t.Fatal(err)
	}
	l := New("web", Address{Network: TCP, IP: netip.AddrPortFrom(netip.IPv6Unspecified(), local.Port())}, Options{})
	defer l.Close()
	addLane(t, l, first)
	second := bindings[3].open(t, local.Port(), true)
	defer unix.Close(second)
	if _, err := l.AddLane(second); err == nil || !strings.Contains(err.Error(), "the other lanes to") {
		t.Errorf("an IPv6 lane beside an IPv4 one gives %v", err)
	}
}

// TestRestore hands the lanes to a second listener, as a restarted host gets them, in another order.
func TestRestore(t *testing.T) {
	first, lanes := bindings[0].lanes(t, 3, Options{})
	setWeights(t, first, Share{lanes[1], traffic.Whole})
	known := make([]Known, 0, 3)
	for _, i := range []int{2, 0, 1} {
		fd, err := unix.FcntlInt(uintptr(lanes[i].FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, Known{FD: fd, Index: i, Weight: lanes[i].Weight()})
	}
	l := New("web", first.Address(), Options{})
	defer l.Close()
	if err := l.Restore(known...); err != nil {
		t.Fatal(err)
	}
	for i, lane := range l.Lanes() {
		if lane.Index() != i || lane.Cookie() != lanes[i].Cookie() || lane.Inode() != lanes[i].Inode() || lane.Weight() != lanes[i].Weight() {
			t.Errorf("lane %d came back as %d with weight %d", i, lane.Index(), lane.Weight())
		}
	}
	if got := spread(t, l, []string{"127.0.0.1"}, 100); got[l.Lanes()[1]] != 100 {
		t.Errorf("after the restart lanes got %v", got)
	}
	if lost, err := l.Repair(context.Background()); err != nil || len(lost) > 0 {
		t.Errorf("repair lost %v, error %v", lost, err)
	}
	setWeights(t, l, Share{l.Lanes()[2], traffic.Whole})
	if got := spread(t, l, []string{"127.0.0.1"}, 100); got[l.Lanes()[2]] != 100 {
		t.Errorf("with new weights lanes got %v", got)
	}
}

func TestRestoreRefuses(t *testing.T) {
	first, lanes := bindings[0].lanes(t, 2, Options{})
	for name, known := range map[string][]Known{
		"a gap":          {{lanes[0].FD(), 0, traffic.Whole}, {lanes[1].FD(), 2, 0}},
		"an index twice": {{lanes[0].FD(), 0, traffic.Whole}, {lanes[1].FD(), 0, 0}},
		"a lane twice":   {{lanes[0].FD(), 0, traffic.Whole}, {lanes[0].FD(), 1, 0}},
	} {
		l := New("web", first.Address(), Options{})
		if err := l.Restore(known...); err == nil {
			t.Errorf("%s was restored", name)
		}
		if len(l.Lanes()) > 0 {
			t.Errorf("%s left lanes", name)
		}
	}
}
