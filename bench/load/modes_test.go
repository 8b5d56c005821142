package load_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/bench/servers/handlers"
)

// goodServer serves the test servers' handlers. It counts the requests and connections that it sees itself.
type goodServer struct {
	address  string
	log      string
	handler  *handlers.Handler
	requests atomic.Int64
	opened   atomic.Int64
}

func newGoodServer(t *testing.T, network string) *goodServer {
	t.Helper()
	s := &goodServer{log: filepath.Join(t.TempDir(), "executions")}
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.handler, err = handlers.New(&handlers.Config{Release: "v1", ExecutionLog: s.log})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.requests.Add(1)
			s.handler.ServeHTTP(w, r)
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				s.opened.Add(1)
			}
		},
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return s
}

// TestGoodServer: no mode reports a failure where there is none, and what the clients counted is what the server
// counted.
func TestGoodServer(t *testing.T) {
	for _, tt := range []struct {
		mode     load.Mode
		rounds   int
		requests int // that the server must see
		answers  int // that the clients must count
		opened   int
	}{
		{load.NewConn, 400, 400, 400, 400},
		{load.Connect, 400, 400, 400, 400},
		{load.Kept, 400, 400, 400, 4},
		{load.Idle, 12, 12, 12, 4},
		{load.Pipelined, 200, 400, 400, 4},
		{load.HalfRequest, 12, 12, 12, 4},
		{load.SlowBody, 12, 12, 12, 12},
		{load.Stream, 12, 12, 12, 12},
		{load.WebSocket, 12, 12, 12 * 5, 12},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(string(tt.mode)+"/"+network, func(t *testing.T) {
				t.Parallel()
				s := newGoodServer(t, network)
				checker := load.NewChecker(s.log)
				r := run(t, load.Options{Network: network, Address: s.address, Mode: tt.mode, Clients: 4, Exchanges: tt.rounds,
					Hold: 40 * time.Millisecond, Checker: checker})
				if r.Failed != 0 || r.OK != tt.answers || r.ByRelease["v1"] != tt.answers || r.Latency.Count() != int64(tt.answers) {
					t.Errorf("got %v, want %d answers\n%v", r, tt.answers, r.Failures)
				}
				if got := int(s.requests.Load()); got != tt.requests {
					t.Errorf("the server saw %d requests, want %d", got, tt.requests)
				}
				// Every client of a kept mode gets a round only if it is quick enough.
				kept := tt.opened < tt.rounds
				if r.Opened != int(s.opened.Load()) || r.Opened > tt.opened || !kept && r.Opened != tt.opened {
					t.Errorf("opened %d connections, the server saw %d, want %d", r.Opened, s.opened.Load(), tt.opened)
				}
				v, err := checker.Verify(t.Context())
				if err != nil || v.Err() != nil || v.Executed != v.Sent {
					t.Errorf("executions: %+v, %v", v, err)
				}
			})
		}
	}
}

// TestBigBodies: padding is echoed and counted.
func TestBigBodies(t *testing.T) {
	s := newGoodServer(t, "tcp")
	for _, mode := range []load.Mode{load.Kept, load.HalfRequest, load.SlowBody} {
		r := run(t, load.Options{Address: s.address, Mode: mode, Clients: 2, Exchanges: 6, BodySize: 300_000, Hold: 30 * time.Millisecond})
		if r.Failed != 0 || r.OK != 6 {
			t.Errorf("%s: got %v\n%v", mode, r, r.Failures)
		}
	}
}

// TestIdleSpeaksOnceMore: the end of the context cuts the silence short, and the connection is used again.
func TestIdleSpeaksOnceMore(t *testing.T) {
	s := newGoodServer(t, "tcp")
	ctx, cancel := context.WithCancel(t.Context())
	var answers atomic.Int64
	r, err := load.Run(ctx, load.Options{Address: s.address, Mode: load.Idle, Clients: 3, Hold: time.Hour,
		OnOutcome: func(load.Outcome) {
			if answers.Add(1) == 3 {
				cancel()
			}
		}})
	if err != nil || r.OK != 6 || r.Opened != 3 || r.Failed != 0 {
		t.Errorf("got %v, %v; want two answers for each of 3 connections", r, err)
	}
}

// TestSessionGoodbye: a close frame between two messages is an announced close, not a failure.
func TestSessionGoodbye(t *testing.T) {
	s := newGoodServer(t, "tcp")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	echoed := make(chan struct{}, 64)
	done := make(chan load.Result)
	go func() {
		r, _ := load.Run(ctx, load.Options{Address: s.address, Mode: load.WebSocket, Clients: 1, Exchanges: 1,
			Parts: 2, Hold: 2 * time.Second, OnOutcome: func(load.Outcome) { echoed <- struct{}{} }})
		done <- r
	}()
	<-echoed
	dismissed := make(chan error, 1)
	go func() { dismissed <- s.handler.CloseSessions(t.Context()) }()
	r := <-done
	if r.Failed != 0 || r.ClosedByServer != 1 || r.Announced != 1 || r.OK != 1 {
		t.Errorf("got %v\n%v", r, r.Failures)
	}
	if err := <-dismissed; err != nil {
		t.Error(err)
	}
	if r := run(t, load.Options{Address: s.address, Mode: load.WebSocket, Clients: 1, Exchanges: 1}); r.ByKind[load.KindStatus] != 1 {
		t.Errorf("after the goodbye: got %v, want a refusal", r)
	}
}
