package inetdiag

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
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

// listen opens a plain TCP listener; prepare may set options before it listens.
func listen(t *testing.T, network, address string, prepare func(fd int) error) *net.TCPListener {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if prepare != nil {
			_ = c.Control(func(fd uintptr) { err = prepare(int(fd)) })
		}
		return err
	}}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		t.Skipf("this machine has no %s: %v", address, err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func dial(t *testing.T, host string, l net.Listener) *net.TCPConn {
	t.Helper()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// ends are the addresses of a connection as the server's end sees it.
func ends(c net.Conn) (local, remote netip.AddrPort) {
	return unmap(c.RemoteAddr().(*net.TCPAddr).AddrPort()), unmap(c.LocalAddr().(*net.TCPAddr).AddrPort())
}

func inodeOf(t *testing.T, c syscall.Conn) uint64 {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var stat unix.Stat_t
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Fstat(int(fd), &stat) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return stat.Ino
}

// reach is a listener's address and the host that a client dials to reach it.
type reach struct{ name, network, listen, host string }

var reaches = []reach{
	{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1"},
	{"IPv4 wildcard", "tcp4", "0.0.0.0:0", "127.0.0.1"},
	{"IPv6", "tcp6", "[::1]:0", "::1"},
	{"dual stack over IPv6", "tcp", "[::]:0", "::1"},
	{"dual stack over IPv4", "tcp", "[::]:0", "127.0.0.1"},
}
