package inetdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrInterrupted says that the kernel's tables changed under every attempt to read them. A retry can help.
var ErrInterrupted = errors.New("the kernel's socket table changed while it was read")

const (
	attempts      = 5
	answerTimeout = 5 // seconds; the kernel answers within the call, so this only bounds a kernel that doesn't
	// The kernel fills dump messages of up to 32 KiB when the reader offers that much.
	dumpBuffer = 64 << 10
	rowBuffer  = 4 << 10
)

// dump sends a request and returns the payload of each row.
func dump(request []byte) ([][]byte, error) {
	for range attempts {
		rows, err := exchange(request, unix.NLM_F_DUMP)
		if !errors.Is(err, ErrInterrupted) {
			return rows, err
		}
	}
	return nil, ErrInterrupted
}

// get sends a request for a single row. The kernel's ENOENT comes back as it is.
func get(request []byte) ([]byte, error) {
	rows, err := exchange(request, 0)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("the kernel answered with %d rows, not one", len(rows))
	}
	return rows[0], nil
}

func exchange(request []byte, flags uint16) ([][]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	timeout := unix.Timeval{Sec: answerTimeout}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return nil, os.NewSyscallError("setsockopt SO_RCVTIMEO", err)
	}

	message := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(request))
	binary.NativeEndian.PutUint32(message[0:], uint32(unix.SizeofNlMsghdr+len(request)))
	binary.NativeEndian.PutUint16(message[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|flags)
	message = append(message, request...)
	err = retryInterrupted(func() error {
		return unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
	if err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	return receive(fd, flags&unix.NLM_F_DUMP == unix.NLM_F_DUMP)
}

// receive reads datagrams until the kernel says that it is done; a request for one row is done after one.
func receive(fd int, dump bool) ([][]byte, error) {
	var a answer
	size := rowBuffer
	if dump {
		size = dumpBuffer
	}
	buffer := make([]byte, size)
	for !a.done {
		var n, flags int
		err := retryInterrupted(func() (err error) {
			n, _, flags, _, err = unix.Recvmsg(fd, buffer, nil, 0)
			return err
		})
		if err != nil {
			return nil, os.NewSyscallError("recvmsg", err)
		}
		if flags&unix.MSG_TRUNC != 0 {
			return nil, errors.New("the kernel's answer is longer than the buffer")
		}
		if err := a.read(buffer[:n]); err != nil {
			return nil, err
		}
		if !dump {
			break
		}
	}
	if a.interrupted {
		return nil, ErrInterrupted
	}
	return a.rows, nil
}

// answer collects the rows of a reply, which may come in several datagrams.
type answer struct {
	rows        [][]byte
	done        bool
	interrupted bool
}

func (a *answer) read(datagram []byte) error {
	for len(datagram) > 0 {
		if len(datagram) < unix.SizeofNlMsghdr {
			return errors.New("the kernel's answer ends inside a header")
		}
		length := int(binary.NativeEndian.Uint32(datagram))
		if length < unix.SizeofNlMsghdr || length > len(datagram) {
			return fmt.Errorf("the kernel's answer has a message of %d bytes in %d", length, len(datagram))
		}
		kind := binary.NativeEndian.Uint16(datagram[4:])
		if binary.NativeEndian.Uint16(datagram[6:])&unix.NLM_F_DUMP_INTR != 0 {
			a.interrupted = true
		}
		if err := a.add(kind, datagram[unix.SizeofNlMsghdr:length]); err != nil {
			return err
		}
		datagram = datagram[min(align(length), len(datagram)):]
	}
	return nil
}

func (a *answer) add(kind uint16, payload []byte) error {
	switch kind {
	case unix.NLMSG_NOOP:
	case unix.NLMSG_ERROR, unix.NLMSG_DONE:
		// Both may carry a negative errno; 0 and nothing at all mean success.
		a.done = true
		if len(payload) >= 4 {
			if code := int32(binary.NativeEndian.Uint32(payload)); code < 0 {
				return unix.Errno(-code)
			}
		}
	case unix.NLMSG_OVERRUN:
		return unix.ENOBUFS
	default:
		a.rows = append(a.rows, append([]byte(nil), payload...))
	}
	return nil
}

// attributes calls each for the netlink attributes of a row.
func attributes(data []byte, each func(kind uint16, value []byte)) {
	const header = 4
	for len(data) >= header {
		length := int(binary.NativeEndian.Uint16(data))
		if length < header || length > len(data) {
			return
		}
		each(binary.NativeEndian.Uint16(data[2:]), data[header:length])
		data = data[min(align(length), len(data)):]
	}
}

// align rounds up to netlink's four bytes.
func align(n int) int { return (n + 3) &^ 3 }

func retryInterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
