package promises

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The states of TCP connections in /proc/net/tcp.
const (
	established = "01"
	closeWait   = "08"
)

// connection is one of a server's, as the kernel lists it.
type connection struct {
	state string
	inode string // "0": nobody has accepted it yet
}

// listed are the connections to a port, on the server's side.
func (g *ground) listed(address string) []connection {
	g.t.Helper()
	port, err := strconv.Atoi(portOf(g.t, address))
	if err != nil {
		g.t.Fatal(err)
	}
	suffix := fmt.Sprintf(":%04X", port)
	var found []connection
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // no such family here
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 9 && strings.HasSuffix(f[1], suffix) {
				found = append(found, connection{state: f[3], inode: f[9]})
			}
		}
	}
	return found
}

// connections counts those that are open, accepted or not.
func (g *ground) connections(address string) int {
	g.t.Helper()
	n := 0
	for _, c := range g.listed(address) {
		if c.state == established {
			n++
		}
	}
	return n
}

// acceptedBy counts the open connections that a process has accepted.
func (g *ground) acceptedBy(pid int, address string) int {
	g.t.Helper()
	mine := map[string]bool{}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			mine[target] = true
		}
	}
	n := 0
	for _, c := range g.listed(address) {
		if (c.state == established || c.state == closeWait) && mine["socket:["+c.inode+"]"] {
			n++
		}
	}
	return n
}
