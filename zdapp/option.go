package zdapp

import (
	"context"
	"time"
)

// Option changes how an [App] runs.
type Option func(*App)

// WithListener makes the app serve on the inherited listeners of these names, and on no others. Without it the app
// serves on all of them. A name that was not inherited is an error of Run.
func WithListener(names ...string) Option {
	return func(a *App) { a.names = append(a.names, names...) }
}

// WithFallback is the address to bind when the program runs alone: "host:port", or "unix:PATH". Without it, it is the
// server's Addr, or ":8080".
func WithFallback(address string) Option { return func(a *App) { a.fallback = address } }

// WithDrainWindow is how long clients have to end their connections by themselves, in response to Connection: close,
// before those that are idle and can't be moved are closed. The default is 2 s. The host's word goes before it.
func WithDrainWindow(d time.Duration) Option { return func(a *App) { a.window = d } }

// WithDrainTimeout is how long a drain may take before what is left is cut. The default is 30 s. The host's word goes
// before it.
func WithDrainTimeout(d time.Duration) Option { return func(a *App) { a.timeout = d } }

// OnDrain has hook called when the drain begins, in a goroutine of its own: the place to say goodbye on WebSockets and
// other hijacked connections. The drain waits for hook to return, and then for hijacked connections to be closed; ctx
// ends when the time is up.
func OnDrain(hook func(ctx context.Context)) Option {
	return func(a *App) { a.hooks = append(a.hooks, hook) }
}
