package servers_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/servers"
)

// process is a started program. It is killed, with its group, at the end of the test.
type process struct {
	cmd    *exec.Cmd
	output *output
	exited chan struct{} // closed when it was waited for
}

// output keeps what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func start(t *testing.T, c servers.Command) *process {
	t.Helper()
	p := &process{cmd: exec.Command(c.Argv[0], c.Argv[1:]...), output: &output{}, exited: make(chan struct{})}
	p.cmd.Dir = c.Dir
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.exited
	})
	return p
}

// wait fails the test unless the process ends, and returns its exit status (-1: by a signal). Its patience exceeds
// gunicorn's graceful timeout of 30 s, which a worker that is told to stop while it still starts can use up.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(40 * time.Second):
		t.Fatalf("still running; it said:\n%s", p.output)
		return 0
	}
}

// answers waits until the server answers a GET, and returns the release in header and body.
func answers(t *testing.T, p *process, url string) (header, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		r, err := client.Get(url)
		if err == nil {
			defer r.Body.Close()
			text, err := io.ReadAll(r.Body)
			if err != nil || r.StatusCode != 200 {
				t.Fatalf("status %d, %v", r.StatusCode, err)
			}
			return r.Header.Get("X-Release"), strings.TrimSpace(string(text))
		}
		select {
		case <-poll.C:
		case <-p.exited:
			t.Fatalf("ended early: %v; it said:\n%s", p.cmd.ProcessState, p.output)
		case <-ctx.Done():
			t.Fatalf("no answer: %v; it said:\n%s", err, p.output)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func await(t *testing.T, p *process, what string, happened func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !happened() {
		select {
		case <-poll.C:
		case <-p.exited:
			t.Fatalf("ended early: %v; it said:\n%s", p.cmd.ProcessState, p.output)
		case <-deadline:
			t.Fatalf("waited in vain for %s; it said:\n%s", what, p.output)
		}
	}
}
