package workload

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// longestPath is the longest path that fits a unix socket address, without its final zero byte.
const longestPath = 107

// withAddress calls use with the address of the socket at path. A path that is too long for an address is reached
// through a descriptor of its directory, which is open only during the call.
func withAddress(path string, use func(*unix.SockaddrUnix) error) error {
	if len(path) <= longestPath {
		return use(&unix.SockaddrUnix{Name: path})
	}
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return use(&unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(path))})
}

// connect connects fd, which is non-blocking. A full backlog (EAGAIN) can't be waited for, only tried again.
func connect(ctx context.Context, fd int, path string) error {
	return withAddress(path, func(addr *unix.SockaddrUnix) error {
		for {
			err := retry(func() error { return unix.Connect(fd, addr) })
			if err != unix.EAGAIN {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
}
