package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	// ErrTruncated says that a message, or descriptors of it, got lost for want of room. What did arrive of it is
	// closed. The connection goes on, but the two sides no longer agree: close it and dial again.
	ErrTruncated = errors.New("message truncated")

	// ErrEmpty says that no message is waiting.
	ErrEmpty = errors.New("no message is waiting")

	// ErrCongested says that the user has too many descriptors in flight (RLIMIT_NOFILE). A retry helps once some
	// have been received; the socket gives no sign of it.
	ErrCongested = errors.New("too many descriptors in flight")
)

// Conn carries messages over a seqpacket socket. Its methods may be called from several goroutines; a waiting send or
// receive holds no thread.
type Conn struct{ socket *socket }

// NewConn takes over the descriptor of a connected seqpacket socket: Conn closes it, on failure too. It makes the
// socket non-blocking, for whoever shares it.
func NewConn(fd int) (*Conn, error) {
	s, err := newSocket(fd)
	if err != nil {
		return nil, err
	}
	return &Conn{s}, nil
}

// Dial connects to the seqpacket socket at path.
func Dial(ctx context.Context, path string) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot make a socket: %w", err)
	}
	if err := connect(ctx, fd, path); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot connect to %s: %w", path, err)
	}
	return NewConn(fd)
}

// Pair returns two connected seqpacket descriptors, non-blocking and close-on-exec, which the caller owns. An inbox is
// such a pair: connections are sent into the first and received from the second.
func Pair() (send, receive int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("cannot make a socket pair: %w", err)
	}
	return fds[0], fds[1], nil
}

// Send sends one message, whole or not at all, with copies of the descriptors; the caller keeps its own. It waits for
// room until the write deadline (os.ErrDeadlineExceeded).
func (c *Conn) Send(m Message, fds ...int) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot send %s: %w", m.Type, err)
	}
	if len(b) > MaxMessage || len(fds) > MaxDescriptors {
		return fmt.Errorf("cannot send %s: %d bytes and %d descriptors are more than a message holds", m.Type, len(b), len(fds))
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	err = c.socket.write(func(fd int) error { return unix.Sendmsg(fd, b, rights, nil, unix.MSG_NOSIGNAL) })
	if errors.Is(err, unix.ETOOMANYREFS) {
		err = ErrCongested
	}
	if err != nil {
		return fmt.Errorf("cannot send %s: %w", m.Type, err)
	}
	return nil
}

// Receive waits for a message until the read deadline (os.ErrDeadlineExceeded) and returns it with its descriptors,
// which the caller owns and must close; they are close-on-exec. A process that may have no more descriptors
// (RLIMIT_NOFILE) loses them: ErrTruncated. At the end of the connection it returns io.EOF.
func (c *Conn) Receive() (Message, []int, error) { return c.receive(true) }

// TryReceive is Receive without waiting: ErrEmpty says that no message is there.
func (c *Conn) TryReceive() (Message, []int, error) { return c.receive(false) }

// Await waits for a message, or the end of the connection, until the read deadline, and takes nothing: who shares the
// connection may be quicker.
func (c *Conn) Await() error {
	err := c.socket.read(true, func(fd int) error {
		var b [1]byte // without room for descriptors, so that none is made
		_, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot await a message: %w", err)
	}
	return nil
}

// SetReadDeadline bounds receives, waiting ones too; the zero time removes the bound.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.socket.file.SetReadDeadline(t) }

// SetWriteDeadline bounds sends, waiting ones too; the zero time removes the bound.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.socket.file.SetWriteDeadline(t) }

// SyscallConn gives access to the descriptor. Don't close it, and leave it non-blocking.
func (c *Conn) SyscallConn() syscall.RawConn { return c.socket.raw }

// Close closes the connection and wakes whoever waits in it with os.ErrClosed.
func (c *Conn) Close() error { return c.socket.close() }

func (c *Conn) receive(wait bool) (Message, []int, error) {
	b := make([]byte, MaxMessage)
	oob := make([]byte, unix.CmsgSpace(4*MaxDescriptors))
	var n, oobn, flags int
	err := c.socket.read(wait, func(fd int) (err error) {
		n, oobn, flags, _, err = unix.Recvmsg(fd, b, oob, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	switch {
	case err == unix.EAGAIN:
		return Message{}, nil, ErrEmpty
	case err != nil:
		return Message{}, nil, fmt.Errorf("cannot receive: %w", err)
	}
	return decode(b[:n], oob[:oobn], flags)
}

// CloseAll closes descriptors that nobody wants.
func CloseAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

func decode(b, oob []byte, flags int) (Message, []int, error) {
	fds, err := rights(oob)
	if err != nil {
		return Message{}, nil, err
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		CloseAll(fds)
		return Message{}, nil, fmt.Errorf("cannot receive: %w", ErrTruncated)
	}
	if len(b) == 0 {
		CloseAll(fds)
		return Message{}, nil, io.EOF
	}
	var m Message
	if err := json.Unmarshal(b, &m); err != nil {
		CloseAll(fds)
		return Message{}, nil, fmt.Errorf("cannot read message: %w", err)
	}
	return m, fds, nil
}

func rights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("cannot read control messages: %w", err)
	}
	var fds []int
	for i := range controls {
		if controls[i].Header.Level != unix.SOL_SOCKET || controls[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		more, err := unix.ParseUnixRights(&controls[i])
		if err != nil {
			CloseAll(fds)
			return nil, fmt.Errorf("cannot read descriptors: %w", err)
		}
		fds = append(fds, more...)
	}
	return fds, nil
}
