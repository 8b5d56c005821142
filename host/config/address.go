package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// Network is the kind of a listener's address.
type Network string

// The networks of a Listener.
const (
	TCP  Network = "tcp"
	UDP  Network = "udp"
	Unix Network = "unix"
)

// MaxUnixPath is the longest path of a unix socket, in bytes: sockaddr_un has
// 108, one of them for NUL.
const MaxUnixPath = 107

// Families are the address families of a TCP or UDP listener.
type Families struct {
	IPv4, IPv6 bool
}

// Listener is an address that the host holds.
type Listener struct {
	Name     string
	Address  string // in its normal form: "127.0.0.1:80", ":80", "[::]:80", "udp:…", "unix:/path"
	Network  Network
	Host     netip.Addr // not valid for unix, and for every address of both families
	Port     uint16     // of tcp and udp
	Path     string     // of unix, absolute
	Families Families   // of tcp and udp; "[::]:80" is IPv6 only, ":80" both
	Backlog  int
	Sticky   bool
	Mode     fs.FileMode // of unix
}

// parseAddress returns a Listener of that address, everything else unset. A
// relative path of a unix socket is relative to dir. The error is an
// *addressError.
func parseAddress(address, dir string) (Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return unixAddress(path, dir)
	}
	if strings.Contains(address, "://") {
		return Listener{}, &addressError{"is a URL", `write "127.0.0.1:8080"`}
	}
	l := Listener{Network: TCP}
	rest := address
	if r, ok := strings.CutPrefix(rest, "udp:"); ok {
		l.Network, rest = UDP, r
	} else if r, ok := strings.CutPrefix(rest, "tcp:"); ok {
		rest = r
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		return l, splitError(rest, l.Network)
	}
	if l.Port, err = parsePort(host, port); err != nil {
		return l, err
	}
	if err := l.setHost(host); err != nil {
		return l, err
	}
	l.Address = l.normalAddress()
	return l, nil
}

// addressError is what is wrong with an address.
type addressError struct {
	reason, hint string
}

func (e *addressError) Error() string { return e.reason }

func unixAddress(path, dir string) (Listener, error) {
	if path == "" {
		return Listener{}, &addressError{"has no path", "write \"unix:./app.sock\""}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	path = filepath.Clean(path)
	if len(path) > MaxUnixPath {
		return Listener{}, &addressError{
			fmt.Sprintf("is a path of %d bytes; a unix socket's may have %d", len(path), MaxUnixPath),
			"use a directory nearer the root, such as /run",
		}
	}
	return Listener{Network: Unix, Path: path, Address: "unix:" + path}, nil
}

func splitError(rest string, network Network) error {
	prefix := ""
	if network == UDP {
		prefix = "udp:"
	}
	if _, err := strconv.ParseUint(rest, 10, 16); err == nil {
		return &addressError{"has no host and no colon", fmt.Sprintf("for that port on every address write %q", prefix+":"+rest)}
	}
	if a, err := netip.ParseAddr(strings.Trim(rest, "[]")); err == nil {
		return &addressError{"has no port", fmt.Sprintf("write %q", prefix+net.JoinHostPort(a.String(), "8080"))}
	}
	if strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "./") {
		return &addressError{"is a path", fmt.Sprintf("for a unix socket write %q", "unix:"+rest)}
	}
	return &addressError{`is not "host:port"`, `write "127.0.0.1:8080", ":8080", "udp:127.0.0.1:53" or "unix:./app.sock"`}
}

func parsePort(host, port string) (uint16, error) {
	n, err := strconv.ParseUint(port, 10, 64)
	switch {
	case err == nil && n >= 1 && n <= 65535:
		return uint16(n), nil
	case err == nil && n == 0:
		return 0, &addressError{"has port 0", "a listener needs a fixed port"}
	case err == nil || errors.Is(err, strconv.ErrRange):
		return 0, &addressError{fmt.Sprintf("has port %s; the last is 65535", port), ""}
	case port == "":
		return 0, &addressError{"has no port", fmt.Sprintf("write %q", net.JoinHostPort(host, "8080"))}
	}
	return 0, &addressError{fmt.Sprintf("has port %q, which is no number", port), ""}
}

func (l *Listener) setHost(host string) error {
	if host == "" {
		l.Families = Families{IPv4: true, IPv6: true}
		return nil
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		hint := fmt.Sprintf("write an IP address of this machine, or %q for all of them", ":"+strconv.Itoa(int(l.Port)))
		return &addressError{fmt.Sprintf("has the host %q, which is no IP address", host), hint}
	}
	l.Host = ip.Unmap()
	l.Families = Families{IPv4: l.Host.Is4(), IPv6: l.Host.Is6()}
	return nil
}

func (l *Listener) normalAddress() string {
	host := ""
	if l.Host.IsValid() {
		host = l.Host.String()
	}
	address := net.JoinHostPort(host, strconv.Itoa(int(l.Port)))
	if l.Network == UDP {
		return "udp:" + address
	}
	return address
}

// Overlaps tells whether two listeners can't both be bound: the same address,
// or one of them is every address of a family that both have.
func (l *Listener) Overlaps(o *Listener) bool {
	if l.Network != o.Network {
		return false
	}
	if l.Network == Unix {
		return l.Path == o.Path
	}
	families := l.Families.IPv4 && o.Families.IPv4 || l.Families.IPv6 && o.Families.IPv6
	return l.Port == o.Port && families && (l.Host == o.Host || l.wildcard() || o.wildcard())
}

func (l *Listener) wildcard() bool { return !l.Host.IsValid() || l.Host.IsUnspecified() }
