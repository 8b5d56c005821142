package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options says what a keeper needs to begin. It travels as JSON through the
// execve that makes `zdhost run` the keeper.
type Options struct {
	// RunDir is a short path for sockets and FIFOs. The keeper makes it; at its
	// end it removes those, and the directory unless others use it.
	RunDir string `json:"run_dir"`
	// Sockets are paths of the host's own, which a host that was killed leaves
	// behind.
	Sockets []string `json:"sockets,omitempty"`
	// Host is the host's command line; its descriptor 3 is the link.
	Host []string `json:"host"`
	// Lock is an inherited descriptor that is kept open for the keeper's life, 0
	// for none.
	Lock int `json:"lock,omitempty"`
}

// Keeper holds descriptors and children. All fields belong to the goroutine of
// Run; others reach it through do.
type Keeper struct {
	opts     Options
	log      *slog.Logger
	do       chan func()
	store    *store
	children map[string]*child
	byPID    map[int]*child
	watch    *watcher
	groups   *cgroups
	host     *guard
	started  time.Time

	stopping bool
	hurried  bool // a host that is to stop in a hurry
	ended    bool
	code     int
}

// New returns a keeper that holds nothing yet.
func New(o Options, log *slog.Logger) *Keeper {
	k := &Keeper{
		opts: o, log: log, do: make(chan func(), 64), store: newStore(), started: time.Now(),
		children: map[string]*child{}, byPID: map[int]*child{},
	}
	k.host = newGuard(k)
	return k
}

// Run starts the host and serves it until everything has ended; it returns the
// process's exit status. Nothing that it started is left, no socket file either.
func (k *Keeper) Run(ctx context.Context) (int, error) {
	if k.opts.Lock > 0 {
		unix.CloseOnExec(k.opts.Lock) // it is the keeper's alone
	}
	run := runDir(k.opts.RunDir)
	if err := run.make(); err != nil {
		return 1, err
	}
	defer run.remove()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 1, fmt.Errorf("cannot become a subreaper: %w", err)
	}
	k.groups = openCgroups("/sys/fs/cgroup", "/proc/self/cgroup")
	var err error
	if k.watch, err = newWatcher(); err != nil {
		return 1, err
	}
	defer k.watch.close()
	go k.watch.run(k.do)

	signals := takeSignals()
	defer signals.stop()

	if err := k.host.start(); err != nil {
		return 1, err
	}
	for !k.ended {
		select {
		case f := <-k.do:
			f()
		case <-signals.children:
			k.reap()
		case s := <-signals.orders:
			k.signalled(s.(syscall.Signal)) //nolint:forcetypeassert // signals are nothing else here
		case <-ctx.Done():
			ctx = context.Background()
			k.stop(false)
		}
	}
	k.sweep()
	removeSockets(k.opts.Sockets)
	return k.code, nil
}

// post hands f to the loop from another goroutine.
func (k *Keeper) post(f func()) { k.do <- f }

// reap collects every child that ended. The keeper is the only one here who
// starts processes, so nobody's status is stolen.
func (k *Keeper) reap() {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if c := k.byPID[pid]; c != nil {
			k.exited(c, ws)
		} else {
			k.host.exited(pid, ws)
		}
	}
}

func (k *Keeper) exited(c *child, ws unix.WaitStatus) {
	delete(k.byPID, c.pid)
	c.exit = &Exit{Code: ws.ExitStatus(), At: time.Now()}
	if ws.Signaled() {
		c.exit.Signal, c.exit.CoreDumped = ws.Signal(), ws.CoreDump()
	}
	if c.launching {
		return // what became of the launcher decides
	}
	k.announce(c)
}

// announce tells the host of an exit once the output before it is on disk, or
// the disk is too slow.
func (k *Keeper) announce(c *child) {
	go func() {
		leftovers, all := c.leftovers()
		c.out.flush(flushWait)
		k.post(func() {
			c.exit.Leftovers = leftovers
			if all && len(leftovers) == 0 {
				k.store.left(c.spec.ID)
			}
			k.tell(Event{Kind: EventExited, Child: c.spec.ID, Exit: c.exit}, -1)
			k.endIfEmpty()
		})
	}()
}

// forget drops a child that has ended, kills what it left behind, and closes
// its files.
func (k *Keeper) forget(c *child) {
	_ = c.signal(unix.SIGKILL, true)
	delete(k.children, c.spec.ID)
	k.store.left(c.spec.ID)
	if c.notify >= 0 {
		k.unwatch(c)
	}
	go c.end()
}

// sweep leaves nothing behind but output that no disk takes.
func (k *Keeper) sweep() {
	k.host.kill()
	for _, c := range k.children {
		_ = c.signal(unix.SIGKILL, true)
	}
	var ends sync.WaitGroup
	for _, c := range k.children {
		ends.Go(func() { c.signalStrays(unix.SIGKILL) })
		ends.Go(c.end)
	}
	all := make(chan struct{})
	go func() { ends.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(flushWait): // a file system that doesn't answer
	}
	for name := range k.store.byName {
		_ = k.store.drop(name)
	}
}
