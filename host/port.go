package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/host/listener"
	"github.com/zdhost/zdhost/pluginapi"
)

// port is an address that the host holds and its lanes. A TCP or UDP port has
// one listener.Listener for all of them; a unix port has one a lane, since each
// generation has a socket of its own and the path is what is steered.
type port struct {
	h       *Host
	name    string
	address keeper.Address // Host is empty until a wildcard's family is known
	options listener.Options
	adopted bool // no configuration names it
	service *service

	listener  *listener.Listener
	lanes     []*lane
	repairing bool
	published *lane // whose socket a unix path leads to
	count     int   // of lanes ever bound, for their names
}

// lane is one accept queue and whose it is.
type lane struct {
	name string // of the keeper's descriptor
	port *port
	*listener.Lane
	set  *listener.Listener
	gen  *generation // nil while it waits in the pool
	high int         // most connections that were seen waiting
	base uint64      // drops when its present generation got it
}

// portOf describes a configured listener. "[::]:80" is IPv6 alone, ":80" both
// families, as the first program that binds it has it.
func portOf(l config.Listener) *port {
	a := keeper.Address{Network: string(l.Network), Path: l.Path, Port: l.Port, Mode: uint32(l.Mode)}
	if l.Host.IsValid() {
		a.Host, a.V6Only = l.Host.String(), l.Host.Is6()
	}
	return &port{name: l.Name, address: a, options: listener.Options{Backlog: l.Backlog, Sticky: l.Sticky, ProbeBoth: true}}
}

func (h *Host) addPort(p *port) {
	p.h = h
	h.ports[p.name] = p
}

// text is the address as people write it.
func (p *port) text() string {
	if p.address.Host == "" && !p.unix() {
		return fmt.Sprintf(":%d", p.address.Port)
	}
	return p.address.String()
}

func (p *port) unix() bool { return p.address.Network == "unix" }

// shared says that all generations use one lane.
func (p *port) shared() bool { return p.address.Network == "udp" }

// bound says that the family is known, so that lanes can be bound before a
// program asks.
func (p *port) bound() bool { return p.address.Host != "" || p.unix() }

// local is the address for inetdiag, invalid for a unix port.
func (p *port) local() netip.AddrPort {
	ip, err := netip.ParseAddr(p.address.Host)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip, p.address.Port)
}

// lanesFor finds or binds the lanes of a generation on all of its ports
// and calls then on the loop. It keeps what it got where it fails half-way: the
// lanes go back to the pool with the generation.
func (g *generation) lanesFor(then func(error)) {
	for _, p := range g.ports {
		if g.lanes[p.name] != nil || !p.bound() {
			continue
		}
		if l := p.pooled(); l != nil {
			g.take(l)
			continue
		}
		p.count++
		req := keeper.BindRequest{
			Name: fmt.Sprintf("lane/%s/%d", p.name, p.count), Address: p.address, First: len(p.lanes) == 0,
		}
		req.Meta, _ = json.Marshal(laneMeta{Listener: p.name, Adopted: p.adopted, Service: g.svc.name})
		go func() {
			fd, private, err := p.h.keeper.Bind(p.h.ctx, req)
			p.h.post(func() {
				if err == nil {
					var l *lane
					if l, err = p.add(req.Name, private, fd); err == nil {
						g.take(l)
					}
				}
				if err != nil {
					then(err)
					return
				}
				g.lanesFor(then)
			})
		}()
		return
	}
	then(nil)
}

// laneMeta is what the keeper keeps with a lane for the next host.
type laneMeta struct {
	Listener string `json:"listener"`
	Adopted  bool   `json:"adopted,omitempty"`
	Service  string `json:"service"`
}

// pooled returns a lane that nobody uses, or the shared one. One in whose queue
// clients wait comes first; one that was shut down waits for its repair, or is
// let go where there is none.
func (p *port) pooled() *lane {
	var found *lane
	for _, l := range slices.Clone(p.lanes) {
		if p.shared() {
			return l
		}
		if l.gen != nil {
			continue
		}
		if listening, err := l.Listening(); err != nil || !listening {
			if err == nil && p.unix() {
				p.discard(l)
			}
			continue
		}
		if n, _, err := l.Queue(); err == nil && n > 0 {
			return l
		}
		if found == nil {
			found = l
		}
	}
	return found
}

// discard lets a unix lane go that nobody can listen on again.
func (p *port) discard(l *lane) {
	p.lanes = slices.DeleteFunc(p.lanes, func(other *lane) bool { return other == l })
	if p.published == l {
		p.published = nil
	}
	_ = l.set.Close()
	go func() { _ = p.h.keeper.Drop(p.h.ctx, l.name) }()
}

