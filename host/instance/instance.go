package instance

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// State is where an instance is in its life.
type State string

const (
	Starting State = "starting"
	Ready    State = "ready"
	Draining State = "draining"
	Exited   State = "exited"
)

// Spec says how an instance is judged and ended.
type Spec struct {
	ID         string
	Service    string
	Generation uint64
	// Ports are what it must listen on to be ready. With none, one that adopts
	// is ready when it listens on anything, or has run for WorkerGrace without.
	Ports  []Port
	Adopts bool
	Ready  ReadySpec
	Health HealthSpec
	Drain  DrainSpec
	// Watchdog is how often the program must say WATCHDOG=1; 0 is never.
	Watchdog time.Duration
}

// ReadySpec says what ready means beyond listening.
type ReadySpec struct {
	Timeout time.Duration
	Notify  bool
	HTTP    string // path; a bare probe where empty
	Exec    []string
	// Interval is the pause between two tries of a check.
	Interval time.Duration
}

// WorkerGrace is how long a program that need not listen anywhere must have
// lived to be ready.
const WorkerGrace = time.Second

// World is what an instance needs of the system, as functions of its own
// process.
type World struct {
	// Signal sends to the main process, or to all that belong to it.
	Signal func(ctx context.Context, sig syscall.Signal, group bool) error
	// Probe connects to exactly this instance's generation, through the public
	// address, waits until it was accepted, and runs speak on the connection.
	Probe func(ctx context.Context, port string, speak func(net.Conn) error) error
	// Exec runs a check to its end.
	Exec func(ctx context.Context, argv []string) error
	// Connections lists the program's connections on its ports.
	Connections func() ([]Connection, error)
	// Listening names the addresses where the program's processes listen, adopted
	// or not, for the reason of one that did not get ready.
	Listening func() []string
	// Lanes duplicates the instance's lanes for a program that asks over the
	// workload API. Inbox duplicates the receive end of its generation's inbox,
	// -1 where there is none. The caller closes what it gets.
	Lanes func() (names, addresses []string, fds []int, err error)
	Inbox func() (int, error)
	// Note takes each change; it must not block for long.
	Note func(Notice)
}

// Notice is a change of an instance.
type Notice struct {
	State  State
	Reason string // why, where the state alone doesn't say it
	// Failed says that it did not get ready in time or lost its health; it
	// still runs.
	Failed bool
	// Text is what the program last said of itself.
	Text string
	// Extended is the new deadline of a start that asked for more time.
	Extended time.Time
	// Stats is set once a program speaks the workload API.
	Stats *workload.Stats
	// Moves says that the program takes connections that were moved; Quiesced
	// that it was asked to give its own away and has not taken that back yet.
	Moves, Quiesced bool
	// Report is set with Exited.
	Report Report
}

// Report counts what the end of an instance meant for its clients.
type Report struct {
	Moved, Told, Cut int
	// Known says that the program counted, so that Moved and Told are whole.
	Known bool
	// Killed says that the deadline came.
	Killed bool
}

// Instance is one process of a generation. Its methods other than Run may be
// called from any goroutine, also before Run and after it.
type Instance struct {
	spec  Spec
	world World
	log   *slog.Logger
	in    chan func(*life) // from the program: it waits while the instance is busy
	mail  mailbox          // from the host, which never waits
	done  chan struct{}
}

// New describes an instance; Run lives it.
func New(spec Spec, world World, log *slog.Logger) *Instance {
	return &Instance{spec: spec, world: world, log: log, in: make(chan func(*life), 16), mail: newMailbox(), done: make(chan struct{})}
}

// life is the state that the goroutine of Run owns.
type life struct {
	*Instance
	ctx   context.Context
	state State
	ready readiness
	begun time.Time
	until time.Time // deadline of the start

	text  string
	stats *workload.Stats

	checking bool
	failures int // of the health check, in a row
	tail     time.Duration

	program  *program // its side of the workload API
	drain    *drain
	exit     *Exit
	restored bool // taken over from an earlier host, ready already

	readyTimer, checkTimer, watchdog, sample *time.Timer
	checkDone                                chan error
}

// Exit is how the process ended, in words.
type Exit struct {
	Text     string
	BySignal bool // a signal has killed it
}

// Channels over which the world reaches a running instance.
type Channels struct {
	Notify   int // datagram socket of NOTIFY_SOCKET
	Workload int // listening socket of ZDHOST_SOCKET
	// Restored is set for an instance that was ready under an earlier host.
	Restored bool
}

// Run lives the instance until its process has ended or ctx has; it owns the
// descriptors of ch.
func (i *Instance) Run(ctx context.Context, ch Channels) {
	defer close(i.done)
	defer i.mail.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &life{Instance: i, ctx: ctx, state: Starting, begun: time.Now(), restored: ch.Restored, checkDone: make(chan error, 1)}
	l.until = l.begun.Add(i.spec.Ready.Timeout)
	l.ready = readiness{
		required: i.spec.Ports, adopts: i.spec.Adopts, needsWord: i.spec.Ready.Notify,
		needsPort: i.spec.Ready.HTTP != "", checks: 1, listening: map[string]bool{},
	}
	l.readyTimer, l.checkTimer = time.NewTimer(i.spec.Ready.Timeout), stopped()
	l.watchdog, l.sample = stopped(), stopped()
	l.listenNotify(ch.Notify)
	l.listenWorkload(ch.Workload)
	if l.restored {
		l.becomeReady()
	} else if l.worker() {
		l.checkTimer.Reset(WorkerGrace)
	} else {
		l.consider()
	}
	for l.exit == nil {
		select {
		case f := <-i.in:
			f(l)
		case <-i.mail.wake:
			for _, letter := range i.mail.take() {
				letter.read(l)
			}
		case <-l.readyTimer.C:
			l.startTimedOut()
		case <-l.checkTimer.C:
			l.check()
		case err := <-l.checkDone:
			l.checked(err)
		case <-l.watchdog.C:
			l.barked()
		case <-l.sample.C:
			l.sampleTail()
		case <-l.drainTick():
			l.drainStep()
		case <-ctx.Done():
			return
		}
	}
	l.finish()
}

