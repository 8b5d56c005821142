package inetdiag

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
)

func TestListeningNamesOnlyTheGivenSockets(t *testing.T) {
	four, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer four.Close()
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here:", err)
	}
	defer six.Close()
	inodes, err := SocketInodes(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Listening(inodes)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []net.Listener{four, six} {
		want := netip.MustParseAddrPort(l.Addr().String())
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %v", want, got)
		}
	}
	if none, err := Listening(map[uint64]struct{}{}); err != nil || len(none) != 0 {
		t.Errorf("nobody's sockets: %v, %v", none, err)
	}
}
