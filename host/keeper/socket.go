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
)

func (a Address) hostPort() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// bind makes the socket of a lane. It does not listen: whoever attaches the
// steering program does. A unix socket listens before it gets its name, so that
// no client finds it deaf.
func bind(a Address, first bool) (int, error) {
	if a.local() {
		return bindUnix(a)
	}
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

// bindUnix binds to a temporary name beside the path, sets the mode, listens
// and renames. A socket that nobody answers at is replaced; a living one and
// anything that is no socket is left alone.
func bindUnix(a Address) (int, error) {
	if err := freePath(a.Path); err != nil {
		return -1, fmt.Errorf("cannot bind %s: %w", a, err)
	}
	typ := map[string]int{"unix": unix.SOCK_STREAM, "unixgram": unix.SOCK_DGRAM, "unixpacket": unix.SOCK_SEQPACKET}[a.Network]
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot bind %s: %w", a, err)
	}
	if err := publishUnix(fd, a); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("cannot bind %s: %w", a, err)
	}
	return fd, nil
}

func publishUnix(fd int, a Address) error {
	// The directory is reached through its descriptor: a path may be longer
	// than the 107 bytes that a socket address holds.
	dir, err := unix.Open(filepath.Dir(a.Path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	tmp := fmt.Sprintf(".zdhost-%d-%d", os.Getpid(), fd)
	short := fmt.Sprintf("/proc/self/fd/%d/%s", dir, tmp)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: short}); err != nil {
		return err
	}
	if err := offer(fd, dir, tmp, a); err != nil {
		_ = unix.Unlinkat(dir, tmp, 0)
		return err
	}
	return nil
}

// offer makes a bound socket ready for clients and gives it its name.
func offer(fd, dir int, tmp string, a Address) error {
	if a.Mode != 0 {
		if err := unix.Fchmodat(dir, tmp, a.Mode, 0); err != nil {
			return err
		}
	}
	if a.Owner != nil && os.Geteuid() == 0 {
		if err := unix.Fchownat(dir, tmp, int(a.Owner.UID), int(a.Owner.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if a.Network != "unixgram" {
		if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
			return err
		}
	}
	return unix.Renameat(dir, tmp, dir, filepath.Base(a.Path))
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
