package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/inetdiag"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/internal/procfs"
)

func marshal(v any) (json.RawMessage, error) { return json.Marshal(v) }

func closeFDs(fds ...int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// lookUp turns the names of a user and, if any, a group into numbers.
func lookUp(name, group string) (*keeper.User, string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, "", fmt.Errorf("cannot run as %q: %w", name, err)
	}
	k := &keeper.User{}
	if k.UID, err = number(u.Uid); err != nil {
		return nil, "", err
	}
	if k.GID, err = number(u.Gid); err != nil {
		return nil, "", err
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return nil, "", fmt.Errorf("cannot run as group %q: %w", group, err)
		}
		if k.GID, err = number(g.Gid); err != nil {
			return nil, "", err
		}
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, "", fmt.Errorf("cannot list the groups of %q: %w", name, err)
	}
	for _, id := range ids {
		g, err := number(id)
		if err != nil {
			return nil, "", err
		}
		k.Groups = append(k.Groups, g)
	}
	return k, u.HomeDir, nil
}

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	return uint32(n), err
}

func writePID(path string, pid int) error {
	tmp := fmt.Sprintf("%s.%d", path, pid)
	if err := os.WriteFile(tmp, []byte(strconv.Itoa(pid)+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// removePID removes the file unless a successor has written its own number.
func removePID(path string, pid int) {
	if b, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(pid) {
		_ = os.Remove(path)
	}
}

// connections lists what the instance's processes hold on its generation's
// ports. It runs on the instance's goroutine.
func (r *running) connections() ([]instance.Connection, error) {
	g, h := r.gen, r.gen.svc.h
	var locals []netip.AddrPort
	var paths []string
	var pid int
	if err := h.ask(h.ctx, func() {
		pid = r.pid
		for _, l := range g.lanes {
			if l.port.unix() {
				paths = append(paths, l.port.address.Path, l.set.Address().Path)
			} else if a := l.port.local(); a.IsValid() && !l.port.shared() {
				locals = append(locals, a)
			}
		}
	}); err != nil {
		return nil, err
	}
	return held(locals, paths, r.inodes(pid))
}

// inodes are the sockets of the instance's processes.
func (r *running) inodes(pid int) map[uint64]struct{} {
	inodes := map[uint64]struct{}{}
	for _, p := range procfs.Session(pid, "ZDHOST_SOCKET="+r.socket("workload")) {
		held, err := inetdiag.SocketInodes(p)
		if err != nil {
			continue // it ended
		}
		for i := range held {
			inodes[i] = struct{}{}
		}
	}
	return inodes
}

// listening names the TCP addresses where the instance's processes listen. It
// runs on the instance's goroutine.
func (r *running) listening() []string {
	var pid int
	if err := r.gen.svc.h.ask(r.gen.svc.h.ctx, func() { pid = r.pid }); err != nil {
		return nil
	}
	addresses, err := inetdiag.Listening(r.inodes(pid))
	if err != nil {
		return nil
	}
	var all []string
	for _, a := range addresses {
		all = append(all, a.String())
	}
	return all
}

// held picks the connections on the addresses whose sockets are among inodes.
func held(locals []netip.AddrPort, paths []string, inodes map[uint64]struct{}) ([]instance.Connection, error) {
	var all []instance.Connection
	for _, local := range locals {
		conns, err := inetdiag.Connections(local)
		if err != nil {
			return nil, err
		}
		for _, c := range conns {
			if _, ours := inodes[c.Inode]; c.Inode != 0 && ours {
				all = append(all, connection(c))
			}
		}
	}
	unixOnes, err := unixConnections(paths, inodes)
	return append(all, unixOnes...), err
}

func connection(c inetdiag.Conn) instance.Connection {
	sent := c.BytesAcked
	if sent > 0 {
		sent-- // the handshake's own sequence number
	}
	return instance.Connection{
		Open:     c.State == inetdiag.Established || c.State == inetdiag.CloseWait,
		Pending:  c.Unread > 0 || c.Unacked > 0 || c.NotSent > 0,
		Received: c.BytesReceived, Sent: sent,
		SinceReceived: c.LastDataRecv, SinceSent: c.LastDataSent,
	}
}

// unixConnections lists the accepted connections of unix listeners out of
// /proc/net/unix. The kernel tells no times for them: each counts as busy until
// it ends.
func unixConnections(paths []string, inodes map[uint64]struct{}) ([]instance.Connection, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, fmt.Errorf("cannot list unix connections: %w", err)
	}
	var all []instance.Connection
	for _, line := range bytes.Split(table, []byte("\n")) {
		f := strings.Fields(string(line)) // Num RefCount Protocol Flags Type St Inode Path
		if len(f) < 8 || f[5] != "03" || !onPath(f[7], paths) {
			continue
		}
		inode, err := strconv.ParseUint(f[6], 10, 64)
		if err != nil {
			continue
		}
		if _, ours := inodes[inode]; ours {
			all = append(all, instance.Connection{Open: true, Pending: true})
		}
	}
	return all, nil
}

// onPath compares the name that a socket was bound with, which reaches the
// directory through a descriptor, with the paths of a listener.
func onPath(name string, paths []string) bool {
	for _, p := range paths {
		if name == p || filepath.Base(name) == filepath.Base(p) && strings.HasPrefix(name, "/proc/self/fd/") {
			return true
		}
	}
	return false
}
