package inetdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// UnixSocket is what the kernel says of a unix socket.
type UnixSocket struct {
	Listening bool
	// Queue is the number of connections that wait to be accepted, and Limit the backlog. Of a socket that doesn't
	// listen they are the bytes to be read and the bytes sent and not read by the peer.
	Queue, Limit int
	// Peer is the inode of the other end: 0 if there is none, or if nobody has accepted it yet.
	Peer uint64
}

// Layout of struct unix_diag_req and struct unix_diag_msg, all native.
const (
	unixRequestSize = 24
	unixRowSize     = 16
	unixInode       = 8
	unixShow        = 12
	unixCookie      = 16

	showPeer       = 0x04 // UDIAG_SHOW_PEER
	showQueue      = 0x10 // UDIAG_SHOW_RQLEN
	attributePeer  = 2    // UNIX_DIAG_PEER
	attributeQueue = 4    // UNIX_DIAG_RQLEN
)

// LookupUnix asks for the unix socket with that inode (fstat's st_ino of a descriptor of it). The error is
// [ErrNotFound] if there is none.
func LookupUnix(inode uint64) (UnixSocket, error) {
	s, err := lookupUnix(inode)
	if err != nil {
		return UnixSocket{}, fmt.Errorf("cannot look up unix socket %d: %w", inode, err)
	}
	return s, nil
}

func lookupUnix(inode uint64) (UnixSocket, error) {
	if inode == 0 || inode > math.MaxUint32 {
		return UnixSocket{}, ErrNotFound // socket inodes have 32 bits
	}
	request := make([]byte, unixRequestSize)
	request[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(request[4:], math.MaxUint32) // any state
	binary.NativeEndian.PutUint32(request[unixInode:], uint32(inode))
	binary.NativeEndian.PutUint32(request[unixShow:], showPeer|showQueue)
	binary.NativeEndian.PutUint32(request[unixCookie:], anyCookie)
	binary.NativeEndian.PutUint32(request[unixCookie+4:], anyCookie)
	row, err := get(request)
	if errors.Is(err, unix.ENOENT) {
		err = ErrNotFound
	}
	if err != nil {
		return UnixSocket{}, err
	}
	if len(row) < unixRowSize {
		return UnixSocket{}, fmt.Errorf("the kernel's row has %d bytes, not %d", len(row), unixRowSize)
	}
	s := UnixSocket{Listening: State(row[2]) == Listen}
	attributes(row[unixRowSize:], func(kind uint16, value []byte) {
		switch {
		case kind == attributePeer && len(value) >= 4:
			s.Peer = uint64(binary.NativeEndian.Uint32(value))
		case kind == attributeQueue && len(value) >= 8:
			s.Queue = int(binary.NativeEndian.Uint32(value))
			s.Limit = int(binary.NativeEndian.Uint32(value[4:]))
		}
	})
	return s, nil
}
