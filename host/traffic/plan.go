package traffic

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
)

// Whole is the sum of all shares of a plan: 10,000 basis points, so that one step is 0.01 %.
const Whole = 10_000

// Share gives a lane its part of the new connections.
type Share struct {
	Lane   int // index in the group: the order of listen, from 0
	Weight int // basis points, 0 to Whole; a lane with 0 is never drawn
}

// Probe sends connections from one source to one lane, before any weight is looked at. A source is the address and
// the port: another address with the same port is an ordinary client. A v4-mapped address means the IPv4 one, and a
// zone is ignored, since packets carry neither.
type Probe struct {
	Source netip.AddrPort
	Lane   int
}

// Plan is what a steering program does. The order of Shares matters only when Sticky is set: each share is a
// contiguous range of hashes in that order. With two shares, a client that the growing one has drawn stays with it;
// with more, keep the lanes of one generation beside each other.
type Plan struct {
	Shares []Share
	Probes []Probe
	Sticky bool // draw by a hash of the client's address instead of a random number
}

// maxLane is the highest index a group can have: the kernel counts its members in 16 bits.
const maxLane = math.MaxUint16 - 1

func (p Plan) validate() error {
	if len(p.Shares) == 0 {
		return errors.New("it has no shares")
	}
	sum := 0
	seen := make(map[int]bool, len(p.Shares))
	for _, s := range p.Shares {
		if err := validLane(s.Lane); err != nil {
			return err
		}
		if seen[s.Lane] {
			return fmt.Errorf("lane %d has two shares", s.Lane)
		}
		seen[s.Lane] = true
		if s.Weight < 0 || s.Weight > Whole {
			return fmt.Errorf("lane %d has weight %d, outside 0 to %d", s.Lane, s.Weight, Whole)
		}
		sum += s.Weight
	}
	if sum != Whole {
		return fmt.Errorf("the shares add up to %d, not %d", sum, Whole)
	}
	return p.validateProbes()
}

func (p Plan) validateProbes() error {
	seen := make(map[netip.AddrPort]bool, len(p.Probes))
	for _, probe := range p.Probes {
		if err := validLane(probe.Lane); err != nil {
			return err
		}
		source := onWire(probe.Source)
		if !source.Addr().IsValid() || source.Addr().IsUnspecified() || source.Port() == 0 {
			return fmt.Errorf("probe source %s is not an address and a port", probe.Source)
		}
		if seen[source] {
			return fmt.Errorf("probe source %s is named twice", source)
		}
		seen[source] = true
	}
	return nil
}

func validLane(lane int) error {
	if lane < 0 || lane > maxLane {
		return fmt.Errorf("lane %d is outside 0 to %d", lane, maxLane)
	}
	return nil
}

// onWire is the source as a packet carries it.
func onWire(source netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(source.Addr().Unmap().WithZone(""), source.Port())
}
