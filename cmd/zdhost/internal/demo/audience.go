package demo

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/zdhost/zdhost/bench/load"
)

const clients = 16

// audience is the clients: one connection a request, never a retry. It counts for each scene.
type audience struct {
	mu     sync.Mutex
	scenes []count

	stop   context.CancelFunc
	ended  chan struct{}
	result load.Result
	err    error
}

// count is what the clients saw while one scene was on.
type count struct {
	asked, failed int
	releases      map[string]bool
}

func (c count) answeredBy() string {
	return strings.Join(slices.Sorted(maps.Keys(c.releases)), ", ")
}

// seat starts the clients; leave ends them.
func seat(ctx context.Context, address string) *audience {
	ctx, stop := context.WithCancel(ctx)
	a := &audience{stop: stop, ended: make(chan struct{})}
	a.next()
	go func() {
		defer close(a.ended)
		a.result, a.err = load.Run(ctx, load.Options{
			Address: address, Mode: load.NewConn, Clients: clients, OnOutcome: a.see,
		})
	}()
	return a
}

// next begins another scene.
func (a *audience) next() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.scenes = append(a.scenes, count{releases: map[string]bool{}})
}

func (a *audience) see(outcome load.Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := &a.scenes[len(a.scenes)-1]
	now.asked++
	if outcome.Failure != nil {
		now.failed++
	} else if outcome.Release != "" {
		now.releases[outcome.Release] = true
	}
}

// now is what has been seen of the current scene.
func (a *audience) now() count {
	a.mu.Lock()
	defer a.mu.Unlock()
	current := a.scenes[len(a.scenes)-1]
	current.releases = maps.Clone(current.releases)
	return current
}

// leave waits for what is in flight, and returns everything that the clients counted.
func (a *audience) leave() (load.Result, error) {
	a.stop()
	<-a.ended
	return a.result, a.err
}
