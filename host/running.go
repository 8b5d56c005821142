package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/zdapp/workload"
)

// running is one instance as the host sees it.
type running struct {
	id       string // service, generation and number
	number   uint64
	gen      *generation
	inst     *instance.Instance
	payload  payload // its generation's, or that of the release it sweeps for
	pid      int
	begun    time.Time
	since    time.Time // of the state
	state    instance.State
	wasReady bool
	reason   string
	text     string
	log      string
	env      []string     // of the program and of its checks, without what only the launcher knows
	user     *keeper.User // nil: the host's own
	stats    *workload.Stats
	base     *workload.Stats // when the present rollout began
	sweeps   bool
	draining bool
	haste    instance.Haste
	moves    bool        // it takes connections that were moved
	quiesced bool        // it gives its own away
	resumed  bool        // and was told not to since it said so
	to       *generation // that they go to; nil if it was not asked to
	over     bool        // its process has ended
}

// spawn starts one instance of the payload on the generation's lanes, a sweeper
// perhaps. It returns at once; what becomes of it is heard later.
func (g *generation) spawn(p payload, sweeps bool) {
	s, h := g.svc, g.svc.h
	r := &running{
		number: h.memory.nextInstance(), gen: g, payload: p, begun: time.Now(), since: time.Now(), state: instance.Starting,
		sweeps: sweeps,
	}
	r.id = fmt.Sprintf("%s-%d-%d", s.name, g.number, r.number)
	h.record(recordInstance, "", instanceRecord{Service: s.name, Instance: r.id, Number: r.number, Generation: g.number, What: "started"})
	r.log = h.logPath(s.name, r.id)
	ports := g.required()
	r.inst = instance.New(g.spec(r.id, ports), r.world(), h.log)
	g.inst[r.id], h.live[r.id] = r, r
	path, err := p.path()
	if err != nil {
		h.later(func() { r.spawnFailed(err) })
		return
	}
	order, err := g.order(r, path)
	if err != nil {
		h.later(func() { r.spawnFailed(err) })
		return
	}
	go r.start(order)
}

// start binds the instance's own sockets, has the program started, and lives the
// instance.
func (r *running) start(order keeper.Spawn) {
	h := r.gen.svc.h
	ch := instance.Channels{Notify: -1, Workload: -1}
	err := r.channels(order.User, &ch)
	var child keeper.Child
	if err == nil {
		child, err = h.keeper.Spawn(h.ctx, order)
	}
	if err != nil {
		closeFDs(ch.Notify, ch.Workload)
		_ = h.keeper.Drop(h.ctx, "notify/"+r.id)
		_ = h.keeper.Drop(h.ctx, "workload/"+r.id)
		h.post(func() { r.spawnFailed(err) })
		return
	}
	h.post(func() {
		r.pid = child.PID
		if child.Unenforced != "" {
			h.log.Warn("a limit is not enforced", "service", r.gen.svc.name, "limit", child.Unenforced)
		}
	})
	r.inst.Run(h.ctx, ch)
}

// channels binds NOTIFY_SOCKET and ZDHOST_SOCKET, owned by the program's user.
func (r *running) channels(owner *keeper.User, ch *instance.Channels) error {
	h := r.gen.svc.h
	for _, c := range []struct {
		name, network string
		fd            *int
	}{{"notify", "unixgram", &ch.Notify}, {"workload", "unixpacket", &ch.Workload}} {
		fd, _, err := h.keeper.Bind(h.ctx, keeper.BindRequest{Name: c.name + "/" + r.id, First: true, Address: keeper.Address{
			Network: c.network, Path: r.socket(c.name), Mode: 0o600, Owner: owner,
		}})
		if err != nil {
			return err
		}
		*c.fd = fd
	}
	return nil
}

func (r *running) socket(kind string) string {
	return filepath.Join(r.gen.svc.h.opts.RunDir, fmt.Sprintf("%d.%s", r.number, kind)) // short: see config.MaxRunDir
}

// order is what the keeper is told to start.
func (g *generation) order(r *running, path string) (keeper.Spawn, error) {
	cfg := g.cfg
	if err := r.identify(); err != nil {
		return keeper.Spawn{}, err
	}
	meta, err := marshal(childMeta{Service: g.svc.name, Generation: g.number, Number: r.number, Sweeps: r.sweeps})
	return keeper.Spawn{
		ID: r.id, Service: g.svc.name, Generation: g.number, Path: path, Argv: r.payload.Command, Dir: r.payload.Dir,
		Sockets: string(cfg.Sockets), Rules: g.rules(), Open: cfg.Sockets == config.Adopt, Log: r.log,
		Env: r.env, User: r.user, Meta: meta,
		Limits: keeper.Limits{
			Memory: uint64(cfg.Limits.Memory), CPUs: cfg.Limits.CPUs, Files: uint64(cfg.Limits.Files), Processes: uint64(cfg.Limits.Processes),
		},
	}, err
}

