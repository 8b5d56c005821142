package workload

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Listener accepts programs on the socket that ZDHOST_SOCKET names.
type Listener struct{ socket *socket }

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
	s, err := newSocket(fd)
	if err != nil {
		return nil, err
	}
	return &Listener{s}, nil
}

// Accept waits for the next program. After Close it returns an error that is os.ErrClosed.
func (l *Listener) Accept() (*Conn, error) {
	var fd int
	err := l.socket.read(true, func(lane int) (err error) {
		fd, _, err = unix.Accept4(lane, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot accept: %w", err)
	}
	return NewConn(fd)
}

// Close stops listening and wakes Accept.
func (l *Listener) Close() error { return l.socket.close() }
