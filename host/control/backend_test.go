package control

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// fakeBackend answers with what the test puts into it, and remembers who asked for what.
type fakeBackend struct {
	mu       sync.Mutex
	actors   []Actor
	requests []any

	status  Status
	history []HistoryEntry
	err     error
	// change plays the three calls that begin a rollout; watch the one that follows it.
	change func(ctx context.Context, emit Emit) (Outcome, error)
	watch  func(ctx context.Context, request WatchRequest, emit Emit) (Outcome, error)
	logs   func(ctx context.Context, query LogQuery, emit func(LogLine) error) error
}

func (b *fakeBackend) note(actor Actor, request any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.actors = append(b.actors, actor)
	b.requests = append(b.requests, request)
}

func (b *fakeBackend) last() (Actor, any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) == 0 {
		return Actor{}, nil
	}
	return b.actors[len(b.actors)-1], b.requests[len(b.requests)-1]
}

func (b *fakeBackend) calls() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests)
}

func (b *fakeBackend) Status(_ context.Context, actor Actor) (Status, error) {
	b.note(actor, "status")
	return b.status, b.err
}

func (b *fakeBackend) Upgrade(ctx context.Context, actor Actor, request UpgradeRequest, emit Emit) (Outcome, error) {
	b.note(actor, request)
	return b.change(ctx, emit)
}

func (b *fakeBackend) Rollback(ctx context.Context, actor Actor, request RollbackRequest, emit Emit) (Outcome, error) {
	b.note(actor, request)
	return b.change(ctx, emit)
}

func (b *fakeBackend) Restart(ctx context.Context, actor Actor, request RestartRequest, emit Emit) (Outcome, error) {
	b.note(actor, request)
	return b.change(ctx, emit)
}

func (b *fakeBackend) Reload(_ context.Context, actor Actor, request ReloadRequest) (ReloadResult, error) {
	b.note(actor, request)
	return ReloadResult{Target: request.Target}, b.err
}

func (b *fakeBackend) Tell(_ context.Context, actor Actor, request RolloutRequest) (RolloutStatus, error) {
	b.note(actor, request)
	return RolloutStatus{ID: "r1", State: request.Verb}, b.err
}

func (b *fakeBackend) Watch(ctx context.Context, actor Actor, request WatchRequest, emit Emit) (Outcome, error) {
	b.note(actor, request)
	return b.watch(ctx, request, emit)
}

func (b *fakeBackend) History(_ context.Context, actor Actor, query HistoryQuery) ([]HistoryEntry, error) {
	b.note(actor, query)
	return b.history, b.err
}

func (b *fakeBackend) Logs(ctx context.Context, actor Actor, query LogQuery, emit func(LogLine) error) error {
	b.note(actor, query)
	return b.logs(ctx, query, emit)
}

func (b *fakeBackend) Stop(_ context.Context, actor Actor, request StopRequest) error {
	b.note(actor, request)
	return b.err
}

// start serves a backend in a state directory until the test ends or stop is called; stop returns
// when the server has.
func start(t *testing.T, stateDir string, backend Backend) (stop func()) {
	t.Helper()
	listener, err := Listen(stateDir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, NewServer(backend, ServerOptions{}), listener)
}

func serve(t *testing.T, server *Server, listener net.Listener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Serve did not return")
		}
	})
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, stateDir string) *Client {
	t.Helper()
	client, err := Dial(deadline(t), stateDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// stateDir is short enough for a socket's path, unlike t.TempDir of a long test name.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "zd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Clean(dir)
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func ignore(RolloutEvent) {}
