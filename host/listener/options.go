package listener

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// option is a socket option that a program may set on a lane and that its next user must not inherit.
type option struct {
	level, name int
	text        string
	halve       bool // the kernel doubles what is set and returns the double
}

var socketOptions = []option{
	{level: unix.SOL_SOCKET, name: unix.SO_KEEPALIVE, text: "SO_KEEPALIVE"},
	{level: unix.SOL_SOCKET, name: unix.SO_OOBINLINE, text: "SO_OOBINLINE"},
	{level: unix.SOL_SOCKET, name: unix.SO_PRIORITY, text: "SO_PRIORITY"},
	{level: unix.SOL_SOCKET, name: unix.SO_MARK, text: "SO_MARK"},
	{level: unix.SOL_SOCKET, name: unix.SO_RCVLOWAT, text: "SO_RCVLOWAT"},
	{level: unix.SOL_SOCKET, name: unix.SO_BUSY_POLL, text: "SO_BUSY_POLL"},
	{level: unix.SOL_SOCKET, name: unix.SO_DONTROUTE, text: "SO_DONTROUTE"},
	{level: unix.SOL_SOCKET, name: unix.SO_RCVBUF, text: "SO_RCVBUF", halve: true},
	{level: unix.SOL_SOCKET, name: unix.SO_SNDBUF, text: "SO_SNDBUF", halve: true},
}

var tcpOptions = []option{
	{level: unix.IPPROTO_TCP, name: unix.TCP_NODELAY, text: "TCP_NODELAY"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_CORK, text: "TCP_CORK"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_DEFER_ACCEPT, text: "TCP_DEFER_ACCEPT"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE, text: "TCP_KEEPIDLE"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL, text: "TCP_KEEPINTVL"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT, text: "TCP_KEEPCNT"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_LINGER2, text: "TCP_LINGER2"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_USER_TIMEOUT, text: "TCP_USER_TIMEOUT"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_NOTSENT_LOWAT, text: "TCP_NOTSENT_LOWAT"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_FASTOPEN, text: "TCP_FASTOPEN"},
	{level: unix.IPPROTO_TCP, name: unix.TCP_SAVE_SYN, text: "TCP_SAVE_SYN"},
}

var ip4Options = []option{
	{level: unix.IPPROTO_IP, name: unix.IP_TOS, text: "IP_TOS"},
	{level: unix.IPPROTO_IP, name: unix.IP_TTL, text: "IP_TTL"},
	{level: unix.IPPROTO_IP, name: unix.IP_MINTTL, text: "IP_MINTTL"},
}

var ip6Options = []option{
	{level: unix.IPPROTO_IPV6, name: unix.IPV6_TCLASS, text: "IPV6_TCLASS"},
	{level: unix.IPPROTO_IPV6, name: unix.IPV6_UNICAST_HOPS, text: "IPV6_UNICAST_HOPS"},
	{level: unix.IPPROTO_IPV6, name: unix.IPV6_MINHOPCOUNT, text: "IPV6_MINHOPCOUNT"},
}

// ResetOptions gives a lane the options of a new socket, so that a lane out of the pool brings nothing along from the
// program that had it before: socket options, linger, congestion control, buffer sizes and their locks, a socket
// filter, and the descriptor's flags (non-blocking, as Go's runtime wants it). Address, V6ONLY, reuse, backlog, group
// and queue stay, and so do TCP_MAXSEG and TCP_WINDOW_CLAMP, which can't be read back.
//
// Call it only while no program holds the lane. The errors of all options that couldn't be reset are joined; SO_MARK
// and a raised SO_PRIORITY, which only a privileged program can have set, need CAP_NET_ADMIN.
func (lane *Lane) ResetOptions() error {
	if err := lane.resetOptions(); err != nil {
		return fmt.Errorf("cannot reset options of lane of listener %s: %w", lane.listener.name, err)
	}
	return nil
}

func (lane *Lane) resetOptions() error {
	domain, options := unix.AF_UNIX, socketOptions
	kind, protocol := unix.SOCK_STREAM, 0
	if lane.listener.address.Network != Unix {
		domain, options = unix.AF_INET, append(options[:len(options):len(options)], ip4Options...)
		if lane.local.Addr().Is6() {
			domain, options = unix.AF_INET6, append(options, ip6Options...)
		}
	}
	switch lane.listener.address.Network {
	case TCP:
		options = append(options, tcpOptions...)
	case UDP:
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)

	fresh := socket(fd)
	errs := []error{lane.resetFlags(), lane.socket.detachFilter(), resetLinger(lane.socket)}
	for _, o := range options {
		errs = append(errs, o.reset(lane.socket, fresh))
	}
	if lane.listener.address.Network == TCP {
		errs = append(errs, resetCongestion(lane.socket, fresh))
	}
	errs = append(errs, unlockBuffers(lane.socket))
	return errors.Join(errs...)
}

// reset copies the option from a new socket where it differs. An option that this kernel or family lacks can't
// have been set.
func (o option) reset(s, fresh socket) error {
	want, err := fresh.option(o.level, o.name, o.text)
	if errors.Is(err, unix.ENOPROTOOPT) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	if err != nil {
		return err
	}
	have, err := s.option(o.level, o.name, o.text)
	if err != nil || have == want {
		return err
	}
	if o.halve {
		want /= 2
	}
	return s.setOption(o.level, o.name, want, o.text)
}

func (lane *Lane) resetFlags() error {
	_, err := unix.FcntlInt(uintptr(lane.socket), unix.F_SETFL, unix.O_NONBLOCK)
	return os.NewSyscallError("fcntl F_SETFL", err)
}

func resetLinger(s socket) error {
	return os.NewSyscallError("setsockopt SO_LINGER", unix.SetsockoptLinger(int(s), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{}))
}

func resetCongestion(s, fresh socket) error {
	want, err := unix.GetsockoptString(int(fresh), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil {
		return os.NewSyscallError("getsockopt TCP_CONGESTION", err)
	}
	have, err := unix.GetsockoptString(int(s), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil || have == want {
		return os.NewSyscallError("getsockopt TCP_CONGESTION", err)
	}
	return os.NewSyscallError("setsockopt TCP_CONGESTION",
		unix.SetsockoptString(int(s), unix.IPPROTO_TCP, unix.TCP_CONGESTION, want))
}

// unlockBuffers lets the kernel tune the buffers again, which setting a size forbids. Before Linux 5.14 there is no
// way back.
func unlockBuffers(s socket) error {
	err := s.setOption(unix.SOL_SOCKET, unix.SO_BUF_LOCK, 0, "SO_BUF_LOCK")
	if errors.Is(err, unix.ENOPROTOOPT) {
		return nil
	}
	return err
}
