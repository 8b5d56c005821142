package doctor

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// trySteering makes a group of two lanes on loopback and attaches a program that chooses the first.
func trySteering() error {
	first, port, err := boundSocket()
	if err != nil {
		return err
	}
	defer unix.Close(first)
	if err := unix.SetsockoptInt(first, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return fmt.Errorf("cannot share a port: %w", err)
	}
	if err := unix.Listen(first, 1); err != nil {
		return fmt.Errorf("cannot listen on loopback: %w", err)
	}
	choose := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	program := unix.SockFprog{Len: 1, Filter: &choose[0]}
	if err := unix.SetsockoptSockFprog(first, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program); err != nil {
		return fmt.Errorf("cannot attach a steering program: %w", err)
	}
	second, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot make a socket: %w", err)
	}
	defer unix.Close(second)
	if err := unix.SetsockoptInt(second, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return fmt.Errorf("cannot share a port: %w", err)
	}
	if err := unix.Bind(second, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("cannot bind a second lane: %w", err)
	}
	return unix.Listen(second, 1)
}

// tryDiag asks the kernel for the listening sockets of a family and looks whether it answers.
func tryDiag(family uint8) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("cannot ask the kernel for sockets: %w", err)
	}
	defer unix.Close(fd)
	timeout := unix.NsecToTimeval(probeTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return err
	}
	if err := unix.Sendto(fd, diagRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("cannot ask the kernel for sockets: %w", err)
	}
	answer := make([]byte, 32<<10)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return fmt.Errorf("the kernel does not answer: %w", err)
	}
	return diagError(answer[:n])
}

// diagRequest is a nlmsghdr with an inet_diag_req_v2 or a unix_diag_req: family, protocol, and a
// mask of states at offset 4.
func diagRequest(family uint8) []byte {
	const header, listening = 16, 1 << 10
	size, protocol := 56, byte(unix.IPPROTO_TCP)
	if family == unix.AF_UNIX {
		size, protocol = 24, 0
	}
	message := make([]byte, header+size)
	binary.NativeEndian.PutUint32(message, uint32(len(message)))
	binary.NativeEndian.PutUint16(message[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	message[header], message[header+1] = family, protocol
	binary.NativeEndian.PutUint32(message[header+4:], listening)
	return message
}

func diagError(answer []byte) error {
	if len(answer) < 20 {
		return fmt.Errorf("the kernel's answer has %d bytes", len(answer))
	}
	if kind := binary.NativeEndian.Uint16(answer[4:]); kind != unix.NLMSG_ERROR {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(answer[16:])); code != 0 {
		return fmt.Errorf("the kernel does not tell of sockets: %w", unix.Errno(-code))
	}
	return nil
}
