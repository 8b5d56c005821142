package load_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/bench/servers/handlers"
)

func TestBadOptions(t *testing.T) {
	for _, o := range []load.Options{
		{},
		{Address: "127.0.0.1:1"},
		{Address: "127.0.0.1:1", Mode: "fast"},
		{Address: "127.0.0.1:1", Mode: load.Kept, Network: "udp"},
		{Address: "127.0.0.1:1", Mode: load.Kept, Clients: -1},
		{Address: "127.0.0.1:1", Mode: load.Kept, Timeout: -1},
		{Address: "127.0.0.1:1", Mode: load.Kept, Name: "a b"},
	} {
		if _, err := load.Run(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "cannot start load: ") {
			t.Errorf("%+v: error is %v", o, err)
		}
	}
}

// TestRunEnds: a cancelled context stops new rounds, and what is in flight still counts.
func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	inFlight := make(chan struct{})
	answer := make(chan struct{})
	var once sync.Once
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(inFlight) })
		<-answer
		w.Header().Set("X-Release", "v1")
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()
	go func() {
		<-inFlight
		cancel()
		close(answer)
	}()
	r, err := load.Run(ctx, load.Options{Address: l.Addr().String(), Mode: load.NewConn, Clients: 1})
	if err != nil || r.OK != 1 || r.Failed != 0 {
		t.Errorf("got %v, %v; want the one request in flight answered", r, err)
	}
}

func TestPauseAfterFailure(t *testing.T) {
	r := run(t, load.Options{Address: unusedAddress(t), Mode: load.Kept, Clients: 1, Exchanges: 3, Pause: 50 * time.Millisecond})
	if r.Failed != 3 || r.Elapsed < 150*time.Millisecond {
		t.Errorf("%d failures took %v, want a pause of 50ms after each", r.Failed, r.Elapsed)
	}
}

// restartable is a service that can be stopped, as abruptly as most programs do, and started again on its address.
type restartable struct {
	t       *testing.T
	address string
	server  *http.Server
}

func (s *restartable) start(release string) {
	s.t.Helper()
	h, err := handlers.New(&handlers.Config{Release: release})
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.server = &http.Server{Handler: h}
	go s.server.Serve(l)
}

// TestStopThenStartLoses is the control of the whole method: the load that must show zero elsewhere shows loss here.
func TestStopThenStartLoses(t *testing.T) {
	for _, mode := range []load.Mode{load.NewConn, load.Kept} {
		t.Run(string(mode), func(t *testing.T) {
			s := &restartable{t: t, address: "127.0.0.1:0"}
			s.start("v1")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			old, failed := newSignal(), newSignal()
			done := make(chan load.Result)
			go func() {
				r, _ := load.Run(ctx, load.Options{Address: s.address, Mode: mode, Clients: 8, OnOutcome: func(o load.Outcome) {
					switch {
					case o.Failure != nil:
						failed.raise()
					case o.Release == "v1":
						old.raise()
					case o.Release == "v2":
						cancel()
					}
				}})
				done <- r
			}()
			old.wait(ctx, t)
			s.server.Close()
			failed.wait(ctx, t)
			s.start("v2")
			defer s.server.Close()
			r := <-done
			if r.Failed == 0 || r.ByRelease["v1"] == 0 || r.ByRelease["v2"] == 0 {
				t.Errorf("got %v, want failures and answers of both releases", r)
			}
		})
	}
}

// signal says that something has happened at least once.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) raise() {
	select {
	case s <- struct{}{}:
	default:
	}
}

func (s signal) wait(ctx context.Context, t *testing.T) {
	t.Helper()
	select {
	case <-s:
	case <-ctx.Done():
		t.Fatal("waited in vain")
	}
}

func TestResultForms(t *testing.T) {
	s := newGoodServer(t, "tcp")
	r := run(t, load.Options{Address: s.address, Mode: load.Kept, Clients: 2, Exchanges: 10, Path: "/nowhere", Pause: time.Millisecond})
	if line := r.String(); strings.Contains(line, "\n") || !strings.HasPrefix(line, "10 requests, 10 failed (status 10), 10 connections") {
		t.Errorf("line is %q", line)
	}
	text, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Requests int
		Failed   int
		ByKind   map[string]int `json:"by_kind"`
		Latency  map[string]float64
	}
	if err := json.Unmarshal(text, &back); err != nil || back.Requests != 10 || back.ByKind["status"] != 10 || back.Latency["count"] != 0 {
		t.Errorf("got %+v, %v from %s", back, err, text)
	}
}
