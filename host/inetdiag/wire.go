package inetdiag

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Layout of struct inet_diag_req_v2 and struct inet_diag_msg, which share the form of struct inet_diag_sockid.
// Ports and addresses are big-endian, all else is native.
const (
	tcpRequestSize = 56
	tcpRowSize     = 72

	idSize     = 48
	requestID  = 8 // offset of the sockid in a request
	rowID      = 4 // and in a row
	idSource   = 4
	idDest     = 20
	idScope    = 36
	idCookie   = 40
	anyCookie  = 0xffff_ffff // twice: INET_DIAG_NOCOOKIE
	rowReceive = rowID + idSize + 4
	rowUID     = rowID + idSize + 12
	rowInode   = rowID + idSize + 16

	attributeInfo = 2 // INET_DIAG_INFO
)

// tcpRequest asks for the sockets of local's family with local's port; a dump with no remote asks for all peers.
func tcpRequest(local, remote netip.AddrPort, states uint32, info bool) []byte {
	request := make([]byte, tcpRequestSize)
	request[0] = unix.AF_INET
	if local.Addr().Is6() {
		request[0] = unix.AF_INET6
	}
	request[1] = unix.IPPROTO_TCP
	if info {
		request[2] = 1 << (attributeInfo - 1)
	}
	binary.NativeEndian.PutUint32(request[4:], states)
	id := request[requestID:]
	binary.BigEndian.PutUint16(id[0:], local.Port())
	binary.BigEndian.PutUint16(id[2:], remote.Port())
	putAddress(id[idSource:], local.Addr())
	putAddress(id[idDest:], remote.Addr())
	binary.NativeEndian.PutUint32(id[idScope:], scope(local.Addr()))
	binary.NativeEndian.PutUint32(id[idCookie:], anyCookie)
	binary.NativeEndian.PutUint32(id[idCookie+4:], anyCookie)
	return request
}

func putAddress(field []byte, address netip.Addr) {
	switch {
	case address.Is4():
		a := address.As4()
		copy(field, a[:])
	case address.Is6():
		a := address.As16()
		copy(field, a[:])
	}
}

// scope is the interface that a zone names, 0 for none.
func scope(address netip.Addr) uint32 {
	zone := address.Zone()
	if zone == "" {
		return 0
	}
	if index, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(index)
	}
	if device, err := net.InterfaceByName(zone); err == nil {
		return uint32(device.Index)
	}
	return 0
}

func decodeConn(row []byte) (Conn, error) {
	if len(row) < tcpRowSize {
		return Conn{}, fmt.Errorf("the kernel's row has %d bytes, not %d", len(row), tcpRowSize)
	}
	id := row[rowID:]
	family := row[0]
	c := Conn{
		State:  State(row[1]),
		Local:  netip.AddrPortFrom(address(family, id[idSource:]), binary.BigEndian.Uint16(id[0:])),
		Remote: netip.AddrPortFrom(address(family, id[idDest:]), binary.BigEndian.Uint16(id[2:])),
		Cookie: uint64(binary.NativeEndian.Uint32(id[idCookie:])) | uint64(binary.NativeEndian.Uint32(id[idCookie+4:]))<<32,
		Unread: int(binary.NativeEndian.Uint32(row[rowReceive:])),
		UID:    binary.NativeEndian.Uint32(row[rowUID:]),
		Inode:  uint64(binary.NativeEndian.Uint32(row[rowInode:])),
	}
	attributes(row[tcpRowSize:], func(kind uint16, value []byte) {
		if kind == attributeInfo {
			c.decodeInfo(value)
		}
	})
	return c, nil
}

func address(family byte, field []byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(field[:4]))
	}
	return netip.AddrFrom16([16]byte(field[:16])).Unmap()
}

// decodeInfo reads tcp_info, of which older kernels send less and newer ones more than is known here.
func (c *Conn) decodeInfo(value []byte) {
	var info unix.TCPInfo
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)), value)
	c.Unacked = int(info.Unacked)
	c.NotSent = int(info.Notsent_bytes)
	c.BytesAcked = info.Bytes_acked
	c.BytesReceived = info.Bytes_received
	c.LastDataSent = time.Duration(info.Last_data_sent) * time.Millisecond
	c.LastDataRecv = time.Duration(info.Last_data_recv) * time.Millisecond
	c.LastAckRecv = time.Duration(info.Last_ack_recv) * time.Millisecond
}
