package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/inetdiag"
)

// ErrNotAccepted says that a probe's connection was made and that no program accepted it in time.
var ErrNotAccepted = errors.New("no program accepted the connection")

// Probe connects to the listener's public address so that the connection reaches this very lane, whatever its weight,
// waits until a program has accepted it, and then runs speak on it. With speak nil the probe is bare: the connection
// is closed as soon as it was accepted. Ordinary connections aren't affected; only one from the probe's own address
// and port would be, and that port is held until the rule is gone.
//
// The address is dialled from itself, a wildcard through the loopback. A lane that defers accepting until data
// arrives gets "\r\n" from a bare probe, and speak isn't kept waiting for the acceptance that it brings about. A
// unix listener is dialled as it is. Datagram listeners can't be probed: [ErrShared].
//
// ctx bounds everything, speak's reads and writes included, and needs a deadline: an idle program accepts never. The
// error matches [ErrNotAccepted] in that case; a refused connection and an error of speak come through as they are.
func (l *Listener) Probe(ctx context.Context, lane *Lane, speak func(net.Conn) error) error {
	err := l.probe(ctx, lane, speak)
	if err != nil {
		return fmt.Errorf("cannot probe lane of listener %s: %w", l.name, err)
	}
	return nil
}

func (l *Listener) probe(ctx context.Context, lane *Lane, speak func(net.Conn) error) error {
	if lane == nil || lane.listener != l {
		return ErrForeignLane
	}
	switch l.address.Network {
	case Unix:
		return l.probeUnix(ctx, lane, speak)
	case UDP:
		return ErrShared
	}
	device, err := lane.socket.option(unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, "SO_BINDTOIFINDEX")
	if err != nil {
		return err
	}
	targets := lane.targets(l.options.ProbeBoth)
	if device != 0 && lane.local.Addr().IsUnspecified() {
		if targets, err = targetsOn(device, targets); err != nil {
			return err
		}
	}
	for i, target := range targets {
		err := l.probeTCP(ctx, lane, device, target, speak)
		if i > 0 && errors.Is(err, unix.EADDRNOTAVAIL) {
			continue // no IPv6 loopback here
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// targets are the addresses to dial for reaching a lane.
func (lane *Lane) targets(both bool) []netip.AddrPort {
	four := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), lane.local.Port())
	six := netip.AddrPortFrom(netip.IPv6Loopback(), lane.local.Port())
	switch ip := lane.local.Addr(); {
	case !ip.IsUnspecified():
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), lane.local.Port())}
	case ip.Is4():
		return []netip.AddrPort{four}
	case lane.v6only:
		return []netip.AddrPort{six}
	case both:
		return []netip.AddrPort{four, six}
	default:
		return []netip.AddrPort{four}
	}
}

// targetsOn gives each loopback address among the targets the interface's own address of its family, where it has one:
// a lane that is bound to an interface is not reached through another.
func targetsOn(device int, targets []netip.AddrPort) ([]netip.AddrPort, error) {
	at, err := net.InterfaceByIndex(device)
	if err != nil {
		return nil, err
	}
	addresses, err := at.Addrs()
	if err != nil {
		return nil, err
	}
	var found []netip.AddrPort
	for _, target := range targets {
		for _, a := range addresses {
			prefix, err := netip.ParsePrefix(a.String())
			if err != nil || prefix.Addr().Is4() != target.Addr().Is4() {
				continue
			}
			ip := prefix.Addr()
			if ip.IsLinkLocalUnicast() && ip.Is6() {
				ip = ip.WithZone(strconv.Itoa(device))
			}
			found = append(found, netip.AddrPortFrom(ip, target.Port()))
			break
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("interface %s, which the lane is bound to, has no address", at.Name)
	}
	return found, nil
}

func (l *Listener) probeTCP(ctx context.Context, lane *Lane, device int, target netip.AddrPort, speak func(net.Conn) error) (err error) {
	var held reservation
	defer func() {
		if held.source.IsValid() {
			err = errors.Join(err, l.removeProbe(held.source), held.release())
		}
	}()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		if held.source.IsValid() {
			return errors.New("the connection was dialled twice")
		}
		return control(c, func(fd int) (err error) {
			if device != 0 {
				if err := socket(fd).setOption(unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, device, "SO_BINDTOIFINDEX"); err != nil {
					return err
				}
			}
			if held, err = reserve(socket(fd), target); err != nil {
				return err
			}
			return l.addProbe(probe{source: held.source, lane: lane})
		})
	}}
	dialer.SetMultipathTCP(false)
	conn, err := dialer.DialContext(ctx, "tcp", target.String())
	if err != nil {
		return err
	}
	defer conn.Close()

	deferred, err := lane.socket.option(unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT")
	if err != nil {
		return err
	}
	switch {
	case deferred > 0 && speak != nil:
		return converse(ctx, conn, speak)
	case deferred > 0:
		if _, err := conn.Write([]byte("\r\n")); err != nil {
			return err
		}
	}
	return lane.accepted(ctx, conn, speak, func() (bool, error) {
		c, err := inetdiag.LookupOn(device, target, held.source)
		if errors.Is(err, inetdiag.ErrNotFound) {
			return false, nil // SYN cookies, or over already; the client's end tells
		}
		return c.Accepted(), err
	})
}

func (l *Listener) probeUnix(ctx context.Context, lane *Lane, speak func(net.Conn) error) error {
	path, release, err := shortPath(l.address.Path)
	if err != nil {
		return err
	}
	defer release()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	var inode uint64
	err = controlConn(conn, func(fd int) (err error) {
		inode, err = socket(fd).inode()
		return err
	})
	if err != nil {
		return err
	}
	return lane.accepted(ctx, conn, speak, func() (bool, error) {
		s, err := inetdiag.LookupUnix(inode)
		return s.Peer != 0, err
	})
}

// accepted waits until taken says so, or the server has ended the connection, and then runs speak.
func (lane *Lane) accepted(ctx context.Context, conn net.Conn, speak func(net.Conn) error, taken func() (bool, error)) error {
	var pace backoff
	for {
		yes, err := taken()
		if err == nil && !yes {
			yes, err = lane.ended(conn)
		}
		if err != nil {
			return err
		}
		if yes {
			return converse(ctx, conn, speak)
		}
		if err := pace.wait(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrNotAccepted, err)
		}
	}
}

// ended says whether a program has accepted the connection and ended it already: nothing else closes one. A reset is
// a program's too while the lane listens (it closed with bytes unread), else that of the queue, which was destroyed.
// The exception is net.ipv4.tcp_abort_on_overflow, off by default, with which a full queue resets clients as well.
func (lane *Lane) ended(conn net.Conn) (bool, error) {
	poll := []unix.PollFd{{Events: unix.POLLRDHUP}}
	err := controlConn(conn, func(fd int) error {
		poll[0].Fd = int32(fd)
		_, err := unix.Poll(poll, 0)
		return os.NewSyscallError("poll", err)
	})
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, err
	}
	if poll[0].Revents&unix.POLLERR == 0 {
		return poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0, nil
	}
	listening, err := lane.listening()
	if err == nil && !listening {
		err = ErrLaneLost
	}
	return listening, err
}

// converse runs speak within the context.
func converse(ctx context.Context, conn net.Conn, speak func(net.Conn) error) error {
	if speak == nil {
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if err := speak(conn); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return err
	}
	return nil
}

func controlConn(conn net.Conn, call func(fd int) error) error {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, call)
}

func control(raw syscall.RawConn, call func(fd int) error) error {
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = call(int(fd)) }); err != nil {
		return err
	}
	return failed
}
