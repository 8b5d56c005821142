package keeper

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/adopt"
)

func TestZonesAreComparedByIndex(t *testing.T) {
	lo, err := zoneIndex("lo")
	if err != nil || lo != 1 {
		t.Skipf("lo is %d: %v", lo, err)
	}
	for _, c := range []struct {
		rule, asked string
		want        int
	}{
		{"fe80::1%lo", "fe80::1%1", 3},
		{"fe80::1%1", "fe80::1%1", 3},
		{"fe80::1%lo", "fe80::1%2", 0},
		{"fe80::1%lo", "fe80::1", 0},
		{"fe80::1%lo", "fe80::2%1", 0},
		{"fe80::1%lo", "::", 2},
		{"::", "fe80::1%1", 1},
	} {
		asked := adopt.Bind{Family: unix.AF_INET6, Type: unix.SOCK_STREAM, Addr: netip.AddrPortFrom(netip.MustParseAddr(c.asked), 80)}
		if got := closeness(Address{Network: "tcp", Host: c.rule, Port: 80}, asked); got != c.want {
			t.Errorf("%s for %s: %d, want %d", c.rule, c.asked, got, c.want)
		}
	}
}
