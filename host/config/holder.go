package config

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// holderOf names the process that holds a listener's address, such as
// "nginx (pid 812)". It returns "" where /proc doesn't tell, as for another
// user's processes.
func holderOf(l *Listener) string {
	inodes := holdingInodes(l)
	if len(inodes) == 0 {
		return ""
	}
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return ""
	}
	slices.SortFunc(pids, func(a, b string) int { return pidOf(a) - pidOf(b) })
	for _, dir := range pids {
		if holdsAny(dir, inodes) {
			return fmt.Sprintf("%s (pid %d)", programOf(dir), pidOf(dir))
		}
	}
	return ""
}

func pidOf(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(dir))
	return n
}

// programOf returns a process's name as ps shows it.
func programOf(dir string) string {
	comm, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return "a process"
	}
	return strings.TrimSpace(string(comm))
}

func holdsAny(dir string, inodes map[string]bool) bool {
	entries, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return false
	}
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(dir, "fd", e.Name()))
		if err != nil {
			continue
		}
		if inode, ok := strings.CutPrefix(link, "socket:["); ok && inodes[strings.TrimSuffix(inode, "]")] {
			return true
		}
	}
	return false
}

// holdingInodes returns the inodes of the sockets that stand in a listener's
// way.
func holdingInodes(l *Listener) map[string]bool {
	inodes := map[string]bool{}
	if l.Network == Unix {
		for _, fields := range procTable("/proc/net/unix") {
			// Num RefCount Protocol Flags Type St Inode Path
			if len(fields) >= 8 && fields[7] == l.Path {
				inodes[fields[6]] = true
			}
		}
		return inodes
	}
	for _, suffix := range []string{"", "6"} {
		for _, fields := range procTable("/proc/net/" + string(l.Network) + suffix) {
			// sl local_address rem_address st … uid timeout inode
			if len(fields) < 10 || l.Network == TCP && fields[3] != tcpListen {
				continue
			}
			local, ok := procAddress(fields[1])
			if ok && local.Port() == l.Port && inTheWay(l, local.Addr()) {
				inodes[fields[9]] = true
			}
		}
	}
	return inodes
}

// tcpListen is TCP_LISTEN as /proc/net/tcp writes it.
const tcpListen = "0A"

// inTheWay tells whether a socket bound to address may keep l from binding.
func inTheWay(l *Listener, address netip.Addr) bool {
	return l.wildcard() || address.IsUnspecified() || address.Unmap() == l.Host.WithZone("")
}

func procTable(file string) [][]string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		rows = append(rows, strings.Fields(line))
	}
	return rows[min(1, len(rows)):] // the first row is the head
}

// procAddress reads "0100007F:1F90": the address in 32-bit words of this
// machine's byte order, and the port.
func procAddress(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || len(host)%8 != 0 {
		return netip.AddrPort{}, false
	}
	var raw []byte
	for ; host != ""; host = host[8:] {
		word, err := strconv.ParseUint(host[:8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		raw = binary.NativeEndian.AppendUint32(raw, uint32(word))
	}
	address, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address, uint16(number)), ok
}
