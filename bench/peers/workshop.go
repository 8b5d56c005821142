package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/zdhost/zdhost/bench/servers"
)

// workshop is where everything is built and runs.
type workshop struct {
	scale    scale
	progress io.Writer
	began    time.Time

	dir                            string // short, since sockets live below it
	places                         int
	zdhost, naive, shop, activated string // built binaries
	haproxy, nginx                 string // "" where not installed
}

// openWorkshop makes the directory and compiles. The caller closes the workshop unless there was an error.
func openWorkshop(ctx context.Context, s scale, progress io.Writer) (*workshop, error) {
	dir, err := os.MkdirTemp("", "zdp")
	if err != nil {
		return nil, fmt.Errorf("cannot make a directory: %w", err)
	}
	w := &workshop{scale: s, progress: progress, began: time.Now(), dir: dir, haproxy: installed("haproxy"), nginx: installed("nginx")}
	// nginx's workers run as an ordinary user.
	if err := errors.Join(os.Chmod(dir, 0o755), w.build(ctx)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *workshop) close() error { return os.RemoveAll(w.dir) }

// say tells whoever waits what is done now.
func (w *workshop) say(format string, args ...any) {
	fmt.Fprintf(w.progress, "%4.0fs  %s\n", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
}

func (w *workshop) build(ctx context.Context) error {
	w.say("building")
	for _, b := range []struct {
		to      *string
		program string
	}{
		{&w.zdhost, "cmd/zdhost"},
		{&w.naive, "bench/servers/naive"},
		{&w.shop, "bench/servers/shop"},
		{&w.activated, "bench/peers/activated"},
	} {
		*b.to = filepath.Join(w.dir, filepath.Base(b.program))
		cmd := exec.CommandContext(ctx, "go", "build", "-o", *b.to, "github.com/zdhost/zdhost/"+b.program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build %s: %w\n%s", b.program, err, out)
		}
	}
	return nil
}

// place makes a new directory for one system.
func (w *workshop) place() (string, error) {
	w.places++
	dir := filepath.Join(w.dir, fmt.Sprint(w.places))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot make a directory: %w", err)
	}
	return dir, nil
}

// recipe is the command of a program for each of its releases.
type recipe func(release string) servers.Command

// recipe of a built Go server.
func goServer(binary, address string) recipe {
	return func(release string) servers.Command {
		return servers.Command{Argv: []string{binary, "-address", address, "-release", release}}
	}
}

// freeAddress is a port of 127.0.0.1 that nobody had a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// installed is where a program is, also where only root's PATH has it; "" if nowhere.
func installed(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
}