// add takes over a descriptor as the port's next lane. A unix lane is dialled at
// its private path: the public one may be another generation's.
func (p *port) add(name, private string, fd int) (*lane, error) {
	set := p.listener
	if set == nil || p.unix() {
		a, err := listener.ParseAddress(p.address.String())
		if err != nil {
			_ = unix.Close(fd)
			return nil, err
		}
		if p.unix() {
			a.Path = private
		}
		set = listener.New(p.name, a, p.options)
	}
	l, err := set.AddLane(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	p.listener = set
	added := &lane{name: name, port: p, Lane: l, set: set}
	p.lanes = append(p.lanes, added)
	p.noteIndices()
	return added, nil
}

// noteIndices writes down where the lanes are in their group, as far as the
// journal has it otherwise: the next host steers by it, or locates what isn't
// known.
func (p *port) noteIndices() {
	for i, l := range p.lanes {
		r := laneRecord{Listener: p.name, Descriptor: l.name, Index: i}
		switch {
		case p.unix() || p.shared():
		case l.set.Located():
			r.Index = l.Index()
		default:
			r.Index = listener.UnknownIndex
		}
		if known, ok := p.h.memory.lanes[l.name]; !ok || known != r {
			p.h.memory.lanes[l.name] = r
			p.h.record(recordLane, "", r)
		}
	}
}

// take makes a lane the generation's.
func (g *generation) take(l *lane) {
	if !l.port.shared() || l.gen == nil {
		l.gen = g
	}
	l.high = 0
	l.base, _ = l.Drops()
	g.lanes[l.port.name] = l
}

// opened takes an address that a program bound and that had no socket yet: a
// configured wildcard whose family is known now, or one that nobody named, which
// becomes a listener of its own. It is the generation's alone until that is
// committed: a candidate that fails must not leave demands to those after it.
func (g *generation) opened(e keeper.Event) {
	s, h := g.svc, g.svc.h
	p := h.ports[e.Listener]
	if p == nil && e.Listener != "" {
		closeFDs(e.FD) // the configuration has dropped it meanwhile
		return
	}
	if e.Listener == "" {
		p = &port{name: s.name + "/" + e.Address.String(), adopted: true, service: s}
		h.addPort(p)
		g.extra = append(g.extra, p)
	}
	p.address = *e.Address
	l, err := p.add(e.Descriptor, "", e.FD)
	if err != nil {
		h.log.Error("cannot take over an address", "address", e.Address.String(), "error", err)
		return
	}
	g.take(l)
	h.log.Info("address adopted", "service", s.name, "generation", g.number, "address", e.Address.String())
	switch {
	case g == s.serving:
		s.adoptExtra(g)
	case e.Listener != "":
		s.shareRules(g)
	case g.rollout() != nil: // nothing may be wrong with it, but whoever waits should see it at once
		g.rollout().tell(fmt.Sprintf("generation %d listens on %s", g.number, e.Address))
	}
	if err := s.reweigh(); err != nil {
		h.log.Error("cannot steer", "service", s.name, "error", err)
	}
}

// adoptExtra makes the addresses that a committed generation has opened the
// service's: every generation after it must serve them too. Those before it know
// nothing of them.
func (s *service) adoptExtra(g *generation) {
	if len(g.extra) == 0 {
		return
	}
	s.ports = append(s.ports, g.extra...)
	for _, other := range s.living() {
		if other.number >= g.number && other.phase != pluginapi.PhaseGone {
			other.ports = append(other.ports, g.extra...)
		}
	}
	g.extra = nil
	s.shareRules(g)
}

// probe connects to exactly this lane through the public address.
func (l *lane) probe(ctx context.Context, speak func(net.Conn) error) error {
	if l.port.shared() {
		return nil // datagrams have no handshake to wait for
	}
	return l.set.Probe(ctx, l.Lane, speak)
}

// watchListeners samples queues, so that their high-water marks are known, and
// repairs lanes that a program has shut down.
func (h *Host) watchListeners() {
	for _, p := range h.ports {
		for _, l := range p.lanes {
			n, _, err := l.Queue()
			if err == nil {
				l.high = max(l.high, n)
			} else if p.listener != nil && !p.shared() {
				h.repair(p, l)
			}
		}
	}
	h.after(queueSample, h.watchListeners)
}

const queueSample = 250 * time.Millisecond
