package keeper

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher waits for notifications on many descriptors and has the loop answer
// them, one at a time.
type watcher struct {
	epoll int
	wake  int // eventfd that ends run
	mu    sync.Mutex
	by    map[int]func()
}

func newWatcher() (*watcher, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot watch notifications: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(ep)
		return nil, fmt.Errorf("cannot watch notifications: %w", err)
	}
	w := &watcher{epoll: ep, wake: wake, by: map[int]func(){}}
	if err := w.ctl(unix.EPOLL_CTL_ADD, wake); err != nil {
		return nil, fmt.Errorf("cannot watch notifications: %w", err)
	}
	return w, nil
}

// add has answer called on the loop whenever fd has something. The descriptor
// stays its owner's.
func (w *watcher) add(fd int, answer func()) error {
	w.mu.Lock()
	w.by[fd] = answer
	w.mu.Unlock()
	return w.ctl(unix.EPOLL_CTL_ADD, fd)
}

func (w *watcher) remove(fd int) {
	w.mu.Lock()
	delete(w.by, fd)
	w.mu.Unlock()
	_ = w.ctl(unix.EPOLL_CTL_DEL, fd)
}

func (w *watcher) ctl(op, fd int) error {
	return unix.EpollCtl(w.epoll, op, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// run ends after close.
func (w *watcher) run(do chan<- func()) {
	events := make([]unix.EpollEvent, 32)
	for {
		n, err := unix.EpollWait(w.epoll, events, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		done := make(chan struct{})
		ready := make([]func(), 0, n)
		for _, e := range events[:n] {
			if int(e.Fd) == w.wake {
				return
			}
			w.mu.Lock()
			answer := w.by[int(e.Fd)]
			w.mu.Unlock()
			if answer != nil {
				ready = append(ready, answer)
			}
		}
		// Waiting until the loop has answered keeps one readiness from being
		// reported twice.
		do <- func() {
			for _, answer := range ready {
				answer()
			}
			close(done)
		}
		<-done
	}
}

func (w *watcher) close() {
	var one = [8]byte{1}
	_, _ = unix.Write(w.wake, one[:])
	_ = unix.Close(w.epoll)
}