// identify finds out as whom the instance runs and what it has in its environment.
func (r *running) identify() error {
	g := r.gen
	cfg := g.cfg
	id := instance.Identity{
		Service: g.svc.name, Release: string(r.payload.Release), Instance: r.id, Generation: g.number,
		NotifySocket: r.socket("notify"), WorkloadSocket: r.socket("workload"), WatchdogUSec: cfg.Watchdog.Microseconds(),
	}
	if cfg.User != "" {
		u, home, err := lookUp(cfg.User, cfg.Group)
		if err != nil {
			return err
		}
		r.user, id.User, id.Home = u, cfg.User, home
	}
	r.env = instance.Environment(id, os.Environ(), cfg.EnvInherit, cfg.Env)
	return nil
}

// childMeta is what the keeper keeps with a process for the next host.
type childMeta struct {
	Service    string `json:"service"`
	Generation uint64 `json:"generation"`
	Number     uint64 `json:"number"`
	Sweeps     bool   `json:"sweeps,omitempty"`
}

// spec is how an instance of the generation is judged and ended.
func (g *generation) spec(id string, ports []instance.Port) instance.Spec {
	c := g.cfg
	spec := instance.Spec{
		ID: id, Service: g.svc.name, Generation: g.number, Ports: ports, Adopts: c.Sockets == config.Adopt,
		Ready:    instance.ReadySpec{Timeout: c.Ready.Timeout, Notify: c.Ready.Notify, HTTP: c.Ready.HTTP, Exec: c.Ready.Exec, Interval: c.Ready.Interval},
		Drain:    instance.DrainSpec{Timeout: c.Drain.Timeout, Auto: c.Drain.Auto, Settle: c.Drain.Settle, Signal: c.Drain.Signal},
		Watchdog: c.Watchdog,
	}
	if c.Health != nil {
		spec.Health = instance.HealthSpec{HTTP: c.Health.HTTP, Exec: c.Health.Exec, Interval: c.Health.Interval, Timeout: c.Health.Timeout, Failures: c.Health.Failures}
	}
	return spec
}

// world is the system as the instance may use it. Its functions run on the
// instance's goroutines and touch nothing of the loop's but through ask.
func (r *running) world() instance.World {
	g, h := r.gen, r.gen.svc.h
	return instance.World{
		Signal: func(ctx context.Context, sig syscall.Signal, group bool) error {
			return h.keeper.Signal(ctx, r.id, sig, group)
		},
		Probe: func(ctx context.Context, port string, speak func(net.Conn) error) error {
			var l *lane
			if err := h.ask(ctx, func() { l = g.lanes[port] }); err != nil {
				return err
			}
			if l == nil {
				return fmt.Errorf("it has no socket for listener %s", port)
			}
			return l.probe(ctx, speak)
		},
		Exec: func(ctx context.Context, argv []string) error {
			return runCheck(ctx, argv, r.payload, r.env, r.user)
		},
		Connections: func() ([]instance.Connection, error) { return r.connections() },
		Listening:   func() []string { return r.listening() },
		Lanes:       func() ([]string, []string, []int, error) { return g.duplicates() },
		Inbox: func() (int, error) {
			fd := -1
			err := h.ask(h.ctx, func() { fd = dup(g.inbox.receive) })
			return fd, err
		},
		Note: func(n instance.Notice) { h.post(func() { r.noted(n) }) },
	}
}

// duplicates are the generation's lanes for a program that asks for them.
func (g *generation) duplicates() (names, addresses []string, fds []int, err error) {
	err = g.svc.h.ask(g.svc.h.ctx, func() {
		for _, p := range g.ports {
			if l := g.lanes[p.name]; l != nil {
				names, addresses, fds = append(names, p.name), append(addresses, p.text()), append(fds, dup(l.FD()))
			}
		}
	})
	return names, addresses, fds, err
}

