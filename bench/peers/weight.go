package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/listener"
	"github.com/zdhost/zdhost/host/traffic"
)

// weight measures a change of weights by itself and a whole rollback.
func weight(ctx context.Context, w *workshop, s *section) error {
	s.Title = "Changes of weight"
	s.Method = fmt.Sprintf("A change of weight is a call of host/listener in this process, with two lanes (%d calls). A rollback (%d times) is measured from the request on the control socket to the end of the "+
		"first answer of the release returned to, over new connections one after the other.", w.scale.changes, w.scale.rollbacks)
	s.Tables = []table{{Head: []string{"", "median ms", "p99 or most"}}}
	return errors.Join(measureChanges(w, s), measureRollbacks(ctx, w, s))
}

func measureChanges(w *workshop, s *section) (err error) {
	w.say("weight: changes")
	l, lanes, err := twoLanes()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	var took []float64
	for i := range w.scale.changes {
		share := i * 37 % traffic.Whole
		began := time.Now()
		err := l.SetWeights(listener.Share{Lane: lanes[0], Weight: share}, listener.Share{Lane: lanes[1], Weight: traffic.Whole - share})
		took = append(took, float64(time.Since(began).Nanoseconds())/1e6)
		if err != nil {
			return err
		}
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	s.Tables[0].add("change of weight (setsockopt and its checks)", fmt.Sprintf("%.3f", median(took)), fmt.Sprintf("%.3f", p99))
	s.figure(number("change of weight, median", median(took), "ms").against(atMost(1)))
	s.figure(number("change of weight, p99", p99, "ms"))
	return nil
}

// twoLanes makes a listener of this process. Closing it closes the lanes.
func twoLanes() (*listener.Listener, []*listener.Lane, error) {
	first, err := lane("127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	address := first.at
	second, err := lane(address.String())
	if err != nil {
		return nil, nil, errors.Join(err, unix.Close(first.fd))
	}
	l := listener.New("web", listener.Address{Network: listener.TCP, IP: address}, listener.Options{})
	var lanes []*listener.Lane
	for i, s := range []bound{first, second} {
		lane, err := l.AddLane(s.fd)
		if err != nil {
			left := []bound{first, second}[i:]
			for _, b := range left {
				err = errors.Join(err, unix.Close(b.fd))
			}
			return nil, nil, errors.Join(err, l.Close())
		}
		lanes = append(lanes, lane)
	}
	return l, lanes, nil
}

// bound is a socket that has an address.
type bound struct {
	fd int
	at netip.AddrPort
}

// lane binds a socket that others may share the address with.
func lane(address string) (bound, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }), err)
	}}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp4", address)
	if err != nil {
		return bound{}, err
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return bound{}, err
	}
	b := bound{at: l.Addr().(*net.TCPAddr).AddrPort()}
	var duplicate error
	if err := raw.Control(func(fd uintptr) { b.fd, duplicate = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return bound{}, err
	}
	return b, duplicate
}

func measureRollbacks(ctx context.Context, w *workshop, s *section) (err error) {
	w.say("weight: rollbacks")
	sys, err := adoptedNaive(ctx, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.stop()) }()
	h := sys.(*hosted)
	var took []float64
	for i := range w.scale.rollbacks {
		if err := h.upgrade(ctx, fmt.Sprintf("r%d", i+1)); err != nil {
			return err
		}
		d, err := untilAnswered(ctx, h.at, firstRelease, 0, func() error { return h.rollback(ctx) })
		if err != nil {
			return err
		}
		took = append(took, inMilliseconds(d))
	}
	s.Tables[0].add("rollback, request to first answer", fmt.Sprintf("%.2f", median(took)), fmt.Sprintf("%.2f", slices.Max(took)))
	s.figure(number("rollback, request to first answer, median", median(took), "ms").against(atMost(5)))
	s.figure(number("rollback, request to first answer, most", slices.Max(took), "ms"))
	return nil
}
