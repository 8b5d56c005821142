package listener

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/inetdiag"
)

// ErrWeighted says that new connections can still choose the lane.
var ErrWeighted = errors.New("the lane has a weight")

const (
	// settle is how long after the weights changed handshakes are noted: by then every SYN that the program before
	// has steered is a row in SYN_RECV.
	settle = 10 * time.Millisecond
	// handshakeLimit bounds the wait for handshakes: the kernel repeats a SYN-ACK after 1 s and again after 2 s.
	// What isn't complete by then belongs to a client that vanished.
	handshakeLimit = 3 * time.Second
)

// Drained is what a drain saw.
type Drained struct {
	HalfOpenSeen int           // handshakes that were half open on the port when the drain began
	HalfOpenLeft int           // of those, how many never completed
	QueueHigh    int           // most connections seen waiting in the lane's queue
	Waited       time.Duration // in all
}

// DrainQueue waits until no connection is on its way to the lane and its accept queue is empty. The lane's weight
// must be 0, and the programs on it must still accept. Handshakes can't be told apart by lane: it notes those of the
// whole port and waits until these are gone, at most 3 s. A unix lane has none; that its path leads to another socket
// is the caller's to see to. A datagram lane is shared: [ErrShared].
//
// The error matches [ErrWeighted] if the lane has a weight, or gets one meanwhile, and is the context's if that ends
// first; what was seen until then is returned with it. Empty is true of the moment: keep watching the queue.
func (lane *Lane) DrainQueue(ctx context.Context) (Drained, error) {
	began := time.Now()
	var seen Drained
	err := lane.drainQueue(ctx, &seen)
	seen.Waited = time.Since(began)
	if err != nil {
		return seen, fmt.Errorf("cannot drain lane of listener %s: %w", lane.listener.name, err)
	}
	return seen, nil
}

func (lane *Lane) drainQueue(ctx context.Context, seen *Drained) error {
	if lane.listener.address.Network == UDP {
		return ErrShared
	}
	if err := lane.quiet(seen); err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	if lane.listener.address.Network == Unix { // a connect is in the queue when it returns
		return lane.waitEmpty(ctx, seen)
	}
	// A deferred accept looks like a handshake for as long as its client is silent: without the option it completes
	// with the kernel's next SYN-ACK. The next generation's bind sets it again.
	if err := unix.SetsockoptInt(lane.FD(), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 0); err != nil {
		return err
	}
	handshakes, err := lane.handshakes()
	if err != nil {
		return err
	}
	seen.HalfOpenSeen = len(handshakes)
	limit := time.Now().Add(handshakeLimit)
	var pace backoff
	for len(handshakes) > 0 && time.Now().Before(limit) {
		if err := pace.wait(ctx); err != nil {
			return err
		}
		if err := lane.quiet(seen); err != nil {
			return err
		}
		present, err := lane.handshakes()
		if err != nil {
			return err
		}
		for remote := range handshakes {
			if _, still := present[remote]; !still {
				delete(handshakes, remote)
			}
		}
	}
	seen.HalfOpenLeft = len(handshakes)
	return lane.waitEmpty(ctx, seen)
}

func (lane *Lane) waitEmpty(ctx context.Context, seen *Drained) error {
	var pace backoff
	for {
		if err := lane.quiet(seen); err != nil {
			return err
		}
		length, _, err := lane.queue()
		if err != nil || length == 0 {
			return err
		}
		if err := pace.wait(ctx); err != nil {
			return err
		}
	}
}

// quiet checks that the lane can't be chosen and takes note of its queue.
func (lane *Lane) quiet(seen *Drained) error {
	if weight := lane.Weight(); weight > 0 {
		return fmt.Errorf("%w of %d", ErrWeighted, weight)
	}
	length, _, err := lane.queue()
	seen.QueueHigh = max(seen.QueueHigh, length)
	return err
}

// HalfOpen lists the remote ends of the handshakes on the listener's address that aren't complete, whatever lane
// they are for. A unix or datagram listener has none.
func (l *Listener) HalfOpen() ([]netip.AddrPort, error) {
	lanes := l.Lanes()
	if !l.steerable() || len(lanes) == 0 {
		return nil, nil
	}
	return inetdiag.HalfOpen(lanes[0].local)
}

func (lane *Lane) handshakes() (map[netip.AddrPort]struct{}, error) {
	remotes, err := inetdiag.HalfOpen(lane.local)
	if err != nil {
		return nil, err
	}
	set := make(map[netip.AddrPort]struct{}, len(remotes))
	for _, remote := range remotes {
		set[remote] = struct{}{}
	}
	return set, nil
}
