// Command activated is the naive server with systemd's socket activation, and nothing else of its own: it serves the
// socket at descriptor 3 if one was passed, else binds its address.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
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
	listener, err := listen(config)
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

// listen takes the first passed socket.
func listen(config *handlers.Config) (net.Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || os.Getenv("LISTEN_FDS") == "" {
		return config.Listen()
	}
	const first = 3
	file := os.NewFile(first, "listener")
	defer file.Close()
	return net.FileListener(file)
}
