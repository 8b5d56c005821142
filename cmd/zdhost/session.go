package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/view"
	"github.com/zdhost/zdhost/host/control"
)

// session is what one command line has to work with.
type session struct {
	in           io.Reader
	out          io.Writer // what a verb prints for use
	err          io.Writer // progress, errors, logs
	stateDirFlag string
}

// stateDir says which host is meant: the flag, the environment, the configuration found here, or
// ./.zdhost, in that order.
func (s *session) stateDir(ctx context.Context) (string, error) {
	for _, dir := range []string{s.stateDirFlag, os.Getenv("ZDHOST_STATE_DIR")} {
		if dir != "" {
			return filepath.Abs(dir)
		}
	}
	dir, err := configuredStateDir(ctx)
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// connect finds the host. The caller closes the client.
func (s *session) connect(ctx context.Context) (*control.Client, error) {
	dir, err := s.stateDir(ctx)
	if err != nil {
		return nil, err
	}
	return control.Dial(ctx, dir)
}

// json prints a value for programs, indented as people read it too.
func (s *session) json(value any) error {
	encoder := json.NewEncoder(s.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// jsonLine prints a value of many, one a line.
func (s *session) jsonLine(value any) error {
	encoder := json.NewEncoder(s.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// runStateDir is the state directory that `run` was told, if any: it reads the configuration itself.
func (s *session) runStateDir() string {
	if s.stateDirFlag != "" {
		return s.stateDirFlag
	}
	return os.Getenv("ZDHOST_STATE_DIR")
}

func (s *session) progress() *view.Progress { return view.NewProgress(s.err, view.Width(s.err)) }

// settings reads KEY=VALUE flags.
func settings(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	set := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usage("read --set "+pair, errNoPair, "write it as --set weight=50")
		}
		if _, twice := set[key]; twice {
			return nil, usage("read --set "+pair, errTwice, "")
		}
		set[key] = value
	}
	return set, nil
}

// every calls f at once and then each interval, until it fails or ctx ends.
func every(ctx context.Context, interval time.Duration, f func() error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := f(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