// runCheck runs a check's command as the program itself runs, and returns its last
// line with a failure.
func runCheck(ctx context.Context, argv []string, p payload, env []string, as *keeper.User) error {
	path, err := p.find(argv[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Dir, cmd.Env = p.Dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if as != nil && int(as.UID) != os.Geteuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: as.UID, Gid: as.GID, Groups: as.Groups}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // and what it has started
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(string(out))
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	if text != "" {
		return fmt.Errorf("%s: %w: %.200s", argv[0], err, text)
	}
	return fmt.Errorf("%s: %w", argv[0], err)
}

// noted takes a change of the instance.
func (r *running) noted(n instance.Notice) {
	g := r.gen
	before := r.state
	if n.State != before {
		r.state, r.since = n.State, time.Now()
	}
	r.text, r.stats = n.Text, n.Stats
	r.moves, r.quiesced, r.resumed = n.Moves, n.Quiesced, false
	g.svc.moveConnections()
	if n.Reason != "" {
		r.reason = n.Reason
	}
	roll := g.rollout()
	switch {
	case n.State == instance.Exited:
		r.gone(n)
	case n.Failed && n.State == instance.Starting:
		r.notReady(n.Reason)
	case n.Failed && n.State == instance.Ready:
		r.unhealthy(n.Reason)
	case !n.Extended.IsZero() && roll != nil:
		roll.extended(n.Extended)
	case n.State == instance.Ready && before == instance.Starting:
		r.wasReady = true
		g.svc.h.record(recordInstance, "", instanceRecord{Service: g.svc.name, Instance: r.id, Number: r.number, Generation: g.number, What: "ready"})
		g.svc.h.log.Info("instance ready", "service", g.svc.name, "instance", r.id, "generation", g.number, "pid", r.pid, "after", time.Since(r.begun).Round(time.Millisecond))
		if roll != nil {
			roll.candidateReady()
		}
		if g == g.svc.serving {
			g.svc.writePID()
		}
		if g.leaving != nil {
			g.leaving.step()
		}
	}
}

// notReady is heard of an instance that took too long.
func (r *running) notReady(reason string) {
	g := r.gen
	if g.rollout() != nil {
		g.fail(reason, g.svc.h.tail(r.log, tailLines))
		return
	}
	g.svc.h.log.Warn("replacement is not ready in time; it is ended", "instance", r.id, "reason", reason)
	r.drain(nil, instance.Hurry)
}

// unhealthy is heard of one that was ready. While its generation is a candidate
// that trips the guard; else it is replaced.
func (r *running) unhealthy(reason string) {
	g := r.gen
	g.svc.h.log.Warn("instance unhealthy", "service", g.svc.name, "instance", r.id, "reason", reason)
	if roll := g.rollout(); roll != nil {
		roll.guardTripped(reason, g.svc.h.tail(r.log, tailLines))
		return
	}
	if g.phase != pluginapi.PhaseGone {
		r.drain(nil, instance.Hurry)
	}
}

// ended hears from the keeper that the process is over; the instance says the
// rest.
func (r *running) ended(e keeper.Exit) {
	if r.over {
		return
	}
	r.over = true
	text := e.String()
	if n := len(e.Leftovers); n > 0 && e.Code == 0 && e.Signal == 0 {
		text = fmt.Sprintf("daemonised: its main process ended and left %d running; run it in the foreground", n)
	}
	r.inst.Ended(instance.Exit{Text: text, BySignal: e.Signal != 0})
}

// gone takes leave of an instance.
func (r *running) gone(n instance.Notice) {
	g, h := r.gen, r.gen.svc.h
	delete(h.live, r.id)
	g.tally.ended(r, n.Report)
	go func() {
		_ = h.keeper.Forget(h.ctx, r.id)
		_ = h.keeper.Drop(h.ctx, "notify/"+r.id)
		_ = h.keeper.Drop(h.ctx, "workload/"+r.id)
	}()
	if g.cfg.PIDFile != "" {
		removePID(g.cfg.PIDFile, r.pid)
	}
	delete(g.inst, r.id)
	switch {
	case g.leaving != nil:
		g.leaving.step()
	case h.stopping:
		h.stopStep()
	default:
		g.crashed(r, n.Reason)
	}
}

// spawnFailed is heard of a program that could not be executed.
func (r *running) spawnFailed(err error) {
	g, h := r.gen, r.gen.svc.h
	delete(h.live, r.id)
	delete(g.inst, r.id)
	r.state, r.reason = instance.Exited, err.Error()
	switch {
	case g.leaving != nil:
		g.leaving.sweeperFailed(err)
	case h.stopping:
		h.stopStep()
	default:
		g.crashed(r, "cannot start: "+err.Error())
	}
}
