package workload

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listener accepts programs on the socket that ZDHOST_SOCKET names.
type Listener struct {
	file *os.File
	raw  syscall.RawConn
}

// Listen binds a seqpacket socket to path, which must not exist. Nothing removes the path.
func Listen(path string) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot make a socket: %w", err)
	}
	err = withAddress(path, func(addr *unix.SockaddrUnix) error { return unix.Bind(fd, addr) })
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	return NewListener(fd)
}

// NewListener takes over the descriptor of a listening seqpacket socket, as NewConn does.
func NewListener(fd int) (*Listener, error) {
	file, raw, err := adoptSocket(fd)
	if err != nil {
		return nil, err
	}
	return &Listener{file: file, raw: raw}, nil
}

// Accept waits for the next program. After Close it returns an error that is os.ErrClosed.
func (l *Listener) Accept() (*Conn, error) {
	var fd int
	var result error
	err := l.raw.Read(func(lane uintptr) bool {
		result = retry(func() (err error) {
			fd, _, err = unix.Accept4(int(lane), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			return err
		})
		return result != unix.EAGAIN && result != unix.ECONNABORTED
	})
	if err == nil {
		err = result
	}
	if err != nil {
		return nil, fmt.Errorf("cannot accept: %w", err)
	}
	return NewConn(fd)
}

// Close stops listening and wakes Accept.
func (l *Listener) Close() error { return l.file.Close() }
