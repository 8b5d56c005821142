package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/bench/servers"
)

// goDown is how long a process may take to end after SIGTERM before it is killed with all below it.
const goDown = 15 * time.Second

// process is one that this program started.
type process struct {
	name   string
	cmd    *exec.Cmd
	output *transcript
	ended  chan struct{} // closed when it has ended and was waited for
}

// spawn starts a command in a session of its own, as a service manager and zdhost's keeper do: the kernel shares the
// processors out by session first (sched_autogroup), so that systems compare only if each has one. Ctrl-C reaches only
// this program, which stops the process in its turn.
func spawn(name string, c servers.Command) (*process, error) {
	p := &process{name: name, output: &transcript{}, ended: make(chan struct{})}
	p.cmd = exec.Command(c.Argv[0], c.Argv[1:]...)
	p.cmd.Env, p.cmd.Dir = append(os.Environ(), c.Env...), c.Dir
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal reports whether the process was there to get it.
func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("cannot send %v to %s: %w; it said: %s", s, p.name, err, p.output.tail())
	}
	return nil
}

// stop ends the process with SIGTERM, or itself and everything below it with SIGKILL if that takes too long, which
// is an error. It returns when the process is gone.
func (p *process) stop() error {
	if p.gone() {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(goDown):
	}
	err := fmt.Errorf("cannot stop %s: it did not end within %v of SIGTERM; it said: %s", p.name, goDown, p.output.tail())
	return errors.Join(err, p.kill())
}

// gone reports whether the process has ended; its PID may be another's by then.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the process and all its descendants. Killing the parent first keeps it from replacing a child.
func (p *process) kill() error {
	if p.gone() {
		return nil
	}
	stats, err := readProcStats()
	for _, s := range tree(stats, p.pid()) {
		if e := syscall.Kill(s.pid, syscall.SIGKILL); e != nil && !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("cannot kill process %d: %w", s.pid, e))
		}
	}
	<-p.ended
	return err
}

// transcript keeps the end of what a process prints.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// transcriptSize is when the older half of a transcript is dropped.
const transcriptSize = 64 << 10

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	if n := t.text.Len(); n > transcriptSize {
		t.text.Next(n - transcriptSize/2)
	}
	return len(p), nil
}

// tail is the last three lines, in one.
func (t *transcript) tail() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(t.text.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}
