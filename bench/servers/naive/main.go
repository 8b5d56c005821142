// Command naive is the Go server that everybody writes: its own net.Listen, and http.Server.Shutdown on SIGTERM.
// It knows nothing of zdhost.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/bench/servers/handlers"
)

func main() {
	config := handlers.Flags(flag.CommandLine)
	flag.Parse()
	if err := run(config); err != nil {
		slog.Error("server failed", "error", err)
		os.Exit(1)
	}
}

func run(config *handlers.Config) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	handler, err := handlers.New(config)
	if err != nil {
		return err
	}
	listener, err := config.Listen()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = server.Shutdown(deadline)
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		return serveErr
	}
	return err
}
