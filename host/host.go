package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/journal"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/host/release"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/policy"
)

// Options says what a host serves.
type Options struct {
	Config  *config.Config
	Welcome keeper.Welcome // what the keeper answered to the hello
	// Reload reads the configuration again; nil where there is no file.
	Reload  func(context.Context) (*config.Config, error)
	RunDir  string
	Version string
	// FailFast ends the host when a service's first start fails, for a program
	// that was named on the command line.
	FailFast   bool
	Strategies map[string]pluginapi.Strategy
	Gate       policy.Gate
	Log        *slog.Logger
}

// Host is the brain: it composes listeners, instances, releases, rollouts and
// the journal, and decides by the state machine's word. All fields belong to the
// goroutine of Run; others reach it through post.
type Host struct {
	opts    Options
	cfg     *config.Config
	log     *slog.Logger
	keeper  *keeper.Client
	welcome keeper.Welcome
	journal *journal.Log
	store   *release.Store
	gate    policy.Gate
	memory  *memory

	ctx   context.Context // ends with the host
	do    chan func()
	todo  []func() // what the loop has still to do itself, in order
	since time.Time

	ports    map[string]*port
	services map[string]*service
	leavers  map[string]*service // that have processes of an earlier host and no configuration
	order    []string            // of services, as configured
	live     map[string]*running
	refused  *refusal // of the host's own configuration
	accepted accepted
	reloads  chan struct{} // one reload at a time
	revision uint64        // of the configuration, counted from this host's start

	backlog  backlog
	syncing  bool // an fsync of the journal is due
	flushing bool // another attempt to write the backlog is due
	stopping bool
	urgent   bool
	code     int
	quit     bool
}

// Restarted says that an earlier host has served under the keeper: its successor
// goes on with what that had accepted.
func Restarted(w keeper.Welcome) bool { return w.Restarts > 0 || len(w.Children) > 0 }

// New returns a host that has done nothing yet. The client must be running, and
// have said hello.
func New(o Options, k *keeper.Client) *Host {
	if o.Gate == nil {
		o.Gate = policy.Open{}
	}
	return &Host{
		opts: o, cfg: o.Config, log: o.Log, keeper: k, gate: o.Gate, welcome: o.Welcome, reloads: make(chan struct{}, 1),
		do: make(chan func(), 256), since: time.Now(),
		ports: map[string]*port{}, services: map[string]*service{}, live: map[string]*running{}, leavers: map[string]*service{},
	}
}

// Run serves until everything is stopped or the keeper is gone. The result is
// the host's exit status; 0 after an orderly stop.
func (h *Host) Run(ctx context.Context) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.ctx = ctx
	if err := h.open(); err != nil {
		return 1, err
	}
	defer func() {
		if err := h.journal.Close(); err != nil {
			h.log.Error("cannot close the journal", "error", err)
		}
	}()
	control, err := h.serveControl(ctx)
	if err != nil {
		return 1, err
	}
	defer func() { control() }()

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM, unix.SIGINT)
	defer signal.Stop(signals)
	h.begin()
	for !h.quit {
		for len(h.todo) > 0 {
			f := h.todo[0]
			h.todo = h.todo[1:]
			f()
		}
		if h.quit {
			break
		}
		select {
		case f := <-h.do:
			f()
		case e, ok := <-h.keeper.Events():
			if !ok {
				return 1, keeper.ErrCut
			}
			h.keeperEvent(e)
		case s := <-signals:
			h.signalled(s.(syscall.Signal)) //nolint:forcetypeassert // signals are nothing else here
		}
	}
	control() // nothing of it may be left when the keeper ends
	control = func() {}
	h.end(ctx)
	return h.code, nil
}

// open opens what is on disk.
func (h *Host) open() (err error) {
	dir := h.cfg.StateDir
	if h.journal, err = journal.Open(filepath.Join(dir, "journal"), journal.Options{Known: knownRecord}); err != nil {
		return err
	}
	h.backlog.append = func(r journal.Record) error { _, err := h.journal.Append(r); return err }
	if why := h.journal.Err(); why != nil {
		h.log.Error("the journal takes nothing; changes are refused", "reason", why)
	}
	if h.store, err = release.Open(filepath.Join(dir, "store")); err != nil {
		return err
	}
	h.revision = 1
	if err := h.letUsersIn(); err != nil {
		return err
	}
	h.keepConfiguration()
	if h.memory, err = remember(h.journal); err != nil {
		return fmt.Errorf("cannot read the journal: %w", err)
	}
	h.memory.meet(h.welcome.Children)
	if Restarted(h.welcome) {
		h.refused = h.memory.refusals[""]
	}
	for _, why := range h.memory.broken {
		h.log.Error("the journal lacks an event; the last known state counts", "error", why)
	}
	return nil
}