// Done is closed when Run has returned.
func (i *Instance) Done() <-chan struct{} { return i.done }

// hear takes what the program's side has to say.
func (i *Instance) hear(f func(*life)) {
	select {
	case i.in <- f:
	case <-i.done:
	}
}

// Listens says that the program called listen on a port.
func (i *Instance) Listens(port, address string) {
	i.mail.put(func(l *life) {
		l.ready.listens(port, address)
		l.consider()
	})
}

// Refused says that a bind of the program was refused.
func (i *Instance) Refused(asked, listener, reason string) {
	i.mail.put(func(l *life) { l.ready.refused(asked, listener, reason) })
}

// Ended says how the process ended.
func (i *Instance) Ended(e Exit) {
	i.mail.put(func(l *life) { l.exit = &e })
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// worker says that nothing tells which addresses the program must serve.
func (l *life) worker() bool {
	return l.spec.Adopts && len(l.spec.Ports) == 0 && !l.ready.needsWord && l.spec.Ready.HTTP == "" && len(l.spec.Ready.Exec) == 0
}

// consider starts the next check if readiness is within sight.
func (l *life) consider() {
	if l.state != Starting || l.checking || l.worker() && len(l.ready.elsewhere) == 0 {
		return
	}
	if l.ready.ready() {
		l.becomeReady()
		return
	}
	if l.ready.mayCheck() {
		l.check()
	}
}

func (l *life) becomeReady() {
	l.readyTimer.Stop()
	l.state = Ready
	if l.spec.Watchdog > 0 {
		l.watchdog.Reset(l.spec.Watchdog)
	}
	if l.spec.Health.on() {
		l.checkTimer.Reset(l.spec.Health.Interval)
	} else {
		l.checkTimer.Stop()
	}
	if l.spec.Drain.Auto {
		l.sample.Reset(sampleEvery)
	}
	l.note(Notice{})
}

func (l *life) startTimedOut() {
	if l.state != Starting {
		return
	}
	if wait := time.Until(l.until); wait > 0 { // it was given more time
		l.readyTimer.Reset(wait)
		return
	}
	for _, address := range l.world.Listening() {
		l.ready.listensElsewhere(address)
	}
	l.note(Notice{Failed: true, Reason: fmt.Sprintf("not ready after %s: %s", time.Since(l.begun).Round(time.Millisecond), l.ready.missing())})
}

func (l *life) note(n Notice) {
	n.State, n.Text, n.Stats = l.state, l.text, l.stats
	n.Moves, n.Quiesced = l.program.attached() && l.program.moves, l.program.quiescent()
	l.world.Note(n)
}

func (l *life) finish() {
	reason := l.exit.Text
	if l.state == Starting {
		reason = strings.Join(append([]string{reason + " before it was ready"}, l.ready.refusals...), "; ")
	}
	l.state = Exited
	var r Report
	if l.drain != nil {
		r = l.drain.report
		r.Cut += l.drain.cut(l.exit.BySignal)
	}
	if l.stats != nil {
		r.Known = true
		r.Moved, r.Told, r.Cut = int(l.stats.MovedOut), int(l.stats.Told), max(r.Cut, int(l.stats.Cut))
	}
	l.program.close()
	l.note(Notice{Reason: reason, Report: r})
}

// notified handles what came over NOTIFY_SOCKET.
func (l *life) notified(n Notification) {
	if text, said := n.words(); said && text != l.text {
		l.text = text
		l.note(Notice{})
	}
	if n.Extend > 0 {
		l.extend(n.Extend)
	}
	if n.Ready {
		l.ready.said = true
		l.consider()
	}
	if n.Watchdog && l.spec.Watchdog > 0 && l.state != Starting {
		l.watchdog.Reset(l.spec.Watchdog)
	}
	if n.Trigger {
		l.bark("its watchdog was triggered by the program itself")
	}
}

// extend moves the deadline of the start or of the drain, as sd_notify(3) says:
// at least so long from now.
func (l *life) extend(by time.Duration) {
	at := time.Now().Add(by)
	switch {
	case l.state == Starting && at.After(l.until):
		l.until = at
		l.note(Notice{Extended: at})
	case l.drain != nil:
		l.drain.extend(at)
	}
}

func (l *life) barked() {
	l.bark(fmt.Sprintf("its watchdog was not heard for %s", l.spec.Watchdog))
}

// bark ends a program that is stuck, as systemd does: SIGABRT, so that it may
// leave a core.
func (l *life) bark(reason string) {
	if l.state == Exited || l.drain != nil {
		return
	}
	l.note(Notice{Failed: true, Reason: reason})
	_ = l.world.Signal(l.ctx, syscall.SIGABRT, false)
}
