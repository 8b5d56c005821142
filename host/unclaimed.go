package host

import (
	"encoding/json"

	"github.com/zdhost/zdhost/host/config"
)

// unclaimed makes a service of each that has processes and that the configuration
// doesn't name: it only leaves, with the defaults of every service, so that what
// its clients have begun can end.
func (h *Host) unclaimed() {
	for _, c := range h.welcome.Children {
		var m childMeta
		if json.Unmarshal(c.Meta, &m) != nil || h.serviceOf(m.Service) != nil {
			continue
		}
		cfg, err := config.FromCommand(m.Service, []string{m.Service})
		if err != nil {
			h.log.Error("a process is ended that belongs to no service", "instance", c.ID, "error", err)
			continue
		}
		h.leavers[m.Service] = &service{
			h: h, name: m.Service, cfg: cfg.Services[0], gens: map[uint64]*generation{}, next: h.memory.lastGeneration(m.Service) + 1,
		}
	}
}

// serviceOf finds a service that is configured, or that only leaves.
func (h *Host) serviceOf(name string) *service {
	if s := h.services[name]; s != nil {
		return s
	}
	return h.leavers[name]
}

// retireUnclaimed has them leave.
func (h *Host) retireUnclaimed() {
	for _, s := range h.leavers {
		for _, g := range s.living() {
			s.ports, g.extra = append(s.ports, g.extra...), nil // an address goes with the last that serves it
		}
		s.leave("the configuration doesn't name its service")
	}
}

// dropUnclaimed has the keeper close what nothing here refers to.
func (h *Host) dropUnclaimed() {
	claimed := map[string]bool{}
	for _, p := range h.ports {
		for _, l := range p.lanes {
			claimed[l.name] = true
		}
	}
	for id := range h.live {
		claimed["notify/"+id], claimed["workload/"+id] = true, true
	}
	for _, all := range []map[string]*service{h.services, h.leavers} {
		for _, s := range all {
			for _, g := range s.gens {
				claimed[g.inboxName()+"/send"], claimed[g.inboxName()+"/receive"] = true, true
			}
		}
	}
	var names []string
	for _, d := range h.welcome.Descriptors {
		if !claimed[d.Name] {
			names = append(names, d.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	h.log.Info("descriptors dropped that nobody claims", "names", names)
	go func() { _ = h.keeper.Drop(h.ctx, names...) }()
}
