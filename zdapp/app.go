package zdapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

const (
	defaultAddress = ":8080"
	defaultWindow  = 2 * time.Second
	defaultTimeout = 30 * time.Second

	// lanesPatience is how long Run waits for the host's lanes before it binds by itself.
	lanesPatience = 5 * time.Second
)

// ErrCut is what Run returns, wrapped, when the drain had to cut connections at its deadline.
var ErrCut = errors.New("connections were cut")

// App is a server that can be replaced while it serves.
type App struct {
	server   *http.Server
	names    []string
	fallback string
	window   time.Duration
	timeout  time.Duration
	hooks    []func(context.Context)
	log      *slog.Logger
	rule     func(s *stillness, n, buffer int) bool

	ran        atomic.Bool
	generation atomic.Uint64
	instance   atomic.Pointer[string]
	draining   chan struct{}
}

// Run serves with srv until the program is asked to end, and returns when the last client has been taken care of. See
// [App.Run].
func Run(ctx context.Context, srv *http.Server, opts ...Option) error {
	return New(srv, opts...).Run(ctx)
}

// New prepares an app around srv, which belongs to the app from now on: don't call its Serve, Shutdown or Close. An
// srv whose TLSConfig has certificates serves TLS.
func New(srv *http.Server, opts ...Option) *App {
	a := &App{
		server: srv, window: defaultWindow, timeout: defaultTimeout,
		log: slog.Default(), rule: (*stillness).movable, draining: make(chan struct{}),
	}
	for _, o := range opts {
		o(a)
	}
	return a
}

// Generation is the number of the service's generation that this process belongs to; 0 if the program runs alone, or
// the host has not answered yet.
func (a *App) Generation() uint64 { return a.generation.Load() }

// Instance is the host's name for this process; empty if the program runs alone.
func (a *App) Instance() string {
	if name := a.instance.Load(); name != nil {
		return *name
	}
	return os.Getenv("ZDHOST_INSTANCE")
}

// Draining is closed when the drain begins, after which the program ends. A program that is only quiesced may be
// resumed, and isn't draining.
func (a *App) Draining() <-chan struct{} { return a.draining }

// Run takes the inherited listeners, or asks the host for lanes, or binds; then it serves, says that it is ready, and
// drains when the host, SIGTERM, SIGINT or the end of ctx asks for it. It returns nil when every connection was moved,
// or ended by itself; an error that is [ErrCut] when some had to be cut; another error when it could not serve. When
// it returns, the server is closed and all that it started is gone, except for handlers and hooks that ignore their
// context. An App runs once.
//
// A second SIGTERM or SIGINT ends the drain of a program that runs alone at once.
func (a *App) Run(ctx context.Context) error {
	if a.ran.Swap(true) {
		return errors.New("cannot run app: it ran already")
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	buffer, err := probe()
	if err != nil {
		a.log.Warn("connections will not be moved", "error", err)
	}
	c := newConductor(a, buffer)
	defer c.close()
	lanes, err := a.lanes(ctx, c)
	if err != nil {
		return err
	}
	if err := c.serve(lanes); err != nil {
		return err
	}
	return c.run(ctx, signals)
}

// lanes returns what to serve on: inherited, or from the host, or bound by us.
func (a *App) lanes(ctx context.Context, c *conductor) (map[string]lane, error) {
	lanes, err := inheritedLanes()
	if err != nil {
		return nil, err
	}
	if path := os.Getenv("ZDHOST_SOCKET"); path != "" {
		c.attach(ctx, path, len(lanes) == 0)
		if len(lanes) == 0 {
			if lanes, err = c.awaitLanes(ctx); err != nil {
				return nil, err
			}
		}
	}
	if len(lanes) > 0 {
		return a.choose(lanes)
	}
	c.alone = c.attachment == nil
	return a.bind(ctx)
}

// choose keeps those lanes that the app is to serve on.
func (a *App) choose(lanes map[string]lane) (map[string]lane, error) {
	if len(a.names) == 0 {
		return lanes, nil
	}
	chosen := make(map[string]lane, len(a.names))
	for _, name := range a.names {
		if lanes[name] == nil {
			return nil, fmt.Errorf("cannot serve on listener %q: there are only %q", name, slices.Sorted(maps.Keys(lanes)))
		}
		chosen[name] = lanes[name]
	}
	return chosen, nil
}

func inheritedLanes() (map[string]lane, error) {
	all, err := Listeners()
	lanes := make(map[string]lane, len(all))
	for name, l := range all {
		lanes[name] = l.(lane)
	}
	return lanes, err
}

// bind binds the fallback address. No MPTCP: such sockets can't be steered.
func (a *App) bind(ctx context.Context) (map[string]lane, error) {
	address := a.fallback
	if address == "" {
		address = a.server.Addr
	}
	if address == "" {
		address = defaultAddress
	}
	network, where := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, where = "unix", path
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, network, where)
	if err != nil {
		return nil, fmt.Errorf("cannot serve on %s: %w", address, err)
	}
	name := "main"
	if len(a.names) > 0 {
		name = a.names[0]
	}
	return map[string]lane{name: l.(lane)}, nil
}

// secure says whether the server is set up for TLS.
func (a *App) secure() bool {
	c := a.server.TLSConfig
	return c != nil && (len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil)
}

// sayGoodbye starts the hooks and returns a channel that is closed when all have returned.
func (a *App) sayGoodbye(ctx context.Context) <-chan struct{} {
	var running sync.WaitGroup
	for _, hook := range a.hooks {
		running.Go(func() { hook(ctx) })
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	return done
}

// hello is what the host is told first. The app can take moved connections if it serves plain HTTP.
func (a *App) hello(buffer int) workload.Message {
	return workload.Message{
		Type: workload.TypeHello, V: workload.Version, PID: os.Getpid(), Lib: "zdapp",
		Moves: buffer > 0 && !a.secure(), Phase: workload.PhaseStarting,
	}
}
