package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// ServerOptions are the command line of the demo's server.
type ServerOptions struct {
	Release string
	Address string
	// CrashAfter, if not zero, is how long after its first request the server dies without warning.
	CrashAfter time.Duration
	// Tally is the file that a crashing server writes the number of its open connections to.
	Tally string
}

// Serve is an ordinary server: it binds its own address, answers until ctx ends, and then shuts down
// as net/http's documentation says.
func Serve(ctx context.Context, options ServerOptions) error {
	listener, err := net.Listen("tcp", options.Address)
	if err != nil {
		return err
	}
	crash := &crash{options: options}
	server := &http.Server{Handler: handler(options.Release, crash), ConnState: crash.connState}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		window, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(window)
	}()
	fmt.Fprintf(os.Stderr, "%s listens on %s\n", options.Release, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func handler(release string, crash *crash) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		crash.arm()
		w.Header().Set("X-Release", release)
		fmt.Fprintln(w, release)
	})
}

// crash ends the process on purpose, with an honest count of the connections that it takes along.
type crash struct {
	options ServerOptions
	once    sync.Once

	mu   sync.Mutex
	open int
}

func (c *crash) arm() {
	if c.options.CrashAfter > 0 {
		c.once.Do(func() { time.AfterFunc(c.options.CrashAfter, c.now) })
	}
}

func (c *crash) connState(_ net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.open++
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
}

// now never gives the lock back: the accept loop stops in connState. So at most one connection more
// than the count has been accepted.
func (c *crash) now() {
	c.mu.Lock()
	accepted := strconv.Itoa(c.open + 1)
	if c.options.Tally != "" {
		if err := os.WriteFile(c.options.Tally, []byte(accepted), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	fmt.Fprintf(os.Stderr, "panic: %s crashes on purpose with at most %s accepted connections\n", c.options.Release, accepted)
	os.Exit(3)
}
