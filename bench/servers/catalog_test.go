package servers_test

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/bench/servers"
)

// TestCatalog prepares, starts and loads every server, and wants no failure and every POST executed once.
func TestCatalog(t *testing.T) {
	for _, s := range servers.All() {
		t.Run(s.Name, func(t *testing.T) {
			if missing := s.Missing(); missing != "" {
				t.Skipf("%s is not installed", missing)
			}
			log := filepath.Join(t.TempDir(), "executions")
			site := servers.Site{Dir: t.TempDir(), Address: freeAddress(t), Release: "v7", ExecutionLog: log}
			c, err := s.Prepare(t.Context(), site)
			if err != nil {
				t.Fatal(err)
			}
			p := start(t, c)
			if header, body := answers(t, p, "http://"+site.Address+"/"); header != "v7" || body != "v7" {
				t.Fatalf("release is %q in the header and %q in the body, want v7", header, body)
			}
			checkLoad(t, s, site)
			p.cmd.Process.Signal(syscall.SIGTERM)
			p.wait(t)
		})
	}
}

func checkLoad(t *testing.T, s servers.Server, site servers.Site) {
	checker := load.NewChecker(site.ExecutionLog)
	modes := []load.Mode{load.NewConn, load.Kept}
	if s.KeepsConnections {
		modes = append(modes, load.Pipelined)
	}
	if s.ReadsBodies {
		modes = append(modes, load.SlowBody)
	}
	if s.Name == "naive" || s.Name == "shop" {
		modes = append(modes, load.Stream, load.WebSocket)
	}
	for _, mode := range modes {
		o := load.Options{Address: site.Address, Mode: mode, Clients: 4, Exchanges: 100, Hold: 50 * time.Millisecond, Checker: checker}
		if mode == load.SlowBody || mode == load.Stream || mode == load.WebSocket {
			o.Exchanges = 8
		}
		r, err := load.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %v", mode, r)
		if r.Failed != 0 || r.OK == 0 || r.ByRelease["v7"] != r.OK {
			t.Errorf("%s: %v\n%v", mode, r, r.Failures)
		}
		if kept := r.Opened == 4; mode == load.Kept && kept != s.KeepsConnections {
			t.Errorf("kept: %d connections for 4 clients, KeepsConnections is %v", r.Opened, s.KeepsConnections)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	v, err := checker.Verify(ctx)
	if err != nil || v.Err() != nil || v.Executed == 0 || v.Executed != v.Sent {
		t.Errorf("executions: %+v, %v, %v", v, v.Err(), err)
	}
}

func TestNamed(t *testing.T) {
	if s, err := servers.Named("nginx"); err != nil || s.Name != "nginx" {
		t.Errorf("got %q, %v", s.Name, err)
	}
	if _, err := servers.Named("apache"); err == nil {
		t.Error("an unknown server was found")
	}
}
