// Command shop answers what naive answers, under zdapp: its connections survive an upgrade, and its WebSockets are
// told to go, or may end by themselves.
package main

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"os"

	"github.com/zdhost/zdhost/bench/servers/handlers"
	"github.com/zdhost/zdhost/zdapp"
)

func main() {
	config := handlers.Flags(flag.CommandLine)
	server := &http.Server{}
	flag.DurationVar(&server.ReadHeaderTimeout, "read-header-timeout", 0, "longest time for a request's header; 0: none")
	flag.DurationVar(&server.IdleTimeout, "idle-timeout", 0, "longest silence on a kept connection; 0: none")
	keep := flag.Bool("keep-sessions", false, "let WebSockets go on while the server drains")
	flag.Parse()
	if err := run(config, server, *keep); err != nil {
		slog.Error("server failed", "error", err)
		os.Exit(1)
	}
}

func run(config *handlers.Config, server *http.Server, keepSessions bool) error {
	handler, err := handlers.New(config)
	if err != nil {
		return err
	}
	server.Handler = handler
	options := []zdapp.Option{zdapp.WithFallback(config.Address)}
	if !keepSessions {
		options = append(options, zdapp.OnDrain(func(ctx context.Context) {
			if err := handler.CloseSessions(ctx); err != nil {
				slog.Warn("sessions were cut", "error", err)
			}
		}))
	}
	return zdapp.Run(context.Background(), server, options...)
}
