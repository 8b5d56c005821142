package inetdiag

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLookupTellsQueuedFromAccepted(t *testing.T) {
	for _, r := range reaches {
		t.Run(r.name, func(t *testing.T) {
			l := listen(t, r.network, r.listen, nil)
			client := dial(t, r.host, l)
			local, remote := ends(client)

			var queued Conn
			eventually(t, "the connection is queued", func() bool {
				var err error
				queued, err = Lookup(local, remote)
				if err != nil {
					t.Fatal(err)
				}
				return queued.State == Established
			})
			if queued.Inode != 0 || queued.Accepted() {
				t.Fatalf("queued connection looks accepted: %+v", queued)
			}
			if queued.Local != local || queued.Remote != remote {
				t.Fatalf("looked up %s from %s, got %s from %s", local, remote, queued.Local, queued.Remote)
			}

			server, err := l.AcceptTCP()
			if err != nil {
				t.Fatal(err)
			}
			accepted, err := Lookup(local, remote)
			if err != nil {
				t.Fatal(err)
			}
			if want := inodeOf(t, server); !accepted.Accepted() || accepted.Inode != want {
				t.Fatalf("accepted connection has inode %d, want %d", accepted.Inode, want)
			}
			if accepted.Cookie != queued.Cookie {
				t.Errorf("cookie changed from %d to %d", queued.Cookie, accepted.Cookie)
			}
			if uid := uint32(unix.Getuid()); accepted.UID != uid {
				t.Errorf("owner is %d, want %d", accepted.UID, uid)
			}

			server.Close()
			eventually(t, "the server's end is closing", func() bool {
				c, err := Lookup(local, remote)
				if err != nil {
					t.Fatal(err)
				}
				if !c.Accepted() {
					t.Fatalf("a closed connection doesn't look accepted: %+v", c)
				}
				return c.State != Established
			})
		})
	}
}

func TestLookupFindsNoListener(t *testing.T) {
	for _, r := range reaches {
		l := listen(t, r.network, r.listen, nil)
		port := l.Addr().(*net.TCPAddr).AddrPort().Port()
		host := netip.MustParseAddr(r.host)
		c, err := Lookup(netip.AddrPortFrom(host, port), netip.AddrPortFrom(host, 1))
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: found %+v, error %v", r.name, c, err)
		}
	}
	a, b := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::1]:1")
	if _, err := Lookup(a, b); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a lookup over two families got %v", err)
	}
}

func TestConnectionsCountTraffic(t *testing.T) {
	for _, r := range reaches {
		t.Run(r.name, func(t *testing.T) {
			l := listen(t, r.network, r.listen, nil)
			client := dial(t, r.host, l)
			server, err := l.AcceptTCP()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if _, err := client.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(server, make([]byte, 300)); err != nil {
				t.Fatal(err)
			}

			local, remote := ends(client)
			covering := []netip.AddrPort{local, unmap(l.Addr().(*net.TCPAddr).AddrPort())}
			for _, address := range covering {
				conns, err := Connections(address)
				if err != nil {
					t.Fatal(err)
				}
				if len(conns) != 1 {
					t.Fatalf("%s has connections %+v, want one", address, conns)
				}
				c := conns[0]
				if c.Remote != remote || c.BytesReceived != 1000 || c.Unread != 700 || c.Inode != inodeOf(t, server) {
					t.Errorf("connection of %s is %+v", address, c)
				}
			}
			elsewhere := netip.AddrPortFrom(netip.MustParseAddr("127.9.9.9"), local.Port())
			if conns, err := Connections(elsewhere); err != nil || len(conns) != 0 {
				t.Errorf("%s has connections %+v, error %v", elsewhere, conns, err)
			}
		})
	}
}

