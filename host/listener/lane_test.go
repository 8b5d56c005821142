package listener

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestQueueFigures fills a queue to a known length, over its limit, and empties it.
func TestQueueFigures(t *testing.T) {
	const backlog = 5
	for _, b := range bindings {
		t.Run(b.name, func(t *testing.T) {
			l, lanes := b.lanes(t, 2, Options{Backlog: backlog})
			watch, err := lanes[0].Watch()
			if err != nil {
				t.Fatal(err)
			}
			reading := func() Reading {
				r, err := watch.Sample()
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			for want := 1; want <= backlog+1; want++ { // the kernel lets one more in than the limit
				defer dial(t, l, b.hosts[want%len(b.hosts)], "").Close()
				eventually(t, "the connection is queued", func() bool { return reading().Queue == want })
			}
			if r := reading(); r != (Reading{Queue: backlog + 1, Limit: backlog, QueueHigh: backlog + 1}) {
				t.Errorf("full queue reads %+v", r)
			}
			late := attempt(t, l, b.hosts[0])
			defer unix.Close(late)
			eventually(t, "a drop is counted", func() bool { return reading().Drops > 0 })
			if n := acceptAll(t, lanes[0]); n < backlog+1 {
				t.Errorf("%d connections came out", n)
			}
			eventually(t, "the queue is empty", func() bool { acceptAll(t, lanes[0]); return reading().Queue == 0 })
			if r := reading(); r.QueueHigh != backlog+1 {
				t.Errorf("emptied queue reads %+v", r)
			}
			if drops, err := lanes[1].Drops(); err != nil || drops != 0 {
				t.Errorf("the other lane dropped %d, error %v", drops, err)
			}
		})
	}
}

// attempt begins to connect and doesn't wait.
func attempt(t testing.TB, l *Listener, host string) int {
	t.Helper()
	target := netip.AddrPortFrom(netip.MustParseAddr(host), l.Address().IP.Port())
	family := unix.AF_INET
	if target.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	address, err := sockaddr(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, address); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		t.Fatal(err)
	}
	return fd
}

func TestUnixQueueFigures(t *testing.T) {
	const backlog = 4
	path := socketPath(t)
	_, lane := unixLane(t, path, Options{Backlog: backlog})
	for range 3 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if length, limit, err := lane.Queue(); err != nil || length != 3 || limit != backlog {
		t.Errorf("queue is %d of %d, error %v", length, limit, err)
	}
}

func TestDatagramLane(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := socket(fd)
	err = errors.Join(s.bind(netip.MustParseAddrPort("127.0.0.1:0")), s.setOption(unix.SOL_SOCKET, unix.SO_RCVBUF, 4096, "SO_RCVBUF"))
	if err != nil {
		t.Fatal(err)
	}
	local, err := s.local()
	if err != nil {
		t.Fatal(err)
	}
	l := New("dns", Address{Network: UDP, IP: local}, Options{})
	defer l.Close()
	lane := addLane(t, l, fd)
	client, err := net.Dial("udp", local.String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 50 {
		if _, err := client.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	length, limit, err := lane.Queue()
	if err != nil || length < 1000 || limit < 4096 {
		t.Errorf("queue is %d of %d bytes, error %v", length, limit, err)
	}
	if drops, err := lane.Drops(); err != nil || drops == 0 || drops >= 50 {
		t.Errorf("%d datagrams were dropped, error %v", drops, err)
	}
	if listening, err := lane.Listening(); err != nil || !listening {
		t.Errorf("it listens: %v, error %v", listening, err)
	}
	if lost, err := l.Repair(within(t)); err != nil || len(lost) > 0 {
		t.Errorf("lost %v, error %v", lost, err)
	}
	if _, err := lane.DrainQueue(within(t)); !errors.Is(err, ErrShared) {
		t.Errorf("a drain gives %v", err)
	}
	if err := lane.ResetOptions(); err != nil {
		t.Error(err)
	}
}
