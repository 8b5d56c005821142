package listener

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Locate finds out which lane has which index, and steers anew. No client and no program notices: for each index
// one SYN is sent from a source that the index is given to, with a hop limit of 1, while every lane demands 2; the lane
// whose drop counter moved has the index. It needs no privilege.
//
// While the indices were unknown, weights may have reached other lanes than they were meant for. An error leaves
// them unknown, or as they were known before.
func (l *Listener) Locate(ctx context.Context) error {
	if err := l.locate(ctx); err != nil {
		return fmt.Errorf("cannot locate lanes of listener %s: %w", l.name, err)
	}
	return nil
}

func (l *Listener) locate(ctx context.Context) (err error) {
	if !l.steerable() {
		return ErrShared
	}
	lanes := l.Lanes()
	if len(lanes) == 0 {
		return errors.New("the listener has no lane")
	}
	target := lanes[0].targets(false)[0]
	lower, err := demandHops(lanes, hopsOf(target.Addr()))
	defer func() { err = errors.Join(err, lower()) }()
	if err != nil {
		return err
	}
	indices := make(map[*Lane]int, len(lanes))
	for index := range lanes {
		lane, err := l.occupant(ctx, lanes, target, index)
		if err != nil {
			return err
		}
		if other, twice := indices[lane]; twice {
			return fmt.Errorf("indices %d and %d both reach one lane: the group has fewer members than lanes", other, index)
		}
		indices[lane] = index
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	for lane, index := range indices {
		lane.index = index
	}
	if err := l.sortLanes(); err != nil {
		return err
	}
	l.unlocated = false
	return l.steer()
}

// occupant finds the lane that has an index. Other packets may be dropped meanwhile, so it asks until one candidate
// is left.
func (l *Listener) occupant(ctx context.Context, lanes []*Lane, target netip.AddrPort, index int) (*Lane, error) {
	candidates := lanes
	for {
		marked, err := l.mark(ctx, lanes, target, index)
		if err != nil {
			return nil, fmt.Errorf("index %d: %w", index, err)
		}
		var left []*Lane
		for _, lane := range candidates {
			if marked[lane] {
				left = append(left, lane)
			}
		}
		switch len(left) {
		case 1:
			return left[0], nil
		case 0:
			candidates = lanes // the lanes moved between two packets
		default:
			candidates = left
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("index %d: %w", index, context.Cause(ctx))
		}
	}
}

// mark sends one SYN to an index and returns the lanes that dropped a packet meanwhile.
func (l *Listener) mark(ctx context.Context, lanes []*Lane, target netip.AddrPort, index int) (marked map[*Lane]bool, err error) {
	address, err := sockaddr(target)
	if err != nil {
		return nil, err
	}
	family := unix.AF_INET
	if target.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	own := hopsOf(target.Addr()).sent
	if err := socket(fd).setOption(own.level, own.name, shortHops, own.text); err != nil {
		return nil, err
	}
	held, err := reserve(socket(fd), target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	if err := l.addProbe(probe{source: held.source, index: index}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.removeProbe(held.source)) }()

	before := make(map[*Lane]uint32, len(lanes))
	for _, lane := range lanes {
		if before[lane], err = lane.socket.drops(); err != nil {
			return nil, err
		}
	}
	if err := unix.Connect(fd, address); !errors.Is(err, unix.EINPROGRESS) {
		return nil, undropped(target, err)
	}
	return moved(ctx, fd, target, before)
}

// moved waits until a drop counter has moved and returns the lanes whose has.
func moved(ctx context.Context, fd int, target netip.AddrPort, before map[*Lane]uint32) (map[*Lane]bool, error) {
	var pace backoff
	for {
		marked := make(map[*Lane]bool)
		for lane, was := range before {
			drops, err := lane.socket.drops()
			if err != nil {
				return nil, err
			}
			if drops != was {
				marked[lane] = true
			}
		}
		if len(marked) > 0 {
			return marked, nil
		}
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if n, _ := unix.Poll(poll, 0); n > 0 {
			_, err := unix.Getpeername(fd)
			return nil, undropped(target, err)
		}
		if err := pace.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// undropped explains a connection that no lane dropped.
func undropped(target netip.AddrPort, err error) error {
	if err != nil {
		return fmt.Errorf("connect to %s: %w", target, err)
	}
	return fmt.Errorf("a socket that is no lane of this listener shares %s", target)
}

// shortHops is a hop limit that no client's packet arrives with, unless the client is as many routers away as its
// own limit allows; demandedHops is what turns it away.
const (
	shortHops    = 1
	demandedHops = 2
)

// hops are the options of one IP version: the least hop limit that a socket takes, and the one that it sends.
type hops struct{ least, sent option }

func hopsOf(ip netip.Addr) hops {
	if ip.Is4() {
		return hops{
			least: option{level: unix.IPPROTO_IP, name: unix.IP_MINTTL, text: "IP_MINTTL"},
			sent:  option{level: unix.IPPROTO_IP, name: unix.IP_TTL, text: "IP_TTL"},
		}
	}
	return hops{
		least: option{level: unix.IPPROTO_IPV6, name: unix.IPV6_MINHOPCOUNT, text: "IPV6_MINHOPCOUNT"},
		sent:  option{level: unix.IPPROTO_IPV6, name: unix.IPV6_UNICAST_HOPS, text: "IPV6_UNICAST_HOPS"},
	}
}

// demandHops lets every lane turn packets with too few hops away, and returns what undoes it. A lane whose program
// demands as many or more by itself stays as it is.
func demandHops(lanes []*Lane, h hops) (undo func() error, err error) {
	before := make(map[*Lane]int)
	undo = func() error {
		var errs []error
		for lane, was := range before {
			errs = append(errs, lane.socket.setOption(h.least.level, h.least.name, was, h.least.text))
		}
		return errors.Join(errs...)
	}
	for _, lane := range lanes {
		was, err := lane.socket.option(h.least.level, h.least.name, h.least.text)
		if err != nil {
			return undo, err
		}
		if was >= demandedHops {
			continue
		}
		if err := lane.socket.setOption(h.least.level, h.least.name, demandedHops, h.least.text); err != nil {
			return undo, err
		}
		before[lane] = was
	}
	return undo, nil
}
