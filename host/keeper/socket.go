package keeper

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/adopt"
)

func (a Address) hostPort() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// bind makes the socket of a lane. It does not listen: whoever attaches the
// steering program does. A unix socket listens already, under a name of its own
// (the second result) until it is published.
func bind(a Address, first bool) (fd int, private string, err error) {
	if a.local() {
		return bindUnix(a, first)
	}
	fd, err = bindIP(a, first)
	return fd, "", err
}

func bindIP(a Address, first bool) (int, error) {
	ip, err := netip.ParseAddr(a.Host)
	if err != nil {
		return -1, fmt.Errorf("cannot bind %s: %w", a, err)
	}
	typ := unix.SOCK_STREAM
	if a.Network == "udp" {
		typ = unix.SOCK_DGRAM
	}
	family := unix.AF_INET6
	if ip.Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot bind %s: %w", a, err)
	}
	if err := bindInet(fd, a, ip, first); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("cannot bind %s: %w", a, err)
	}
	return fd, nil
}

func bindInet(fd int, a Address, ip netip.Addr, first bool) error {
	if err := a.Before.Set(fd); err != nil {
		return err
	}
	set := func(level, name, v int) error { return unix.SetsockoptInt(fd, level, name, v) }
	var sa unix.Sockaddr
	if ip.Is4() {
		sa = &unix.SockaddrInet4{Port: int(a.Port), Addr: ip.As4()}
	} else {
		if err := set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, btoi(a.V6Only)); err != nil {
			return err
		}
		zone, err := zoneIndex(ip.Zone())
		if err != nil {
			return err
		}
		sa = &unix.SockaddrInet6{Port: int(a.Port), Addr: ip.As16(), ZoneId: zone}
	}
	stream := a.Network != "udp"
	if stream { // TIME_WAIT of an earlier life must not keep us from the address
		if err := set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
	}
	if stream && !first {
		if err := set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return err
	}
	if stream && first {
		return set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	return nil
}

func zoneIndex(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, err
	}
	return uint32(i.Index), nil
}

// bindUnix makes a listening socket beside the path, under a hidden name. The
// path itself is given and taken by publish, so that each generation has a queue
// of its own and a shift is one rename: no client finds the path deaf. A first
// socket replaces one that nobody answers at; a living one and anything that is
// no socket is left alone.
func bindUnix(a Address, first bool) (int, string, error) {
	if first {
		if err := freePath(a.Path); err != nil {
			return -1, "", fmt.Errorf("cannot bind %s: %w", a, err)
		}
	}
	typ := map[string]int{"unix": unix.SOCK_STREAM, "unixgram": unix.SOCK_DGRAM, "unixpacket": unix.SOCK_SEQPACKET}[a.Network]
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, "", fmt.Errorf("cannot bind %s: %w", a, err)
	}
	private := filepath.Join(filepath.Dir(a.Path), fmt.Sprintf(".zdhost-%d-%x", os.Getpid(), adopt.Cookie(fd)))
	if err := inDirectory(private, func(dir int, name string) error { return offer(fd, dir, name, a) }); err != nil {
		_ = unix.Close(fd)
		return -1, "", fmt.Errorf("cannot bind %s: %w", a, err)
	}
	return fd, private, nil
}

// inDirectory runs f with the path's directory as a descriptor: a path may be
// longer than the 107 bytes that a socket address holds.
func inDirectory(path string, f func(dir int, name string) error) error {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return f(dir, filepath.Base(path))
}

// publish gives path to the socket behind private. Clients that connect from now
// on reach it; those in the queue of the one before stay there.
func publish(private, path string) error {
	return inDirectory(path, func(dir int, name string) error {
		tmp := filepath.Base(private) + "~"
		_ = unix.Unlinkat(dir, tmp, 0)
		if err := unix.Linkat(dir, filepath.Base(private), dir, tmp, 0); err != nil {
			return err
		}
		if err := unix.Renameat(dir, tmp, dir, name); err != nil {
			_ = unix.Unlinkat(dir, tmp, 0)
			return err
		}
		_ = unix.Unlinkat(dir, tmp, 0) // rename does nothing where both are one file
		return nil
	})
}

// unpublish removes path if it is still the socket behind private.
func unpublish(private, path string) {
	mine, err1 := os.Lstat(private)
	theirs, err2 := os.Lstat(path)
	if err1 == nil && err2 == nil && os.SameFile(mine, theirs) {
		_ = os.Remove(path)
	}
}

// offer binds fd to name in dir and makes it ready for clients.
func offer(fd, dir int, name string, a Address) error {
	_ = unix.Unlinkat(dir, name, 0)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir, name)}); err != nil {
		return err
	}
	err := own(dir, name, a)
	if err == nil && a.Network != "unixgram" {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		_ = unix.Unlinkat(dir, name, 0)
	}
	return err
}

// own gives the path its mode and owner.
func own(dir int, name string, a Address) error {
	if a.Mode != 0 {
		if err := unix.Fchmodat(dir, name, a.Mode, 0); err != nil {
			return err
		}
	}
	if a.Owner != nil && os.Geteuid() == 0 {
		return unix.Fchownat(dir, name, int(a.Owner.UID), int(a.Owner.GID), unix.AT_SYMLINK_NOFOLLOW)
	}
	return nil
}

func freePath(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is there and is no socket", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
		return unix.EADDRINUSE
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil
	}
	return err
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
