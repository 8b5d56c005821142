package listener

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 20 * time.Second

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// binding is an address to bind and the host that a client dials.
type binding struct {
	name   string
	ip     string
	v6only bool
	hosts  []string
}

var bindings = []binding{
	{"IPv4", "127.0.0.1", false, []string{"127.0.0.1"}},
	{"IPv4 wildcard", "0.0.0.0", false, []string{"127.0.0.1"}},
	{"IPv6", "::1", false, []string{"::1"}},
	{"IPv6 only wildcard", "::", true, []string{"::1"}},
	{"dual stack", "::", false, []string{"127.0.0.1", "::1"}},
}

// open makes a socket as the keeper does: the first one binds without SO_REUSEPORT, so that a taken address is an
// error, and gets it afterwards. Port 0 lets the kernel choose.
func (b binding) open(t testing.TB, port uint16, first bool) int {
	t.Helper()
	at := netip.AddrPortFrom(netip.MustParseAddr(b.ip), port)
	family := unix.AF_INET
	if at.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := socket(fd)
	errs := []error{s.setOption(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, "SO_REUSEADDR")}
	if family == unix.AF_INET6 {
		v6only := 0
		if b.v6only {
			v6only = 1
		}
		errs = append(errs, s.setOption(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only, "IPV6_V6ONLY"))
	}
	if !first {
		errs = append(errs, s.setOption(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT"))
	}
	errs = append(errs, s.bind(at))
	if first {
		errs = append(errs, s.setOption(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT"))
	}
	if err := errors.Join(errs...); errors.Is(err, unix.EADDRNOTAVAIL) {
		unix.Close(fd)
		t.Skipf("this machine has no %s", b.ip)
	} else if err != nil {
		t.Fatal(err)
	}
	return fd
}

// lanes makes a listener with a number of lanes.
func (b binding) lanes(t testing.TB, count int, options Options) (*Listener, []*Lane) {
	t.Helper()
	first := b.open(t, 0, true)
	local, err := socket(first).local()
	if err != nil {
		t.Fatal(err)
	}
	l := New("web", Address{Network: TCP, IP: local}, options)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	lanes := []*Lane{addLane(t, l, first)}
	for range count - 1 {
		lanes = append(lanes, addLane(t, l, b.open(t, local.Port(), false)))
	}
	return l, lanes
}

func addLane(t testing.TB, l *Listener, fd int) *Lane {
	t.Helper()
	lane, err := l.AddLane(fd)
	if err != nil {
		unix.Close(fd)
		t.Fatal(err)
	}
	return lane
}

func setWeights(t testing.TB, l *Listener, shares ...Share) {
	t.Helper()
	if err := l.SetWeights(shares...); err != nil {
		t.Fatal(err)
	}
}

// dial connects from a source, or any if that is empty. Closing the connection resets it, so that thousands leave no
// TIME_WAIT behind.
func dial(t testing.TB, l *Listener, host, source string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Timeout: patience}
	if source != "" {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source))
	}
	c, err := d.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(l.Address().IP.Port())))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// spread makes count ordinary connections to the hosts by turns and returns how many each lane got.
func spread(t testing.TB, l *Listener, hosts []string, count int) map[*Lane]int {
	t.Helper()
	const batch = 200
	got := make(map[*Lane]int)
	for done := 0; done < count; {
		size := min(batch, count-done)
		clients := make([]net.Conn, size)
		for i := range clients {
			clients[i] = dial(t, l, hosts[i%len(hosts)], "")
		}
		arrived := 0
		eventually(t, "all connections are accepted", func() bool {
			for _, lane := range l.Lanes() {
				n := acceptAll(t, lane)
				got[lane] += n
				arrived += n
			}
			return arrived == size
		})
		for _, c := range clients {
			c.Close()
		}
		done += size
	}
	return got
}

// acceptAll empties the lane's queue and returns how many connections were in it.
func acceptAll(t testing.TB, lane *Lane) int {
	t.Helper()
	for n := 0; ; n++ {
		fd, _, err := unix.Accept4(lane.FD(), unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EAGAIN) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
	}
}

// server accepts the connections of one lane and echoes a byte on each until stopped.
type server struct {
	accepted atomic.Int64
	stop     func()
}

func serve(t testing.TB, lane *Lane) *server {
	t.Helper()
	quit, done := make(chan struct{}), make(chan struct{})
	s := &server{stop: sync.OnceFunc(func() { close(quit); <-done })}
	var echoes sync.WaitGroup
	go func() {
		defer close(done)
		defer echoes.Wait()
		for {
			select {
			case <-quit:
				return
			default:
			}
			poll := []unix.PollFd{{Fd: int32(lane.FD()), Events: unix.POLLIN}}
			if n, _ := unix.Poll(poll, 5); n == 0 {
				continue
			}
			fd, _, err := unix.Accept4(lane.FD(), unix.SOCK_CLOEXEC)
			if err != nil {
				continue
			}
			s.accepted.Add(1)
			echoes.Go(func() { echo(fd) })
		}
	}()
	t.Cleanup(s.stop)
	return s
}

func echo(fd int) {
	file := os.NewFile(uintptr(fd), "connection")
	defer file.Close()
	var b [1]byte
	if n, err := file.Read(b[:]); n == 1 && err == nil {
		_, _ = file.Write(b[:])
	}
}

func openUnix(t testing.TB, path string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	short, release, err := shortPath(path)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: short}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// unixLane makes a unix listener with its lane.
func unixLane(t testing.TB, path string, options Options) (*Listener, *Lane) {
	t.Helper()
	l := New("local", Address{Network: Unix, Path: path}, options)
	lane := addLane(t, l, openUnix(t, path))
	t.Cleanup(func() { l.Close() })
	return l, lane
}

func socketPath(t testing.TB) string { return filepath.Join(t.TempDir(), "s") }
