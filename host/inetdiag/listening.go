package inetdiag

import (
	"fmt"
	"net/netip"
	"slices"
)

// Listening names the addresses of the TCP sockets in LISTEN whose inodes are given, in order and each once.
func Listening(inodes map[uint64]struct{}) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	for _, family := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		rows, err := dump(tcpRequest(netip.AddrPortFrom(family, 0), netip.AddrPort{}, 1<<Listen, false))
		if err != nil {
			return nil, fmt.Errorf("cannot list listening sockets: %w", err)
		}
		for _, row := range rows {
			c, err := decodeConn(row)
			if err != nil {
				return nil, fmt.Errorf("cannot list listening sockets: %w", err)
			}
			if _, ours := inodes[c.Inode]; ours && c.State == Listen && !slices.Contains(all, c.Local) {
				all = append(all, c.Local)
			}
		}
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all, nil
}
