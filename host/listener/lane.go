package listener

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/inetdiag"
)

// Lane is one accept queue of a listener, or the one shared socket of a unix or datagram listener.
type Lane struct {
	listener *Listener
	socket   socket
	cookie   uint64
	inode    uint64
	local    netip.AddrPort // of TCP and UDP
	v6only   bool
	index    int // guarded by the listener's mutex
}

// describe checks that a descriptor can be a lane of this listener.
func (l *Listener) describe(fd int) (*Lane, error) {
	lane := &Lane{listener: l, socket: socket(fd)}
	var err error
	if lane.cookie, err = lane.socket.cookie(); err != nil {
		return nil, err
	}
	if lane.inode, err = lane.socket.inode(); err != nil {
		return nil, err
	}
	if err := l.checkKind(lane.socket); err != nil {
		return nil, err
	}
	if l.address.Network == Unix {
		return lane, nil
	}
	if lane.local, err = lane.socket.local(); err != nil {
		return nil, err
	}
	if lane.local.Addr().Is6() {
		v6only, err := lane.socket.option(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, "IPV6_V6ONLY")
		if err != nil {
			return nil, err
		}
		lane.v6only = v6only != 0
	}
	return lane, l.checkAddress(lane.local)
}

// checkKind compares the socket's kind with the listener's network.
func (l *Listener) checkKind(s socket) error {
	kind, err := s.option(unix.SOL_SOCKET, unix.SO_TYPE, "SO_TYPE")
	if err != nil {
		return err
	}
	protocol, err := s.option(unix.SOL_SOCKET, unix.SO_PROTOCOL, "SO_PROTOCOL")
	if err != nil {
		return err
	}
	domain, err := s.option(unix.SOL_SOCKET, unix.SO_DOMAIN, "SO_DOMAIN")
	if err != nil {
		return err
	}
	internet := domain == unix.AF_INET || domain == unix.AF_INET6
	switch {
	case protocol == unix.IPPROTO_MPTCP:
		return errors.New("it is an MPTCP socket, which takes no steering program")
	case l.address.Network == TCP && internet && kind == unix.SOCK_STREAM && protocol == unix.IPPROTO_TCP:
		return nil
	case l.address.Network == UDP && internet && kind == unix.SOCK_DGRAM && protocol == unix.IPPROTO_UDP:
		return nil
	case l.address.Network == Unix && domain == unix.AF_UNIX:
		return nil
	}
	return fmt.Errorf("the socket (domain %d, type %d, protocol %d) is none of %s", domain, kind, protocol, l.address.Network)
}

// checkAddress compares the bound address with the listener's. Where the configuration says both families, the
// first socket may be of either.
func (l *Listener) checkAddress(local netip.AddrPort) error {
	want := l.address.IP
	same := local.Addr().WithZone("") == want.Addr().WithZone("")
	either := want.Addr() == netip.IPv6Unspecified() && local.Addr() == netip.IPv4Unspecified()
	if !same && !either || local.Port() != want.Port() {
		return fmt.Errorf("the socket is bound to %s, not %s", local, want)
	}
	return nil
}

// FD is the lane's descriptor, for handing it to another process. It stays the lane's: don't close it, and never put
// it into an [os.File], which would change the mode of every duplicate.
func (lane *Lane) FD() int { return int(lane.socket) }

// Cookie is SO_COOKIE: it names the socket in every process and is never reused while the machine is up.
func (lane *Lane) Cookie() uint64 { return lane.cookie }

// Inode is the socket's inode, the same in every process that holds it.
func (lane *Lane) Inode() uint64 { return lane.inode }

// Index is the lane's present place in the kernel's group. It is stable while every lane listens.
func (lane *Lane) Index() int {
	lane.listener.mu.Lock()
	defer lane.listener.mu.Unlock()
	return lane.index
}

// Weight is the lane's share in basis points, 0 where it has none.
func (lane *Lane) Weight() int {
	lane.listener.mu.Lock()
	defer lane.listener.mu.Unlock()
	for _, s := range lane.listener.shares {
		if s.Lane == lane {
			return s.Weight
		}
	}
	return 0
}

// Queue returns how many connections wait in the accept queue and its limit, beyond which the kernel lets one more
// in. Of a datagram lane it returns the memory that waiting datagrams take and its limit, in bytes. The error is
// [ErrLaneLost] if the lane doesn't listen.
func (lane *Lane) Queue() (length, limit int, err error) {
	length, limit, err = lane.queue()
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read queue of listener %s: %w", lane.listener.name, err)
	}
	return length, limit, nil
}

func (lane *Lane) queue() (length, limit int, err error) {
	switch lane.listener.address.Network {
	case Unix:
		s, err := inetdiag.LookupUnix(lane.inode)
		if err == nil && !s.Listening {
			err = ErrLaneLost
		}
		return s.Queue, s.Limit, err
	case UDP:
		info, err := lane.socket.memInfo()
		return int(info[unix.SK_MEMINFO_RMEM_ALLOC]), int(info[unix.SK_MEMINFO_RCVBUF]), err
	}
	info, err := lane.socket.tcpInfo()
	if err != nil {
		return 0, 0, err
	}
	if inetdiag.State(info.State) != inetdiag.Listen {
		return 0, 0, ErrLaneLost
	}
	return int(info.Unacked), int(info.Sacked), nil
}

// Drops returns how many connections or datagrams the kernel has dropped on this lane since the socket was made, for
// want of room in its queue above all. The kernel counts in 32 bits and wraps.
func (lane *Lane) Drops() (uint64, error) {
	drops, err := lane.socket.drops()
	if err != nil {
		return 0, fmt.Errorf("cannot read drops of listener %s: %w", lane.listener.name, err)
	}
	return uint64(drops), nil
}

// Listening says whether clients can still connect: the lane is in LISTEN, and no holder has shut it down. A
// datagram lane always counts.
func (lane *Lane) Listening() (bool, error) {
	listening, err := lane.listening()
	if err != nil {
		return false, fmt.Errorf("cannot read state of listener %s: %w", lane.listener.name, err)
	}
	return listening, nil
}

func (lane *Lane) listening() (bool, error) {
	if lane.listener.address.Network == UDP {
		return true, nil
	}
	listening, err := lane.socket.listening()
	if err != nil || !listening || lane.listener.address.Network == TCP {
		return listening, err
	}
	// A unix socket that was shut down stays in LISTEN and refuses every client.
	hungUp, err := lane.socket.hungUp()
	return !hungUp, err
}
