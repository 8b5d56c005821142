package listener

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

// Sentinels of this package.
var (
	// ErrShared says that the listener has one shared lane and therefore no weights: it is a unix or datagram one.
	ErrShared = errors.New("the listener has one shared lane")
	// ErrLaneLost says that a lane doesn't listen any more, so that indices have moved. [Listener.Repair] helps.
	ErrLaneLost = errors.New("a lane was shut down by a program that holds it")
	// ErrUnlocated says that the lanes' indices are unknown. [Listener.Locate] helps.
	ErrUnlocated = errors.New("the lanes' places in the kernel's group are unknown")
	// ErrForeignLane says that a lane belongs to another listener.
	ErrForeignLane = errors.New("the lane belongs to another listener")
)

// Options of a listener.
type Options struct {
	// Backlog is the length of each accept queue; 0 means as long as net.core.somaxconn allows, which also caps
	// any other value.
	Backlog int
	// Sticky draws the lane by a hash of the client's address instead of a random number.
	Sticky bool
	// ProbeBoth probes a [::] listener over IPv4 and then over IPv6, where the machine has an IPv6 loopback,
	// instead of over IPv4 only.
	ProbeBoth bool
}

// Share gives a lane its part of the new connections.
type Share struct {
	Lane   *Lane
	Weight int // basis points, 0 to traffic.Whole
}

// Listener is an address and its lanes.
type Listener struct {
	name    string
	address Address
	options Options

	mu        sync.Mutex
	lanes     []*Lane // in the order of their index
	shares    []Share // as set last, which the program in force means unless a probe is on its way
	probes    []probe
	unlocated bool
}

// probe is a rule of the program in force. Without a lane it means an index, whoever has it.
type probe struct {
	source netip.AddrPort
	lane   *Lane
	index  int
}

// New describes a listener. It has no lane yet and opens nothing.
func New(name string, address Address, options Options) *Listener {
	if options.Backlog <= 0 {
		options.Backlog = 1<<16 - 1
	}
	return &Listener{name: name, address: address, options: options}
}

// Name is the listener's name in the configuration.
func (l *Listener) Name() string { return l.name }

// Address is the address that the listener was described with.
func (l *Listener) Address() Address { return l.address }

// Lanes are the lanes in the order of their index.
func (l *Listener) Lanes() []*Lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lanes)
}

// Weights are the shares as they were set last, in that order.
func (l *Listener) Weights() []Share {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.shares)
}

// SetWeights gives each lane its share of the new connections; lanes that aren't named get none, and the shares must
// add up to traffic.Whole. The order matters only for a sticky listener, see [traffic.Plan]. It is one setsockopt and
// takes effect with the next connection. Setting the same weights again is harmless. On an error the weights before
// stay in force.
func (l *Listener) SetWeights(shares ...Share) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.setWeights(shares); err != nil {
		return fmt.Errorf("cannot set weights of listener %s: %w", l.name, err)
	}
	return nil
}

func (l *Listener) setWeights(shares []Share) error {
	for _, s := range shares {
		if err := l.owns(s.Lane); err != nil {
			return err
		}
	}
	before := l.shares
	l.shares = slices.Clone(shares)
	if err := l.steer(); err != nil {
		l.shares = before
		return err
	}
	return nil
}

// steer attaches the program for the present shares and probes. The mutex is held.
func (l *Listener) steer() error {
	switch {
	case !l.steerable():
		return ErrShared
	case l.unlocated:
		return ErrUnlocated
	}
	return l.attachToGroup()
}

// attachToGroup attaches the program whether the indices are known or not. The mutex is held.
func (l *Listener) attachToGroup() error {
	if len(l.lanes) == 0 {
		return errors.New("the listener has no lane")
	}
	for _, lane := range l.lanes {
		// A socket outside the group would take the program, and nobody would be steered by it.
		if listening, err := lane.listening(); err != nil {
			return err
		} else if !listening {
			return fmt.Errorf("lane %d: %w", lane.index, ErrLaneLost)
		}
	}
	return l.attach(l.lanes[0])
}

// attach gives the program to the group of a lane. The mutex is held.
func (l *Listener) attach(lane *Lane) error {
	plan := traffic.Plan{Sticky: l.options.Sticky}
	for _, s := range l.shares {
		plan.Shares = append(plan.Shares, traffic.Share{Lane: s.Lane.index, Weight: s.Weight})
	}
	for _, p := range l.probes {
		index := p.index
		if p.lane != nil {
			index = p.lane.index
		}
		plan.Probes = append(plan.Probes, traffic.Probe{Source: p.source, Lane: index})
	}
	program, err := traffic.Assemble(plan)
	if err != nil {
		return err
	}
	return lane.socket.steer(program)
}

// addProbe puts a rule into the program in force.
func (l *Listener) addProbe(p probe) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.lane != nil {
		if err := l.owns(p.lane); err != nil {
			return err
		}
		if l.unlocated {
			return ErrUnlocated
		}
	}
	before := l.probes
	l.probes = append(slices.Clip(before), p)
	if err := l.attachToGroup(); err != nil {
		l.probes = before
		return err
	}
	return nil
}

// removeProbe takes the rule of a source out. On an error the rule is forgotten and the next change of the program
// takes it out.
func (l *Listener) removeProbe(source netip.AddrPort) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probes = slices.DeleteFunc(slices.Clone(l.probes), func(p probe) bool { return p.source == source })
	return l.attachToGroup()
}

// steerable says whether lanes have weights here.
func (l *Listener) steerable() bool { return l.address.Network == TCP }

func (l *Listener) owns(lane *Lane) error {
	if lane == nil || lane.listener != l || !slices.Contains(l.lanes, lane) {
		return ErrForeignLane
	}
	return nil
}

// Close closes the descriptors of all lanes, the last lane first. The queues live on in the other processes that
// hold them; those of lanes that nobody else holds are reset.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, lane := range slices.Backward(l.lanes) {
		if err := unix.Close(int(lane.socket)); err != nil {
			errs = append(errs, fmt.Errorf("cannot close lane %d of listener %s: %w", lane.index, l.name, err))
		}
	}
	l.lanes, l.shares, l.probes = nil, nil, nil
	return errors.Join(errs...)
}
