package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkAddress checks that a listener's address is this machine's, and free.
func (c *Config) checkAddress(l *Listener, held []string, m machine, found *findings) {
	if isHeld(l, held) {
		return
	}
	path := "listener." + l.Name + ".address"
	complain := func(hint, format string, args ...any) {
		words := fmt.Sprintf(format, args...)
		found.add(c.PosOf(path), path, hint, "address %s of listener %q %s", l.Address, l.Name, words)
	}
	err := m.bind(l)
	switch {
	case err == nil:
	case errors.Is(err, syscall.EADDRINUSE):
		hint := "stop it, or choose another address"
		if holder := m.holder(l); holder != "" {
			complain(hint, "is in use by %s", holder)
		} else {
			complain(hint, "is in use")
		}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		complain(ownAddresses(l, m), "is not this machine's")
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		hint := "check the permissions of the directory"
		if l.Network != Unix {
			hint = "a port below 1024 needs root or CAP_NET_BIND_SERVICE; for example use 8080"
		}
		complain(hint, "may not be bound by this user")
	case l.Network == Unix && errors.Is(err, fs.ErrNotExist):
		complain(nearestFile(filepath.Dir(l.Path)), "is in a directory that is not there")
	default:
		complain("", "can't be bound: %s", reason(err))
	}
}

// isHeld tells whether one of the addresses is the listener's, however it is
// written.
func isHeld(l *Listener, held []string) bool {
	return slices.ContainsFunc(held, func(address string) bool {
		h, err := parseAddress(address, "/")
		if err != nil {
			return false
		}
		everywhere := l.Network != Unix && l.Port == h.Port && l.wildcard() && h.wildcard()
		return l.Address == h.Address || l.Network == h.Network && everywhere
	})
}

// ownAddresses returns a hint with the addresses of the listener's family that
// this machine has, those that begin most like the wanted one first.
func ownAddresses(l *Listener, m machine) string {
	const most = 4
	all, err := m.addresses()
	if err != nil {
		return ""
	}
	var own []netip.Addr
	for _, a := range all {
		if a.Is4() == l.Host.Is4() && !slices.Contains(own, a) {
			own = append(own, a)
		}
	}
	slices.SortStableFunc(own, func(a, b netip.Addr) int {
		return commonBits(b, l.Host) - commonBits(a, l.Host)
	})
	var words []string
	for _, a := range own[:min(len(own), most)] {
		words = append(words, a.String())
	}
	if len(words) == 0 {
		return "this machine has no address of that family"
	}
	return "this machine has " + strings.Join(words, ", ")
}

// commonBits counts the leading bits that two addresses share.
func commonBits(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	n := 0
	for i := range x {
		for bit := 7; bit >= 0; bit-- {
			if (x[i]^y[i])>>bit&1 != 0 {
				return n
			}
			n++
		}
	}
	return n
}

// probeBind binds a listener's address and closes it again at once. TCP is
// bound with SO_REUSEADDR, so that connections in TIME_WAIT don't count, and
// never listens.
func probeBind(l *Listener) error {
	if l.Network == Unix {
		return probeUnix(l.Path)
	}
	if l.Families.IPv6 {
		err := bindOnce(l, unix.AF_INET6, !l.Families.IPv4)
		if !l.Families.IPv4 || !errors.Is(err, syscall.EAFNOSUPPORT) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return err
		}
	}
	return bindOnce(l, unix.AF_INET, false)
}

func bindOnce(l *Listener, family int, v6only bool) error {
	kind := unix.SOCK_STREAM
	if l.Network == UDP {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if l.Network == TCP {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
	}
	if family == unix.AF_INET {
		address := &unix.SockaddrInet4{Port: int(l.Port)}
		if l.Host.IsValid() {
			address.Addr = l.Host.As4()
		}
		return unix.Bind(fd, address)
	}
	only := 0
	if v6only {
		only = 1
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
		return err
	}
	address := &unix.SockaddrInet6{Port: int(l.Port)}
	if l.Host.IsValid() {
		address.Addr = l.Host.As16()
		if zone := l.Host.Zone(); zone != "" {
			iface, err := net.InterfaceByName(zone)
			if err != nil {
				return syscall.EADDRNOTAVAIL
			}
			address.ZoneId = uint32(iface.Index)
		}
	}
	return unix.Bind(fd, address)
}

// probeUnix tells whether a unix socket could be made at path: its directory
// is there, and nothing that answers, nor a file of another kind, is.
func probeUnix(path string) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK)
	} else if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("a file that is no socket is there")
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil // left behind
	}
	if err == nil || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EPROTOTYPE) {
		return syscall.EADDRINUSE
	}
	return err
}
