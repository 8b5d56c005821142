package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/internal/procfs"
	"github.com/zdhost/zdhost/internal/seqpacket"
)

// child is one program that the keeper started. The loop's goroutine owns it.
type child struct {
	spec       Spawn
	pid        int
	started    time.Time
	notify     int // the filter's descriptor, -1 where there is none
	out        *output
	exit       *Exit
	unenforced string
	launching  bool // until the launcher has become the program
	listening  map[string]bool
	strays     func() []int // its processes that left its session; may hang
}

func (c *child) state() Child {
	s := Child{ID: c.spec.ID, PID: c.pid, Started: c.started, Exit: c.exit, Rules: c.spec.Rules, Unenforced: c.unenforced, Meta: c.spec.Meta}
	for name := range c.listening {
		s.Listening = append(s.Listening, name)
	}
	return s
}

// launched is what became of a launcher.
type launched struct {
	child  *child
	notify int
	err    error
}

// start forks a launcher. What it reports arrives on done, once: when the
// program runs, or when it could not be started.
func start(spec Spawn, lanes []int, runDir string, done func(launched)) (*child, error) {
	c := &child{spec: spec, notify: -1, started: time.Now(), listening: map[string]bool{}}
	c.strays = func() []int { return procfs.Strays(c.pid, mark(spec.Env)) }
	out, ends, err := newOutput(runDir, spec.ID, spec.Log, spec.User)
	if err != nil {
		return nil, err
	}
	defer closeEnds(ends)
	order, err := memfd(spec)
	if err != nil {
		go out.close()
		return nil, err
	}
	defer unix.Close(order)
	ours, theirs, err := seqpacket.Pair()
	if err != nil {
		go out.close()
		return nil, err
	}
	defer unix.Close(theirs)
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		go out.close()
		_ = unix.Close(ours)
		return nil, err
	}
	defer unix.Close(null)
	files := []uintptr{uintptr(null), uintptr(ends[0]), uintptr(ends[1]), uintptr(theirs), uintptr(order)}
	for _, fd := range lanes {
		files = append(files, uintptr(fd))
	}
	c.pid, err = syscall.ForkExec("/proc/self/exe", []string{"zdhost", "_launch"}, &syscall.ProcAttr{
		Env:   []string{},
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		go out.close()
		_ = unix.Close(ours)
		return nil, fmt.Errorf("cannot start a launcher: %w", err)
	}
	c.out = out
	conn, err := seqpacket.New(ours)
	if err != nil {
		return nil, err
	}
	go func() { done(follow(c, conn)) }()
	return c, nil
}

// launchTimeout bounds the launcher's work, which is a few milliseconds; a file
// system that hangs under the program's path is what could exceed it.
const launchTimeout = 30 * time.Second

// follow reads the launcher's reports until it has become the program.
func follow(c *child, conn *seqpacket.Conn) launched {
	defer conn.Close()
	l := launched{child: c, notify: -1}
	_ = conn.SetDeadline(time.Now().Add(launchTimeout))
	buf := make([]byte, seqpacket.MaxMessage)
	for {
		n, fds, err := conn.Receive(buf)
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
			return l
		}
		if err != nil {
			l.err = &Error{Step: "starting", Text: err.Error()}
			return l
		}
		var r launchReport
		if err := json.Unmarshal(buf[:n], &r); err != nil || len(fds) > 1 {
			seqpacket.CloseAll(fds)
			l.err = &Error{Step: "starting", Text: "the launcher's report can't be read"}
			return l
		}
		if len(fds) == 1 {
			l.notify = fds[0]
		}
		if r.Failed != nil {
			l.err = r.Failed
			return l
		}
	}
}

func memfd(spec Spawn) (int, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return -1, err
	}
	fd, err := unix.MemfdCreate("zdhost-order", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("cannot write the order: %w", err)
	}
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil {
			_ = unix.Close(fd)
			return -1, fmt.Errorf("cannot write the order: %w", err)
		}
		b = b[n:]
	}
	return fd, nil
}

// session lists the living processes of the child's session, its main process
// left out. It waits for nothing.
func (c *child) session() []int {
	return slices.DeleteFunc(procfs.Session(c.pid, ""), func(pid int) bool { return pid == c.pid })
}

// strayWait is how long an exit is kept back for the question who outlived it.
const strayWait = time.Second

// leftovers lists the living processes of an ended child; all is false where some
// may be missing, since the strays could not be told in time.
func (c *child) leftovers() (pids []int, all bool) {
	strays := make(chan []int, 1)
	go func() { strays <- c.strays() }()
	late := time.NewTimer(strayWait)
	defer late.Stop()
	pids = c.session()
	select {
	case more := <-strays:
		return append(pids, more...), true
	case <-late.C:
		return pids, false
	}
}

// mark is the variable by which a process that left the session is recognised.
// Its value is a path that this keeper alone hands out: an id may be another
// keeper's too.
func mark(env []string) string {
	for _, kv := range env {
		if strings.HasPrefix(kv, "ZDHOST_SOCKET=") {
			return kv
		}
	}
	return ""
}

// signal sends sig to the main process, or to all that belong to it. It doesn't
// wait for the strays to be found.
func (c *child) signal(sig syscall.Signal, group bool) error {
	if !group {
		if c.exit != nil {
			return unix.ESRCH
		}
		return unix.Kill(c.pid, sig)
	}
	if c.exit == nil {
		_ = unix.Kill(-c.pid, sig)
	}
	for _, pid := range c.session() {
		_ = unix.Kill(pid, sig)
	}
	go c.signalStrays(sig)
	return nil
}

func (c *child) signalStrays(sig syscall.Signal) {
	for _, pid := range c.strays() {
		_ = unix.Kill(pid, sig)
	}
}

// end ends what is left of a child that was killed; it may wait for the disk.
func (c *child) end() {
	endGroup(c.spec.Cgroup)
	c.out.close()
}
