package zdapp

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// errNoRoom says that the process may have no more descriptors (RLIMIT_NOFILE).
var errNoRoom = errors.New("no room for two more descriptors")

// reservation is the room that one moved connection needs: a descriptor that receiving makes, and one that package net
// makes of it. A receive without room destroys the connection, and there is no asking the kernel to leave it where it
// is; so the room is taken first and given up where it is needed, a system call earlier.
type reservation struct{ fds []int }

// reserve returns errNoRoom where there is no room. It duplicates the socket, which gives the cheapest descriptors.
func reserve(socket syscall.RawConn) (*reservation, error) {
	r := &reservation{}
	for range 2 {
		var failed error
		err := socket.Control(func(fd uintptr) {
			var place int
			if place, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); failed == nil {
				r.fds = append(r.fds, place)
			}
		})
		switch {
		case err != nil:
			r.giveUp()
			return nil, err
		case failed != nil:
			r.giveUp()
			return nil, fmt.Errorf("%w: %w", errNoRoom, failed)
		}
	}
	return r, nil
}

// yield gives up half of it.
func (r *reservation) yield() {
	if n := len(r.fds); n > 0 {
		_ = unix.Close(r.fds[n-1])
		r.fds = r.fds[:n-1]
	}
}

// giveUp gives up what is left.
func (r *reservation) giveUp() {
	for len(r.fds) > 0 {
		r.yield()
	}
}
