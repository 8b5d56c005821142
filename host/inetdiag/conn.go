package inetdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotFound says that the kernel knows no such connection: it is over, or was never there.
var ErrNotFound = errors.New("no such connection")

// Conn is one TCP connection, seen from the side that Local names. Addresses are plain IPv4 where the wire is IPv4,
// also for the clients of a [::] listener.
type Conn struct {
	Local, Remote netip.AddrPort
	State         State
	// Inode is the socket's inode; 0 for a handshake, for a connection in the accept queue, and for one that its
	// program has closed.
	Inode  uint64
	UID    uint32 // of the socket's owner; without meaning while Inode is 0
	Cookie uint64 // SO_COOKIE: never reused while the machine is up

	Unread int // bytes received that the program has not read

	// What follows is tcp_info; zero in SYN_RECV and TIME_WAIT.
	Unacked       int           // segments sent and not yet acknowledged
	NotSent       int           // bytes written and not yet sent
	BytesAcked    uint64        // bytes sent and acknowledged, the handshake's and the end's sequence number included
	BytesReceived uint64        // bytes received
	LastDataSent  time.Duration // since data was last sent, or since the connection began
	LastDataRecv  time.Duration // since data was last received, or since the connection began
	LastAckRecv   time.Duration // since the peer's last acknowledgement
}

// Accepted says whether a program has taken the connection out of the accept queue. It stays true when the program
// has closed it: the kernel closes nothing that is still queued.
func (c Conn) Accepted() bool {
	switch c.State {
	case SynRecv, Listen, SynSent:
		return false
	case Established, CloseWait:
		return c.Inode != 0
	default:
		return true
	}
}

// Lookup finds the connection between two addresses, as the end at local sees it. The error is [ErrNotFound] if
// there is none; a listener on local is no connection.
func Lookup(local, remote netip.AddrPort) (Conn, error) { return LookupOn(0, local, remote) }

// LookupOn is Lookup for the connection of a socket that is bound to an interface, by its index: the kernel knows it
// there only. 0 is no interface.
func LookupOn(device int, local, remote netip.AddrPort) (Conn, error) {
	local, remote = unmap(local), unmap(remote)
	if !local.IsValid() || !remote.IsValid() || local.Addr().Is4() != remote.Addr().Is4() {
		return Conn{}, fmt.Errorf("cannot look up connection %s from %s: not two addresses of one family", local, remote)
	}
	request := tcpRequest(local, remote, allStates, true)
	if device != 0 {
		binary.NativeEndian.PutUint32(request[requestID+idScope:], uint32(device))
	}
	row, err := get(request)
	if errors.Is(err, unix.ENOENT) {
		err = ErrNotFound
	}
	var c Conn
	if err == nil {
		c, err = decodeConn(row)
	}
	if err == nil && (c.State == Listen || c.Remote.Port() != remote.Port()) {
		err = ErrNotFound // for want of the connection the kernel answers with a listener
	}
	if err != nil {
		return Conn{}, fmt.Errorf("cannot look up connection %s from %s: %w", local, remote, err)
	}
	return c, nil
}

// Connections lists the connections of a local address, handshakes and dying ones included, listeners not. Which
// sockets an address covers:
//
//   - 0.0.0.0: every address of IPv4 sockets;
//   - [::]: every address of IPv6 sockets, and so also the IPv4 clients of a [::] listener;
//   - an address: that one, through sockets of either family.
//
// The port must not be 0.
func Connections(local netip.AddrPort) ([]Conn, error) {
	conns, err := dumpConns(local, allStates&^(1<<Listen), true)
	if err != nil {
		return nil, fmt.Errorf("cannot list connections of %s: %w", local, err)
	}
	return conns, nil
}

// HalfOpen lists the remote ends of the handshakes on a local address that have not been completed: the kernel has
// answered a SYN and waits for the ACK (with TCP_DEFER_ACCEPT: for the first byte), or the accept queue is full. None
// of them is in an accept queue yet. [Connections] says which sockets an address covers.
func HalfOpen(local netip.AddrPort) ([]netip.AddrPort, error) {
	conns, err := dumpConns(local, 1<<SynRecv, false)
	if err != nil {
		return nil, fmt.Errorf("cannot list half-open handshakes of %s: %w", local, err)
	}
	remotes := make([]netip.AddrPort, 0, len(conns))
	for _, c := range conns {
		if c.Inode == 0 {
			remotes = append(remotes, c.Remote)
		}
	}
	return remotes, nil
}

// dumpConns asks each family for the port and keeps the rows of the address.
func dumpConns(local netip.AddrPort, states uint32, info bool) ([]Conn, error) {
	local = unmap(local)
	if !local.IsValid() || local.Port() == 0 {
		return nil, errors.New("not an address and a port")
	}
	var conns []Conn
	for _, family := range families(local.Addr()) {
		filter := netip.AddrPortFrom(family, local.Port())
		rows, err := dump(tcpRequest(filter, netip.AddrPort{}, states, info))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			c, err := decodeConn(row)
			if err != nil {
				return nil, err
			}
			if c.Local.Port() != local.Port() || 1<<c.State&states == 0 {
				continue
			}
			if local.Addr().IsUnspecified() || c.Local.Addr().WithZone("") == local.Addr().WithZone("") {
				conns = append(conns, c)
			}
		}
	}
	return conns, nil
}

// families names the socket families that can hold connections of an address, by their unspecified addresses.
func families(local netip.Addr) []netip.Addr {
	switch {
	case local.Is6():
		return []netip.Addr{netip.IPv6Unspecified()}
	case local.IsUnspecified():
		return []netip.Addr{netip.IPv4Unspecified()}
	default:
		return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
