package listener

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// socket is a raw descriptor and the questions that a lane asks it.
type socket int

func (s socket) option(level, name int, text string) (int, error) {
	value, err := unix.GetsockoptInt(int(s), level, name)
	return value, os.NewSyscallError("getsockopt "+text, err)
}

func (s socket) setOption(level, name, value int, text string) error {
	return os.NewSyscallError("setsockopt "+text, unix.SetsockoptInt(int(s), level, name, value))
}

func (s socket) cookie() (uint64, error) {
	cookie, err := unix.GetsockoptUint64(int(s), unix.SOL_SOCKET, unix.SO_COOKIE)
	return cookie, os.NewSyscallError("getsockopt SO_COOKIE", err)
}

func (s socket) inode() (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(s), &stat); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	return stat.Ino, nil
}

func (s socket) listening() (bool, error) {
	value, err := s.option(unix.SOL_SOCKET, unix.SO_ACCEPTCONN, "SO_ACCEPTCONN")
	return value != 0, err
}

func (s socket) hungUp() (bool, error) {
	poll := []unix.PollFd{{Fd: int32(s)}}
	_, err := unix.Poll(poll, 0)
	if errors.Is(err, unix.EINTR) {
		return s.hungUp()
	}
	return poll[0].Revents&unix.POLLHUP != 0, os.NewSyscallError("poll", err)
}

func (s socket) listen(backlog int) error {
	return os.NewSyscallError("listen", unix.Listen(int(s), backlog))
}

// local is the bound address; a v4-mapped one stays mapped, since the family matters.
func (s socket) local() (netip.AddrPort, error) {
	address, err := unix.Getsockname(int(s))
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	switch a := address.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), nil
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port)), nil
	default:
		return netip.AddrPort{}, errors.New("the socket is neither IPv4 nor IPv6")
	}
}

// bind takes an address; port 0 lets the kernel choose one.
func (s socket) bind(to netip.AddrPort) error {
	address, err := sockaddr(to)
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(int(s), address))
}

func (s socket) tcpInfo() (*unix.TCPInfo, error) {
	info, err := unix.GetsockoptTCPInfo(int(s), unix.IPPROTO_TCP, unix.TCP_INFO)
	return info, os.NewSyscallError("getsockopt TCP_INFO", err)
}

type memInfo [unix.SK_MEMINFO_VARS]uint32

func (s socket) memInfo() (memInfo, error) {
	var info memInfo
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return memInfo{}, os.NewSyscallError("getsockopt SO_MEMINFO", errno)
	}
	return info, nil
}

func (s socket) drops() (uint32, error) {
	info, err := s.memInfo()
	return info[unix.SK_MEMINFO_DROPS], err
}

// steer gives a program to the socket's group.
func (s socket) steer(program []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(program))
	for i, ins := range program {
		filter[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
	}
	err := unix.SetsockoptSockFprog(int(s), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	return os.NewSyscallError("setsockopt SO_ATTACH_REUSEPORT_CBPF", err)
}

func (s socket) detachFilter() error {
	err := unix.SetsockoptInt(int(s), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return os.NewSyscallError("setsockopt SO_DETACH_FILTER", err)
}

func sockaddr(a netip.AddrPort) (unix.Sockaddr, error) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}, nil
	}
	zone, err := zoneID(a.Addr().Zone())
	if err != nil {
		return nil, err
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port()), ZoneId: zone}, nil
}

func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if index, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(index), nil
	}
	device, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("unknown interface %q: %w", zone, err)
	}
	return uint32(device.Index), nil
}
