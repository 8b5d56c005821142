// Command bad is a candidate that a host must not take into service. Each -mode is one way to be bad.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/bench/servers/handlers"
)

const usage = `how to be bad:
exit             say why and exit with status 3 at once
never-listen     live, and listen nowhere
other-port       answer well on another port of the same host
wrong-family     listen on the address's port in the other IP family (127.0.0.1 and [::1])
die-after=DUR    answer well for DUR, then exit with status 4
hang             listen, accept, and never answer
status=CODE      answer every request with that status
ignore-term      answer well, and ignore SIGTERM and SIGINT`

func main() {
	config := handlers.Flags(flag.CommandLine)
	mode := flag.String("mode", "exit", usage)
	flag.Parse()
	name, argument, _ := strings.Cut(*mode, "=")
	if err := run(config, name, argument); err != nil {
		slog.Error("server failed", "error", err)
		os.Exit(1)
	}
}

func run(config *handlers.Config, mode, argument string) error {
	switch mode {
	case "exit":
		slog.Error("configuration key \"shard\" is missing")
		os.Exit(3)
	case "never-listen":
		untilTold()
		return nil
	case "other-port":
		return serveWell(config, onOtherPort)
	case "wrong-family":
		return serveWell(config, onOtherFamily)
	case "die-after":
		d, err := time.ParseDuration(argument)
		if err != nil {
			return fmt.Errorf("cannot read mode: %w", err)
		}
		time.AfterFunc(d, func() {
			slog.Error("giving up")
			os.Exit(4)
		})
		return serveWell(config, net.Listen)
	case "hang":
		return acceptAndHang(config)
	case "status":
		return serveStatus(config, argument)
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM, os.Interrupt)
		return serveWell(config, net.Listen)
	}
	return fmt.Errorf("cannot be %q: no such mode", mode)
}

// untilTold returns on SIGTERM or SIGINT.
func untilTold() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	<-ctx.Done()
}

func serveWell(config *handlers.Config, listen func(network, address string) (net.Listener, error)) error {
	handler, err := handlers.New(config)
	if err != nil {
		return err
	}
	listener, err := listen("tcp", config.Address)
	if err != nil {
		return err
	}
	slog.Info("listening", "address", listener.Addr().String())
	return http.Serve(listener, handler)
}

func onOtherPort(network, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return net.Listen(network, net.JoinHostPort(host, "0"))
}

func onOtherFamily(_, address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	}
	return net.Listen("tcp6", net.JoinHostPort("::1", port))
}

func acceptAndHang(config *handlers.Config) error {
	listener, err := config.Listen()
	if err != nil {
		return err
	}
	var held []net.Conn
	for {
		c, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("cannot accept after %d connections: %w", len(held), err)
		}
		held = append(held, c)
	}
}

func serveStatus(config *handlers.Config, argument string) error {
	var code int
	if _, err := fmt.Sscanf(argument, "%d", &code); err != nil || code < 200 || code > 599 {
		return fmt.Errorf("cannot read mode: status is %q", argument)
	}
	listener, err := config.Listen()
	if err != nil {
		return err
	}
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Release", config.Release)
		http.Error(w, http.StatusText(code), code)
	}))
}
