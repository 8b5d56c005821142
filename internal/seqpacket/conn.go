package seqpacket

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// MaxDescriptors is how many descriptors one message may carry. The kernel's
// limit is 253 (SCM_MAX_FD); a little room is left.
const MaxDescriptors = 200

// MaxMessage is the largest message in bytes. It stays well below the default
// socket buffer, so that a message never needs more room than there can be.
const MaxMessage = 64 << 10

// ErrTruncated reports a message that did not fit or lost descriptors on the
// way. The connection can no longer be trusted; a retry can't help.
var ErrTruncated = errors.New("message truncated")

// Conn is one end of a seqpacket connection. One goroutine may send while
// another receives; neither method is safe for two callers at once.
type Conn struct {
	file *os.File
	raw  syscall.RawConn
	oob  []byte
}

// New takes ownership of fd, which must be a SOCK_SEQPACKET socket, and sets it
// non-blocking.
func New(fd int) (*Conn, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	f := os.NewFile(uintptr(fd), "seqpacket")
	raw, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &Conn{file: f, raw: raw, oob: make([]byte, unix.CmsgSpace(MaxDescriptors*4))}, nil
}

// Pair returns two connected, close-on-exec sockets as raw descriptors. The
// caller owns both.
func Pair() (a, b int, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("cannot make a socket pair: %w", err)
	}
	return p[0], p[1], nil
}

// Send sends one message with its descriptors, waiting for room as long as the
// write deadline allows. The caller keeps its descriptors. b must not be empty.
func (c *Conn) Send(b []byte, fds []int) error {
	if len(b) == 0 {
		return errors.New("cannot send an empty message: it would read as the end")
	}
	if len(b) > MaxMessage || len(fds) > MaxDescriptors {
		return fmt.Errorf("cannot send %d bytes with %d descriptors: over the limit", len(b), len(fds))
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	var sent error
	err := c.raw.Write(func(fd uintptr) bool {
		for {
			sent = unix.Sendmsg(int(fd), b, oob, nil, unix.MSG_NOSIGNAL)
			if sent != unix.EINTR {
				return sent != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return unwaited(err)
	}
	return sent
}

// unwaited says why the runtime's poller would not wait: the deadline, or the
// file was closed, for which it has an error of its own.
func unwaited(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return os.ErrClosed
}

// Receive reads one message into b and returns its length and descriptors,
// which the caller owns (close-on-exec is set). At the end it returns io.EOF.
func (c *Conn) Receive(b []byte) (int, []int, error) {
	var n, oobn, flags int
	var got error
	err := c.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, got = unix.Recvmsg(int(fd), b, c.oob, unix.MSG_CMSG_CLOEXEC)
			if got != unix.EINTR {
				return got != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return 0, nil, unwaited(err)
	}
	if got != nil {
		return 0, nil, got
	}
	fds, err := descriptors(c.oob[:oobn])
	if err != nil {
		return 0, nil, err
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		CloseAll(fds)
		return 0, nil, ErrTruncated
	}
	if n == 0 && len(fds) == 0 {
		return 0, nil, io.EOF
	}
	return n, fds, nil
}

// SetDeadline bounds the sends and receives that are waiting and those to come.
func (c *Conn) SetDeadline(t time.Time) error { return c.file.SetDeadline(t) }

// SetWriteDeadline bounds sends only.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.file.SetWriteDeadline(t) }

// PeerPID returns the process at the other end as the kernel recorded it.
func (c *Conn) PeerPID() (int, error) {
	var cred *unix.Ucred
	var got error
	if err := c.raw.Control(func(fd uintptr) {
		cred, got = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if got != nil {
		return 0, got
	}
	return int(cred.Pid), nil
}

// Close closes this end; who waits in it gets os.ErrClosed.
func (c *Conn) Close() error { return c.file.Close() }

// CloseAll closes every descriptor of the list.
func CloseAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

func descriptors(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("cannot parse control message: %w", err)
	}
	var all []int
	for i := range msgs {
		if msgs[i].Header.Level != unix.SOL_SOCKET || msgs[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			CloseAll(all)
			return nil, fmt.Errorf("cannot parse descriptors: %w", err)
		}
		all = append(all, fds...)
	}
	return all, nil
}
