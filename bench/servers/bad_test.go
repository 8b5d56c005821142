package servers_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/bench/servers"
)

// TestBad: each bad candidate is bad in its own way.
func TestBad(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bad")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/zdhost/zdhost/bench/servers/bad").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bad := func(t *testing.T, mode string) (*process, string) {
		address := freeAddress(t)
		return start(t, servers.Command{Argv: []string{binary, "-address", address, "-release", "b", "-mode", mode}}), address
	}
	t.Run("exit", func(t *testing.T) {
		p, _ := bad(t, "exit")
		if code := p.wait(t); code != 3 || !strings.Contains(p.output.String(), "shard") {
			t.Errorf("status %d, said %q", code, p.output)
		}
	})
	t.Run("die-after", func(t *testing.T) {
		p, address := bad(t, "die-after=300ms")
		answers(t, p, "http://"+address)
		if code := p.wait(t); code != 4 {
			t.Errorf("status %d", code)
		}
	})
	t.Run("other-port", func(t *testing.T) {
		p, address := bad(t, "other-port")
		other := announced(t, p)
		if other == address {
			t.Errorf("listens on %s, the right port", other)
		}
		answers(t, p, "http://"+other)
	})
	t.Run("wrong-family", func(t *testing.T) {
		p, address := bad(t, "wrong-family")
		_, port, _ := net.SplitHostPort(address)
		if got, want := announced(t, p), "[::1]:"+port; got != want {
			t.Errorf("listens on %s, want %s", got, want)
		}
	})
	t.Run("hang", func(t *testing.T) {
		p, address := bad(t, "hang")
		r := untilConnected(t, p, load.Options{Address: address, Mode: load.NewConn, Clients: 1, Exchanges: 1, Timeout: 200 * time.Millisecond})
		if r.Hung != 1 {
			t.Errorf("got %v, want a hung request", r)
		}
	})
	t.Run("status", func(t *testing.T) {
		p, address := bad(t, "status=500")
		r := untilConnected(t, p, load.Options{Address: address, Mode: load.NewConn, Clients: 1, Exchanges: 1})
		if r.ByKind[load.KindStatus] != 1 {
			t.Errorf("got %v, want status 500", r)
		}
	})
	t.Run("never-listen", func(t *testing.T) {
		p, _ := bad(t, "never-listen")
		awaitHandler(t, p, syscall.SIGTERM)
		p.cmd.Process.Signal(syscall.SIGTERM)
		if code := p.wait(t); code != 0 || p.output.String() != "" {
			t.Errorf("status %d, said %q", code, p.output)
		}
	})
	t.Run("ignore-term", func(t *testing.T) {
		p, address := bad(t, "ignore-term")
		answers(t, p, "http://"+address)
		p.cmd.Process.Signal(syscall.SIGTERM)
		answers(t, p, "http://"+address)
	})
}

// announced waits for the line in which a bad candidate says where it listens.
func announced(t *testing.T, p *process) string {
	t.Helper()
	var address string
	await(t, p, "a listening line", func() bool {
		_, rest, _ := strings.Cut(p.output.String(), "listening address=")
		line, _, whole := strings.Cut(rest, "\n")
		address = line
		return whole
	})
	return address
}

// untilConnected runs the load again until somebody listens.
func untilConnected(t *testing.T, p *process, o load.Options) (r load.Result) {
	t.Helper()
	await(t, p, "a connection", func() bool {
		var err error
		if r, err = load.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		return r.Opened > 0
	})
	return r
}

// awaitHandler waits until the process catches a signal.
func awaitHandler(t *testing.T, p *process, s syscall.Signal) {
	t.Helper()
	await(t, p, "a signal handler", func() bool {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		_, rest, _ := strings.Cut(string(status), "SigCgt:\t")
		var caught uint64
		fmt.Sscanf(rest, "%x", &caught)
		return caught&(1<<(uint(s)-1)) != 0
	})
}