// letUsersIn lets programs that run as another user pass through the state
// directory to their release and their sockets. They may not list it, and what
// is in it besides stays closed.
func (h *Host) letUsersIn() error {
	for _, s := range h.cfg.Services {
		if s.User == "" {
			continue
		}
		for _, dir := range []string{h.cfg.StateDir, filepath.Join(h.cfg.StateDir, "store")} {
			if err := os.Chmod(dir, 0o711); err != nil {
				return fmt.Errorf("cannot let user %s reach its release: %w", s.User, err)
			}
		}
	}
	return nil
}

// begin takes up what was there and starts what is configured.
func (h *Host) begin() {
	h.record(recordHost, "", hostRecord{What: "started", PID: os.Getpid(), Version: h.opts.Version})
	if !Restarted(h.welcome) {
		h.record(recordHost, "", hostRecord{What: hostConfigured, PID: os.Getpid(), Version: h.opts.Version})
	}
	for _, l := range h.cfg.Listeners {
		h.addPort(portOf(l))
	}
	for _, s := range h.cfg.Services {
		h.addService(s)
	}
	if err := h.recover(); err != nil {
		h.log.Error("cannot take over everything", "error", err)
	}
	for _, name := range h.order {
		h.services[name].start()
	}
	h.watchListeners()
	h.after(retainFirst, h.retain)
	if !h.opts.FailFast {
		h.servingNow()
	}
}

// firstStart hears of the first start of a service.
func (h *Host) firstStart() {
	if h.opts.FailFast {
		h.servingNow()
	}
}

// servingNow tells the keeper that from now on this host is worth restarting.
func (h *Host) servingNow() {
	go func() { _ = h.keeper.Serving(h.ctx) }()
}

// post hands f to the loop from another goroutine.
func (h *Host) post(f func()) {
	select {
	case h.do <- f:
	case <-h.ctx.Done():
	}
}

// later has the loop run f after what it is doing now.
func (h *Host) later(f func()) { h.todo = append(h.todo, f) }

// ask runs f on the loop and waits for it, from another goroutine.
func (h *Host) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case h.do <- func() { f(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-h.ctx.Done():
		return errEnding
	}
	select {
	case <-done:
		return nil
	case <-h.ctx.Done():
		return errEnding
	}
}

var errEnding = errors.New("the host is ending")

// after runs f on the loop when d has passed.
func (h *Host) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { h.post(f) })
}

func (h *Host) signalled(s syscall.Signal) {
	switch s {
	case unix.SIGHUP:
		go h.reloadAll("SIGHUP")
	case unix.SIGUSR2:
		h.takeChangedReleases()
	case unix.SIGUSR1:
	default:
		h.stop(false)
	}
}

// keeperEvent passes on what the keeper says.
func (h *Host) keeperEvent(e keeper.Event) {
	if e.Kind == keeper.EventStop {
		h.stop(e.Urgent)
		return
	}
	r := h.live[e.Child]
	if r == nil {
		if e.FD >= 0 {
			_ = unix.Close(e.FD)
		}
		return
	}
	switch e.Kind {
	case keeper.EventExited:
		r.ended(*e.Exit)
	case keeper.EventOpened:
		r.gen.opened(e)
	case keeper.EventListening:
		if l := r.gen.laneOf(e.Descriptor); l != nil {
			r.inst.Listens(l.port.name, l.port.text())
		}
	case keeper.EventRefused:
		h.log.Warn("a bind was refused", "instance", e.Child, "asked", e.Asked, "listener", e.Address.String(), "reason", e.Reason)
		r.inst.Refused(e.Asked, e.Address.String(), e.Reason)
	case keeper.EventFailed:
		h.log.Warn("a call of the program could not be examined", "instance", e.Child, "reason", e.Reason)
	}
}
