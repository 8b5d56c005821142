package host

import (
	"slices"
	"strings"
	"time"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/pluginapi"
)

// service is a named thing that is kept up: its generations, and the rollout
// between them.
type service struct {
	h     *Host
	name  string
	cfg   config.Service
	ports []*port // that it serves, configured first

	gens    map[uint64]*generation
	serving *generation // nil until the first start has committed
	warm    *generation // the one before, ready to come back
	warmEnd *time.Timer
	until   time.Time // end of warm
	next    uint64    // number of the next generation

	roll    *rolling
	waiting []func() // rollouts that wait for the one that runs
	last    *ended
	refused *refusal
	starts  instance.Restarts // of failed first starts
	crashes int               // of instances that ended unasked
}

// refusal is a change that was not taken.
type refusal struct {
	Time   time.Time `json:"time"`
	What   string    `json:"what"`
	Reason string    `json:"reason"`
}

func (h *Host) addService(cfg config.Service) *service {
	s := &service{h: h, name: cfg.Name, gens: map[uint64]*generation{}, next: h.memory.lastGeneration(cfg.Name) + 1}
	s.configure(cfg)
	s.last, s.refused = h.memory.lastEnded(cfg.Name), h.memory.refusals[cfg.Name]
	h.services[s.name] = s
	h.order = append(h.order, s.name)
	return s
}

// configure takes a service's part of the configuration and connects it with its
// listeners.
func (s *service) configure(cfg config.Service) {
	s.cfg = cfg
	adopted := slices.DeleteFunc(slices.Clone(s.ports), func(p *port) bool { return !p.adopted })
	s.ports = nil
	for _, name := range cfg.Listeners {
		p := s.h.ports[name]
		if p == nil {
			continue // a configuration that was gone back to names a listener that is gone
		}
		p.service = s
		if p.address.Host == "" && !p.unix() && cfg.Sockets == config.Inherit {
			p.address.Host = "::" // nobody will bind it for us
		}
		s.ports = append(s.ports, p)
	}
	s.ports = append(s.ports, adopted...)
}

// start brings up a service that has nothing running: what the journal says ran
// last, or what is configured.
func (s *service) start() {
	if s.serving != nil || s.roll != nil {
		return
	}
	go func() {
		what, err := s.firstPayload()
		s.h.post(func() {
			if s.closed() != "" || s.serving != nil || s.roll != nil {
				return // it was removed, or somebody was faster
			}
			if err != nil {
				s.startFailed(err.Error(), nil)
				return
			}
			s.begin(request{kind: pluginapi.KindStart, payload: what, actor: self(), reason: "start"}, nil)
		})
	}()
}

// startFailed tries again later, or ends a host that was told to fail fast.
func (s *service) startFailed(reason string, tail []string) {
	h := s.h
	h.log.Error("cannot start service", "service", s.name, "reason", reason, "last_lines", strings.Join(tail, "\n"))
	if h.opts.FailFast && s.serving == nil {
		h.code = 1
		h.stop(true)
		return
	}
	s.refuse("start", reason)
	p := s.restartPolicy()
	wait, _ := s.starts.Exited(time.Now(), time.Now(), p)
	h.after(max(wait, p.Backoff), func() {
		if h.services[s.name] == s && !h.stopping {
			s.start()
		}
	})
}

func (s *service) restartPolicy() instance.RestartPolicy {
	r := s.cfg.Restart
	return instance.RestartPolicy{Backoff: r.Backoff, MaxBackoff: r.MaxBackoff, LoopCount: r.CrashLoop.Count, LoopWindow: r.CrashLoop.Within}
}

// refuse keeps a change that was not taken where an operator will see it.
func (s *service) refuse(what, reason string) {
	s.refused = &refusal{Time: time.Now(), What: what, Reason: reason}
	s.h.memory.refusals[s.name] = s.refused
	s.h.record(recordRefusal, "", refusalRecord{Service: s.name, What: what, Reason: reason})
}

// generation makes the next one; it has no lane and no process yet.
func (s *service) generation(p payload) *generation {
	g := &generation{
		svc: s, number: s.next, payload: p, cfg: s.cfg, ports: slices.Clone(s.ports), phase: pluginapi.PhaseStandby, begun: time.Now(),
		lanes: map[string]*lane{}, inst: map[string]*running{}, inbox: noInbox,
	}
	s.next++
	s.h.memory.numbered(s.name, g.number)
	s.gens[g.number] = g
	return g
}

// living lists the generations in the order of their numbers.
func (s *service) living() []*generation {
	all := make([]*generation, 0, len(s.gens))
	for _, g := range s.gens {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *generation) int { return int(a.number) - int(b.number) })
	return all
}

// weighted says that new connections can be steered: some listener has a lane
// for each generation. A unix path leads to one of them, so its weight is all or
// nothing.
func (s *service) weighted() bool {
	return slices.ContainsFunc(s.ports, func(p *port) bool { return !p.shared() })
}

// committed makes g the service's generation; the one before stays warm.
func (s *service) committed(g *generation, warmFor time.Duration) {
	before := s.serving
	s.serving = g
	g.weight = pluginapi.FullWeight // a first start may have known no listener to weigh
	s.adoptExtra(g)
	g.phase = pluginapi.PhaseServing
	s.writePID()
	if s.warm == g {
		s.warm = nil
	}
	if before == nil || before == g {
		return
	}
	s.retireWarm("a newer release was committed")
	before.phase = pluginapi.PhaseWarm
	before.quiesce(g)
	s.keepWarm(before, warmFor)
}

// writePID names the process that serves in the service's pid file: the oldest
// instance that is ready.
func (s *service) writePID() {
	path := s.serving.cfg.PIDFile
	if path == "" {
		return
	}
	var first *running
	for _, r := range s.serving.inst {
		if r.state == instance.Ready && (first == nil || r.number < first.number) {
			first = r
		}
	}
	if first == nil {
		return
	}
	if err := writePID(path, first.pid); err != nil {
		s.h.log.Warn("cannot write pid file", "service", s.name, "error", err)
	}
}

// keepWarm has g ready to come back for a while, then lets it go.
func (s *service) keepWarm(g *generation, d time.Duration) {
	s.warm, s.until = g, time.Now().Add(d)
	if d <= 0 {
		s.retireWarm("it is not kept warm")
		return
	}
	s.warmEnd = s.h.after(d, func() {
		if s.warm == g {
			s.retireWarm("its time to come back has passed")
		}
	})
}

// retireWarm lets the generation that was kept for a return go.
func (s *service) retireWarm(why string) {
	if s.warmEnd != nil {
		s.warmEnd.Stop()
		s.warmEnd = nil
	}
	g := s.warm
	s.warm = nil
	if g != nil && g.phase == pluginapi.PhaseWarm {
		g.retire(why)
	}
}

// shareRules tells the instances of the other generations about a lane that g
// opened, so that their binds of it are answered too.
func (s *service) shareRules(except *generation) {
	for _, g := range s.living() {
		if g == except || g.phase == pluginapi.PhaseGone {
			continue
		}
		g.lanesFor(func(err error) {
			if err != nil {
				s.h.log.Error("cannot bind a lane", "service", s.name, "generation", g.number, "error", err)
				return
			}
			rules := g.rules()
			for id := range g.inst {
				go func() { _ = s.h.keeper.SetRules(s.h.ctx, id, rules) }()
			}
		})
	}
}
