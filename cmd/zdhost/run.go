package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/keeper"
)

// run checks everything that can be known before, takes the state directory, and
// becomes the keeper: the process stays, the program in it is a fresh one that
// carries nothing of the command line's.
func run(ctx context.Context, o runOptions) error {
	options := hostOptions{Name: o.Name, Command: o.Command}
	if len(o.Command) == 0 {
		path, err := findConfiguration(o.Config)
		if err != nil {
			return err
		}
		if options.Config, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	if o.StateDir != "" {
		dir, err := filepath.Abs(o.StateDir)
		if err != nil {
			return err
		}
		options.StateDir = dir
	}
	cfg, err := options.load(ctx)
	if err != nil {
		return err
	}
	_, missing := os.Stat(cfg.StateDir)
	lock, err := lockStateDir(cfg.StateDir)
	if err != nil {
		return err
	}
	if problems := cfg.CheckMachine(ctx, nil); len(problems) > 0 {
		if missing != nil { // what a refused run has made goes again
			_ = os.RemoveAll(cfg.StateDir)
		}
		return &config.Error{Problems: problems}
	}
	options.Kept = cfg.StateDir
	host, err := json.Marshal(options)
	if err != nil {
		return err
	}
	k, err := json.Marshal(keeper.Options{
		RunDir: cfg.RunDir, Lock: lock, Host: []string{"zdhost", hostProcess, string(host)},
		Sockets: []string{filepath.Join(cfg.StateDir, control.SocketName)},
	})
	if err != nil {
		return err
	}
	err = syscall.Exec("/proc/self/exe", []string{"zdhost", keeperProcess, string(k)}, os.Environ())
	return fmt.Errorf("cannot become the keeper: %w", err)
}

// lockStateDir makes the directory and takes it for this process and what it
// becomes. The descriptor stays open on purpose.
func lockStateDir(dir string) (int, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return -1, fmt.Errorf("cannot make the state directory: %w", err)
	}
	path := filepath.Join(dir, "lock")
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT, 0o600) // not close-on-exec
	if err != nil {
		return -1, fmt.Errorf("cannot take the state directory: %s: %w", path, err)
	}
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, _ := os.ReadFile(path)
		_ = unix.Close(fd)
		return -1, &control.Error{
			Code: control.Failed, Message: fmt.Sprintf("cannot take the state directory %s: zdhost runs on it as process %s", dir, strings.TrimSpace(string(holder))),
			Hint: "zdhost status shows what it keeps up; --state-dir names another directory",
		}
	}
	if err != nil {
		return -1, fmt.Errorf("cannot take the state directory: %w", err)
	}
	if err := unix.Ftruncate(fd, 0); err != nil {
		return -1, fmt.Errorf("cannot take the state directory: %w", err)
	}
	if _, err := unix.Pwrite(fd, []byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return -1, fmt.Errorf("cannot take the state directory: %w", err)
	}
	return fd, nil
}
