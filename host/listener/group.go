package listener

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

// UnknownIndex is the index of a lane whose place in the group isn't known.
const UnknownIndex = -1

// AddLane takes a bound socket into the listener and lets it listen if it doesn't yet. The first lane of a TCP
// listener gets all new connections; each later one gets none until SetWeights names it, because the steering
// program is attached before it listens. Its index is the next. The socket needs SO_REUSEPORT by the time it is
// bound or after; AddLane sets it. All lanes have the address, family and V6ONLY of the first.
//
// On success the descriptor belongs to the lane; on an error it stays the caller's, and the weights are unchanged.
func (l *Listener) AddLane(fd int) (*Lane, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane, err := l.addLane(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot add lane to listener %s: %w", l.name, err)
	}
	return lane, nil
}

func (l *Listener) addLane(fd int) (*Lane, error) {
	lane, err := l.describe(fd)
	if err != nil {
		return nil, err
	}
	lane.index = len(l.lanes)
	if err := l.fits(lane); err != nil {
		return nil, err
	}
	if !l.steerable() {
		if err := l.listen(lane); err != nil {
			return nil, err
		}
		l.lanes = append(l.lanes, lane)
		return lane, nil
	}
	if err := lane.socket.setOption(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT"); err != nil {
		return nil, err
	}
	if lane.index == 0 {
		err = l.addFirst(lane)
	} else {
		err = l.addNext(lane)
	}
	if err != nil {
		return nil, err
	}
	return lane, nil
}

// addFirst makes the group.
func (l *Listener) addFirst(lane *Lane) error {
	l.shares = []Share{{Lane: lane, Weight: traffic.Whole}}
	err := l.attach(lane)
	if errors.Is(err, unix.EINVAL) {
		err = fmt.Errorf("it listens already, without SO_REUSEPORT: %w", err)
	}
	if err == nil {
		err = l.listen(lane)
	}
	if err != nil {
		l.shares = nil
		return err
	}
	l.lanes = []*Lane{lane}
	return nil
}

// addNext makes sure that the group is steered before its next member listens.
func (l *Listener) addNext(lane *Lane) error {
	if err := l.steer(); err != nil {
		return err
	}
	if err := l.listen(lane); err != nil {
		return err
	}
	l.lanes = append(l.lanes, lane)
	return nil
}

// fits compares a new lane with those that are there.
func (l *Listener) fits(lane *Lane) error {
	if len(l.lanes) == 0 {
		return nil
	}
	if !l.steerable() {
		return ErrShared
	}
	first := l.lanes[0]
	if lane.local != first.local || lane.v6only != first.v6only {
		return fmt.Errorf("the socket is bound to %s (V6ONLY %t), the other lanes to %s (V6ONLY %t)",
			lane.local, lane.v6only, first.local, first.v6only)
	}
	for _, other := range l.lanes {
		if other.cookie == lane.cookie {
			return fmt.Errorf("the socket is lane %d already", other.index)
		}
	}
	return nil
}

// listen lets a stream socket listen that doesn't.
func (l *Listener) listen(lane *Lane) error {
	if l.address.Network == UDP {
		return nil
	}
	listening, err := lane.socket.listening()
	if err != nil || listening {
		return err
	}
	return lane.socket.listen(l.options.Backlog)
}

// Known is a lane that was there before this process: its socket, and what is remembered of it.
type Known struct {
	FD     int
	Index  int // UnknownIndex if it can't be told: then the indices of all lanes are taken as unknown
	Weight int // basis points
}

// Restore takes the lanes of a listener over from an earlier process, such as the host before its restart. The order
// given is the order of the shares; [Listener.Lanes] is in the order of the indices, so tell the lanes by their FD. It
// changes nothing in the kernel: what was steered goes on as it was. [Listener.Repair] then makes the kernel agree
// with what is remembered, the weights included, and must come before anything that steers if an index is unknown.
// On success the descriptors belong to the lanes; on an error they stay the caller's.
func (l *Listener) Restore(known ...Known) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.restore(known); err != nil {
		l.lanes, l.shares, l.unlocated = nil, nil, false
		return fmt.Errorf("cannot restore listener %s: %w", l.name, err)
	}
	return nil
}

func (l *Listener) restore(known []Known) error {
	if len(l.lanes) > 0 {
		return errors.New("it has lanes already")
	}
	unknown := slices.ContainsFunc(known, func(k Known) bool { return k.Index == UnknownIndex })
	for i, k := range known {
		lane, err := l.describe(k.FD)
		if err != nil {
			return err
		}
		lane.index = k.Index
		if unknown {
			lane.index = i
		}
		if err := l.fits(lane); err != nil {
			return err
		}
		l.lanes = append(l.lanes, lane)
		l.shares = append(l.shares, Share{Lane: lane, Weight: k.Weight})
	}
	if !l.steerable() {
		l.shares = nil
		return nil
	}
	l.unlocated = unknown
	return l.sortLanes()
}

// sortLanes puts the lanes into the order of their indices, which must be 0, 1, 2, … .
func (l *Listener) sortLanes() error {
	slices.SortFunc(l.lanes, func(a, b *Lane) int { return a.index - b.index })
	for i, lane := range l.lanes {
		if lane.index != i {
			return fmt.Errorf("%d lanes have no lane %d", len(l.lanes), i)
		}
	}
	return nil
}
