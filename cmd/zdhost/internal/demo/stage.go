package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/host/control"
)

const (
	service   = "demo"
	pollEvery = 50 * time.Millisecond
	comeUp    = 15 * time.Second
	goDown    = 30 * time.Second
)

// stage is a host of its own with the demo's service.
type stage struct {
	program string // this binary
	dir     string
	address string
	event   control.Emit

	host   *exec.Cmd
	ended  chan struct{} // closed when host has ended
	client *control.Client
}

// raise starts a host with release v1 and returns when the service runs. strike must be called in
// any case.
func raise(ctx context.Context, program string, event control.Emit) (*stage, error) {
	dir, err := os.MkdirTemp("", "zdhost-demo-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a state directory: %w", err)
	}
	s := &stage{program: program, dir: dir, event: event, ended: make(chan struct{})}
	if s.address, err = freeAddress(); err == nil {
		err = s.startHost()
	}
	if err == nil {
		err = s.waitUntilRunning(ctx)
	}
	return s, err
}

// freeAddress finds a port that nobody has now; the demo's server binds it in a moment.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// command is how the service runs a release.
func (s *stage) command(release string, flags ...string) []string {
	return append([]string{s.program, ServerVerb, "--release", release, "--address", s.address}, flags...)
}

// ServerVerb is the hidden verb under which this binary is the demo's server.
const ServerVerb = "_demo-server"

func (s *stage) startHost() error {
	log, err := os.Create(filepath.Join(s.dir, "run.log"))
	if err != nil {
		return fmt.Errorf("cannot start the host: %w", err)
	}
	defer log.Close()
	args := append([]string{"run", "--state-dir", filepath.Join(s.dir, "state"), "--name", service, "--"}, s.command("v1")...)
	s.host = exec.Command(s.program, args...)
	s.host.Dir, s.host.Stdout, s.host.Stderr = s.dir, log, log
	s.host.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C ends the demo, which ends the host
	if err := s.host.Start(); err != nil {
		s.host = nil
		return fmt.Errorf("cannot start the host: %w", err)
	}
	go func() {
		_ = s.host.Wait()
		close(s.ended)
	}()
	return nil
}

func (s *stage) waitUntilRunning(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, comeUp)
	defer cancel()
	for {
		client, err := control.Dial(ctx, filepath.Join(s.dir, "state"))
		if err == nil {
			status, problem := client.Status(ctx)
			if problem == nil && running(status) {
				s.client = client
				return nil
			}
			client.Close()
		}
		select {
		case <-s.ended:
			return fmt.Errorf("cannot start the host: it ended: %s", s.lastWords())
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return fmt.Errorf("cannot start the host: the service does not run after %v: %s", comeUp, s.lastWords())
		}
	}
}

// lastWords are the last lines of the host's log.
func (s *stage) lastWords() string {
	log, err := os.ReadFile(filepath.Join(s.dir, "run.log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}

func (s *stage) tallyFile() string { return filepath.Join(s.dir, "tally") }

// forgiven is how many requests the crashed candidate can have had accepted: what it counted, and
// no more than one of each client, since it also counted connections that it had answered and not
// yet closed.
func (s *stage) forgiven() int {
	text, err := os.ReadFile(s.tallyFile())
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return min(n, clients)
}

// strike ends the host and everything under it, and removes the directory unless keep is set.
func (s *stage) strike(keep bool) error {
	if s.client != nil {
		s.client.Close()
	}
	err := s.stopHost()
	if keep || err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

func (s *stage) stopHost() error {
	if s.host == nil {
		return nil
	}
	if err := s.host.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot stop the host: %w", err)
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(goDown):
	}
	_ = s.host.Process.Kill()
	<-s.ended
	return fmt.Errorf("cannot stop the host: it did not end within %v of SIGTERM", goDown)
}
