package workload

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is a descriptor under Go's poller.
type socket struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
}

// newSocket takes over fd. The descriptor must be non-blocking before os.NewFile sees it, or the file would switch it,
// and with it every other holder, back to blocking later.
func newSocket(fd int) (*socket, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "seqpacket")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	return &socket{file: file, raw: raw}, nil
}

// read calls the system call until it doesn't say EAGAIN, waiting in between if it may.
func (s *socket) read(wait bool, call func(fd int) error) error {
	return s.poll(s.raw.Read, wait, call)
}

// write is read for sending; it waits.
func (s *socket) write(call func(fd int) error) error {
	return s.poll(s.raw.Write, true, call)
}

func (s *socket) poll(poll func(func(uintptr) bool) error, wait bool, call func(fd int) error) error {
	var result error
	err := poll(func(fd uintptr) bool {
		result = retry(func() error { return call(int(fd)) })
		return result != unix.EAGAIN || !wait
	})
	if err == nil {
		return result
	}
	if s.closed.Load() {
		return os.ErrClosed
	}
	return err
}

func (s *socket) close() error {
	s.closed.Store(true)
	return s.file.Close()
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
