package listener

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

// Repair makes the kernel agree with what is remembered: lanes that were shut down by some holder listen again,
// indices that can't be told are located, and the steering program is attached anew. It returns the lanes that were
// lost; the connections that waited in their queues were reset. It is cheap when nothing is wrong, and is meant to
// be called after Restore, on [ErrLaneLost], and every now and then.
//
// A unix socket that was shut down can't be repaired: [ErrLaneLost]. A lane that a program shut down and let listen again by itself can't be told from one that nobody touched; where
// that is suspected, Locate is the answer.
func (l *Listener) Repair(ctx context.Context) (lost []*Lane, err error) {
	lost, err = l.relisten()
	if err == nil && !l.Located() {
		err = l.locate(ctx)
	}
	if err != nil {
		return lost, fmt.Errorf("cannot repair listener %s: %w", l.name, err)
	}
	return lost, nil
}

// Located says that the lanes' indices are known.
func (l *Listener) Located() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.unlocated
}

// relisten lets lost lanes listen and steers, or finds that the lanes must be located first.
func (l *Listener) relisten() ([]*Lane, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost, err := l.lost()
	if err != nil || len(l.lanes) == 0 {
		return nil, err
	}
	if !l.steerable() {
		if len(lost) > 0 {
			return lost, fmt.Errorf("%w, and a unix socket can't listen again: bind a new one", ErrLaneLost)
		}
		return nil, nil
	}
	if len(lost) == len(l.lanes) {
		return lost, l.refound()
	}
	if err := l.listenAll(lost); err != nil {
		l.unlocated = true
		return lost, err
	}
	again, err := l.lost()
	switch {
	case err != nil:
		return lost, err
	case len(lost) > 1 || len(again) > 0:
		l.unlocated = true // the order in which they left isn't known
	case len(lost) == 1:
		l.moveToEnd(lost[0])
	}
	if l.unlocated {
		return lost, nil
	}
	return lost, l.steer()
}

// lost returns the lanes that should listen and don't.
func (l *Listener) lost() ([]*Lane, error) {
	var lost []*Lane
	for _, lane := range l.lanes {
		listening, err := lane.listening()
		if err != nil {
			return nil, err
		}
		if !listening {
			lost = append(lost, lane)
		}
	}
	return lost, nil
}

func (l *Listener) listenAll(lanes []*Lane) error {
	for _, lane := range lanes {
		if err := lane.rebind(); err != nil {
			return err
		}
		if err := lane.socket.listen(l.options.Backlog); err != nil {
			return err
		}
	}
	return nil
}

// rebind gives a lane its address back, which the shutdown took if the kernel had chosen the port: the lane would
// listen on another port, and getsockname would name the old one. A lane that kept its address refuses with EINVAL.
func (lane *Lane) rebind() error {
	err := lane.socket.bind(lane.local)
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

// moveToEnd follows the kernel: when one member leaves a group, the last takes its place, and one that listens again
// becomes the last.
func (l *Listener) moveToEnd(lane *Lane) {
	last := len(l.lanes) - 1
	moved := l.lanes[last]
	l.lanes[lane.index], l.lanes[last] = moved, lane
	moved.index, lane.index = lane.index, last
}

// refound makes the group anew when its last member was lost, and its program with it. As with AddLane, the program
// is there before a second lane listens; until the last one does, the first gets all connections.
func (l *Listener) refound() error {
	shares, probes := l.shares, l.probes
	defer func() { l.shares, l.probes = shares, probes }()
	first := l.lanes[0]
	l.shares, l.probes = []Share{{Lane: first, Weight: traffic.Whole}}, nil
	for i, lane := range l.lanes {
		lane.index = i
	}
	l.unlocated = false
	if err := l.attach(first); err != nil {
		return err
	}
	if err := l.listenAll(l.lanes); err != nil {
		return err
	}
	l.shares, l.probes = slices.Clone(shares), probes
	return l.steer()
}