// TestConnectionsSeeWhatIsOnTheWay fills a connection whose client doesn't read: bytes stay unsent until it does.
func TestConnectionsSeeWhatIsOnTheWay(t *testing.T) {
	l := listen(t, "tcp4", "127.0.0.1:0", nil)
	client := dial(t, "127.0.0.1", l)
	server, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	local, remote := ends(client)
	const size = 32 << 20 // more than the socket buffers take
	sent := make(chan error, 1)
	go func() {
		_, err := server.Write(make([]byte, size))
		sent <- errors.Join(err, server.CloseWrite())
	}()
	lookup := func() Conn {
		c, err := Lookup(local, remote)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	eventually(t, "some bytes are acknowledged and others not sent", func() bool {
		c := lookup()
		return c.NotSent > 0 && c.BytesAcked > 1
	})
	read, err := io.Copy(io.Discard, client)
	if err := errors.Join(err, <-sent); err != nil || read != size {
		t.Fatalf("read %d of %d: %v", read, size, err)
	}
	eventually(t, "everything is acknowledged", func() bool {
		c := lookup()
		return c.NotSent == 0 && c.Unacked == 0 && c.BytesAcked >= size
	})
}

func TestConnectionsOverManyDatagrams(t *testing.T) {
	const count = 400 // about 150 kB of rows
	l := listen(t, "tcp4", "127.0.0.1:0", nil)
	local := l.Addr().(*net.TCPAddr).AddrPort()
	want := make(map[netip.AddrPort]bool)
	for range count {
		_, remote := ends(dial(t, "127.0.0.1", l))
		want[remote] = true
	}
	eventually(t, "all connections are listed", func() bool {
		conns, err := Connections(local)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[netip.AddrPort]bool)
		for _, c := range conns {
			if !want[c.Remote] {
				t.Fatalf("stranger %+v", c)
			}
			seen[c.Remote] = true
		}
		return len(seen) == count
	})
}

func TestConnectionsRefuseNoPort(t *testing.T) {
	for _, bad := range []netip.AddrPort{{}, netip.MustParseAddrPort("127.0.0.1:0")} {
		if _, err := Connections(bad); err == nil {
			t.Errorf("connections of %s were listed", bad)
		}
		if _, err := HalfOpen(bad); err == nil {
			t.Errorf("handshakes of %s were listed", bad)
		}
	}
}

// TestHalfOpen keeps handshakes half open without any privilege: with TCP_DEFER_ACCEPT the kernel ignores the ACK
// until the client's first byte.
func TestHalfOpen(t *testing.T) {
	for _, r := range reaches {
		t.Run(r.name, func(t *testing.T) {
			l := listen(t, r.network, r.listen, func(fd int) error {
				return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 30)
			})
			address := unmap(l.Addr().(*net.TCPAddr).AddrPort())
			first, second := dial(t, r.host, l), dial(t, r.host, l)
			local, remote := ends(first)
			_, other := ends(second)
			got, err := HalfOpen(address)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 2 || !slices.Contains(got, remote) || !slices.Contains(got, other) {
				t.Fatalf("half open are %v, want %s and %s", got, remote, other)
			}
			if c, err := Lookup(local, remote); err != nil || c.State != SynRecv || c.Accepted() {
				t.Fatalf("half-open handshake is %+v, error %v", c, err)
			}
			if _, err := first.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the first handshake is complete", func() bool {
				got, err = HalfOpen(address)
				if err != nil {
					t.Fatal(err)
				}
				return slices.Equal(got, []netip.AddrPort{other})
			})
		})
	}
}

func TestAccepted(t *testing.T) {
	cases := []struct {
		c    Conn
		want bool
	}{
		{Conn{State: SynRecv}, false},
		{Conn{State: Established}, false},
		{Conn{State: Established, Inode: 7}, true},
		{Conn{State: CloseWait}, false}, // the client closed while it waited in the queue
		{Conn{State: CloseWait, Inode: 7}, true},
		{Conn{State: FinWait2}, true}, // the program accepted and closed
		{Conn{State: TimeWait}, true},
		{Conn{State: LastAck}, true},
	}
	for _, c := range cases {
		if got := c.c.Accepted(); got != c.want {
			t.Errorf("%s with inode %d: accepted is %v", c.c.State, c.c.Inode, got)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	local, remote := ends(c)
	for b.Loop() {
		if _, err := Lookup(local, remote); err != nil {
			b.Fatal(err)
		}
	}
}
