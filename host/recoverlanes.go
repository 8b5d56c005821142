package host

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/inetdiag"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/host/listener"
	"github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// recoverLanes fetches the lanes and puts them back into their listeners, by the
// index that the journal has for each.
func (h *Host) recoverLanes() (map[string]*lane, error) {
	found := map[*port][]keeper.Descriptor{}
	for _, d := range h.welcome.Descriptors {
		if d.Address == nil || d.Address.Network == "unixgram" || d.Address.Network == "unixpacket" {
			continue
		}
		if p := h.recoverPort(d); p != nil {
			found[p] = append(found[p], d)
		}
	}
	taken, weights := map[string]*lane{}, h.weightsBefore()
	for p, ds := range found {
		slices.SortFunc(ds, func(a, b keeper.Descriptor) int { return h.memory.index(a.Name) - h.memory.index(b.Name) })
		var names []string
		for _, d := range ds {
			names = append(names, d.Name)
		}
		fds, err := h.keeper.Fetch(h.ctx, names...)
		if err != nil {
			return nil, err
		}
		if err := p.restore(ds, fds, weights); err != nil {
			return nil, fmt.Errorf("listener %s: %w", p.name, err)
		}
		for _, l := range p.lanes {
			taken[l.name] = l
		}
	}
	return taken, nil
}

// recoverPort finds the listener that a socket belongs to, or makes the one that
// a program opened.
func (h *Host) recoverPort(d keeper.Descriptor) *port {
	var m laneMeta
	if len(d.Meta) > 0 && json.Unmarshal(d.Meta, &m) != nil {
		return nil
	}
	if strings.HasPrefix(d.Name, "open/") { // open/SERVICE/GENERATION/ADDRESS
		m.Service, _, _ = strings.Cut(strings.TrimPrefix(d.Name, "open/"), "/")
		if m.Listener = d.Listener; m.Listener == "" {
			m.Listener = m.Service + "/" + d.Address.String()
		}
	}
	p := h.ports[m.Listener]
	if p == nil {
		s := h.serviceOf(m.Service)
		if s == nil {
			return nil
		}
		p = &port{name: m.Listener, adopted: true, service: s}
		h.addPort(p)
	}
	p.address = *d.Address
	return p
}

// restore puts lanes back; what the kernel steers stays as it is.
func (p *port) restore(ds []keeper.Descriptor, fds []int, weights map[string]int) error {
	p.count = len(ds) + 1<<10*int(p.h.welcome.Restarts+1) // names of lanes to come are new ones
	if p.unix() || p.shared() {
		for i, d := range ds {
			if _, err := p.add(d.Name, d.Private, fds[i]); err != nil {
				return err
			}
		}
		return nil
	}
	a, err := listener.ParseAddress(p.address.String())
	if err != nil {
		return err
	}
	set := listener.New(p.name, a, p.options)
	known := make([]listener.Known, len(ds))
	left := int(pluginapi.FullWeight)
	indices := p.h.memory.indices(ds)
	for i, d := range ds {
		w := min(weights[d.Name], left)
		left -= w
		known[i] = listener.Known{FD: fds[i], Index: indices[i], Weight: w}
	}
	known[heir(fds)].Weight += left // nothing is known to serve: somebody must have it
	if err := set.Restore(known...); err != nil {
		return err
	}
	p.listener = set
	for i, fd := range fds {
		for _, l := range set.Lanes() { // in an order of its own
			if l.FD() == fd {
				p.lanes = append(p.lanes, &lane{name: ds[i].Name, port: p, Lane: l, set: set})
			}
		}
	}
	return nil
}

// heir is the lane in whose queue most clients wait, else the first.
func heir(fds []int) int {
	best, most := 0, uint32(0)
	for i, fd := range fds {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil && inetdiag.State(info.State) == inetdiag.Listen && info.Unacked > most {
			best, most = i, info.Unacked
		}
	}
	return best
}

// weightsBefore tells, by descriptor, the weights that an earlier host had put in
// force: those that the journal has for the generation whose instances hold it.
func (h *Host) weightsBefore() map[string]int {
	weights := map[string]int{}
	note := func(descriptor, service string, generation uint64) {
		weights[descriptor] = max(weights[descriptor], int(h.memory.weight(service, generation)))
	}
	for _, c := range h.welcome.Children {
		var m childMeta
		if json.Unmarshal(c.Meta, &m) != nil || m.Sweeps {
			continue
		}
		for _, r := range c.Rules {
			note(r.Descriptor, m.Service, m.Generation)
		}
		prefix := openPrefix(m.Service, m.Generation)
		for _, d := range h.welcome.Descriptors {
			if strings.HasPrefix(d.Name, prefix) {
				note(d.Name, m.Service, m.Generation)
			}
		}
	}
	return weights
}

// openPrefix begins the names that the keeper gives to sockets which a program's
// bind has opened.
func openPrefix(service string, generation uint64) string {
	return fmt.Sprintf("open/%s/%d/", service, generation)
}

// weight is a generation's share as the journal has it.
func (m *memory) weight(service string, generation uint64) pluginapi.Weight {
	var w pluginapi.Weight
	for _, id := range m.order {
		r := m.rollouts[id]
		if r.service != service {
			continue
		}
		switch {
		case r.state.Name == rollout.StateCommitted:
			w = 0
			if r.state.To.Number == generation {
				w = pluginapi.FullWeight
			}
		case r.state.Name.Ended():
		case r.state.To.Number == generation:
			w = max(r.state.To.Desired, 0)
		case r.state.From.Number == generation:
			w = max(r.state.From.Desired, 0)
		}
	}
	return w
}

// index is a lane's place in its group, as the journal has it.
func (m *memory) index(descriptor string) int {
	if l, ok := m.lanes[descriptor]; ok {
		return l.Index
	}
	return listener.UnknownIndex
}

// indices are those of all lanes of a listener; unless they are 0, 1, 2, … in some
// order, none can be trusted.
func (m *memory) indices(ds []keeper.Descriptor) []int {
	all, seen := make([]int, len(ds)), make([]bool, len(ds))
	for i, d := range ds {
		all[i] = m.index(d.Name)
		if all[i] < 0 || all[i] >= len(ds) || seen[all[i]] {
			return slices.Repeat([]int{listener.UnknownIndex}, len(ds))
		}
		seen[all[i]] = true
	}
	return all
}
