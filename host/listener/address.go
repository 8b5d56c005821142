package listener

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The networks of an address.
const (
	TCP  = "tcp"
	UDP  = "udp"
	Unix = "unix"
)

// Address is where a listener listens.
type Address struct {
	Network string         // TCP, UDP or Unix
	IP      netip.AddrPort // of TCP and UDP; [::] means both families unless a lane is V6ONLY
	Path    string         // of Unix
}

// ParseAddress reads an address as configurations write it: "host:port", ":port" (both families), "unix:PATH",
// "udp:host:port". The host is an IP address or localhost, which means 127.0.0.1: other names aren't resolved, so
// that an address doesn't change under a running service. The port is a number from 1 on.
func ParseAddress(text string) (Address, error) {
	a, err := parseAddress(text)
	if err != nil {
		return Address{}, fmt.Errorf("cannot parse address %q: %w", text, err)
	}
	return a, nil
}

func parseAddress(text string) (Address, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		switch {
		case path == "":
			return Address{}, errors.New("the path is empty")
		case strings.HasPrefix(path, "@"):
			return Address{}, errors.New("an abstract socket has no file to keep; use a path (./@name for a file of that name)")
		case strings.ContainsRune(path, 0):
			return Address{}, errors.New("the path contains a NUL byte")
		}
		return Address{Network: Unix, Path: path}, nil
	}
	a := Address{Network: TCP}
	if rest, ok := strings.CutPrefix(text, "udp:"); ok {
		a.Network, text = UDP, rest
	}
	var err error
	a.IP, err = parseHostPort(text)
	return a, err
}

func parseHostPort(text string) (netip.AddrPort, error) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return netip.AddrPort{}, errors.New(`it has no port; write host:port, ":port", "unix:PATH" or "udp:host:port"`)
	}
	host, portText := text[:colon], text[colon+1:]
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("port %q is not a number from 1 to 65535", portText)
	}
	bracketed := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	if bracketed {
		host = host[1 : len(host)-1]
	}
	var ip netip.Addr
	switch {
	case host == "" && !bracketed:
		ip = netip.IPv6Unspecified()
	case host == "localhost":
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, fmt.Errorf("host %q is neither an IP address nor localhost", host)
		}
		if ip.Is6() != bracketed {
			return netip.AddrPort{}, fmt.Errorf("host %q: brackets are for IPv6 addresses, and those need them", host)
		}
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), nil
}

// String is the address in the form that [ParseAddress] reads.
func (a Address) String() string {
	switch a.Network {
	case Unix:
		return "unix:" + a.Path
	case UDP:
		return "udp:" + a.IP.String()
	default:
		return a.IP.String()
	}
}
