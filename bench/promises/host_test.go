package promises

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/host/control"
)

// Bounds on being stuck, not measurements.
const (
	comeUp   = 60 * time.Second
	goDown   = 60 * time.Second
	patience = 90 * time.Second // for a rollout, or for a condition
	pollStep = 20 * time.Millisecond
)

// ground is where one host lives: a short directory, and who owns it.
type ground struct {
	t   *testing.T
	dir string
	as  *syscall.Credential // nil: whoever tests
}

// newGround makes a directory that is removed at the test's end, after the check that nothing is left in it.
func newGround(t *testing.T, as *syscall.Credential) *ground {
	t.Helper()
	dir, err := os.MkdirTemp("", "zd") // short: sockets live in it
	if err != nil {
		t.Fatal(err)
	}
	g := &ground{t: t, dir: dir, as: as}
	g.give(dir)
	t.Cleanup(func() {
		g.checkNothingLeft()
		os.RemoveAll(dir)
	})
	return g
}

// give makes a file the property of the host's user.
func (g *ground) give(path string) {
	g.t.Helper()
	if g.as == nil {
		return
	}
	err := filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(p, int(g.as.Uid), int(g.as.Gid)))
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// path is a name in the directory.
func (g *ground) path(name string) string { return filepath.Join(g.dir, name) }

// state is the state directory.
func (g *ground) state() string { return g.path("s") }

// write puts a file into the directory and returns its path.
func (g *ground) write(name, text string) string {
	g.t.Helper()
	path := g.path(name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
	g.give(path)
	return path
}

// said is what a command of zdhost's printed and how it ended.
type said struct {
	code        int
	out, errout string
}

func (s said) String() string {
	return fmt.Sprintf("exit code %d\n--- standard output\n%s--- standard error\n%s", s.code, s.out, s.errout)
}

// command is zdhost with arguments, in the directory and as its user.
func (g *ground) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, built.zdhost, args...)
	cmd.Dir = g.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: g.as}
	cmd.WaitDelay = time.Second
	return cmd
}

// cli runs a verb to its end, for this state directory.
func (g *ground) cli(verb string, args ...string) said {
	g.t.Helper()
	return g.plain(append([]string{verb, "--state-dir", g.state()}, args...)...)
}

// plain runs a command line as it is.
func (g *ground) plain(args ...string) said {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	var out, errout bytes.Buffer
	cmd := g.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errout
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatalf("cannot run zdhost %s: %v", strings.Join(args, " "), err)
	}
	if ctx.Err() != nil {
		g.t.Fatalf("zdhost %s did not end: %s", strings.Join(args, " "), errout.String())
	}
	return said{code: cmd.ProcessState.ExitCode(), out: out.String(), errout: errout.String()}
}

// host is a running `zdhost run`.
type host struct {
	*ground
	cmd    *exec.Cmd
	output *transcript
	ended  chan struct{}
	client *control.Client
}

// start begins `zdhost run` with arguments after the state directory, and does not wait for it.
func (g *ground) start(args ...string) *host {
	g.t.Helper()
	h := &host{ground: g, output: &transcript{}, ended: make(chan struct{})}
	h.cmd = g.command(context.Background(), append([]string{"run", "--state-dir", g.state()}, args...)...)
	h.cmd.Stdout, h.cmd.Stderr = h.output, h.output
	h.cmd.SysProcAttr.Setpgid = true
	if err := h.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	go func() {
		_ = h.cmd.Wait()
		close(h.ended)
	}()
	g.t.Cleanup(h.cleanUp)
	return h
}

// up begins `zdhost run` and returns when every service runs.
func (g *ground) up(args ...string) *host {
	g.t.Helper()
	h := g.start(args...)
	h.await("every service runs", comeUp, func() bool {
		h.mustRun()
		if h.client == nil {
			client, err := control.Dial(h.t.Context(), h.state())
			if err != nil {
				return false
			}
			h.client = client
		}
		status, err := h.client.Status(h.t.Context())
		if err != nil || len(status.Services) == 0 {
			return false
		}
		for _, s := range status.Services {
			if s.State != control.ServiceRunning {
				return false
			}
		}
		return true
	})
	return h
}

// configured begins `zdhost run -c` with a configuration in HCL and returns when every service runs.
func (g *ground) configured(text string) *host {
	g.t.Helper()
	return g.up("-c", g.write("zdhost.hcl", text))
}

// mustRun fails the test if the host has ended.
func (h *host) mustRun() {
	h.t.Helper()
	select {
	case <-h.ended:
		h.t.Fatalf("zdhost ended with %v", h.cmd.ProcessState)
	default:
	}
}

// stop asks the host to end by SIGTERM and returns its exit code.
func (h *host) stop() int {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		h.t.Fatal(err)
	}
	return h.wait(goDown)
}

// wait returns the exit code of a host that is about to end.
func (h *host) wait(within time.Duration) int {
	h.t.Helper()
	select {
	case <-h.ended:
		return h.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		h.t.Fatalf("zdhost did not end within %v", within)
		return -1
	}
}

// cleanUp stops what still runs and shows what the host said if the test failed.
func (h *host) cleanUp() {
	if h.client != nil {
		h.client.Close()
	}
	select {
	case <-h.ended:
	default:
		_ = h.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-h.ended:
		case <-time.After(goDown):
			h.t.Errorf("zdhost did not end within %v of SIGTERM", goDown)
			_ = h.cmd.Process.Kill()
			<-h.ended
		}
	}
	if strings.Contains(h.output.String(), "DATA RACE") {
		h.t.Errorf("the race detector found something:\n%s", h.output)
	}
	if h.t.Failed() {
		h.t.Logf("zdhost said:\n%s", h.output.tail(60))
	}
}

// status is what the host says of itself.
func (h *host) status() control.Status {
	h.t.Helper()
	status, err := h.client.Status(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return status
}

// service is what the host says of a service.
func (h *host) service(name string) control.Service {
	h.t.Helper()
	for _, s := range h.status().Services {
		if s.Name == name {
			return s
		}
	}
	h.t.Fatalf("there is no service %q", name)
	return control.Service{}
}

// await waits for a condition, and fails the test if it doesn't come.
func (g *ground) await(what string, within time.Duration, condition func() bool) {
	g.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	step := time.NewTicker(pollStep)
	defer step.Stop()
	for !condition() {
		select {
		case <-step.C:
		case <-deadline.C:
			g.t.Fatalf("waited %v in vain: %s", within, what)
		}
	}
}

// transcript keeps what a process prints.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// tail is the last n lines.
func (w *transcript) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(w.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
