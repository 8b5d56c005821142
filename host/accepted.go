package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
)

// accepted is the configuration that a host has taken, as it was written. A host
// that is started again goes on with it, whatever the file says by then.
type accepted struct {
	Whole source `json:"whole"`
	// Services are those that were reloaded by themselves since.
	Services map[string]source `json:"services,omitempty"`
}

// source is a configuration's file and what was in it.
type source struct {
	File string `json:"file"`
	Text []byte `json:"text"`
}

func sourceOf(c *config.Config) source { return source{File: c.File, Text: c.Source()} }

// Accepted loads what the last host on the state directory has taken. The error
// wraps fs.ErrNotExist where none has kept anything.
func Accepted(ctx context.Context, stateDir string, overrides ...config.Override) (*config.Config, error) {
	a, err := readAccepted(stateDir)
	if err != nil {
		return nil, err
	}
	return a.load(ctx, overrides...)
}

func acceptedPath(stateDir string) string { return filepath.Join(stateDir, "accepted") }

func readAccepted(stateDir string) (a accepted, err error) {
	b, err := os.ReadFile(acceptedPath(stateDir))
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		return a, fmt.Errorf("cannot read the accepted configuration: %w", err)
	}
	return a, nil
}

func (a accepted) load(ctx context.Context, overrides ...config.Override) (*config.Config, error) {
	c, err := config.Parse(ctx, a.Whole.File, a.Whole.Text, overrides...)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(a.Services)) {
		from, err := config.Parse(ctx, a.Services[name].File, a.Services[name].Text, overrides...)
		if err != nil {
			return nil, err
		}
		for _, l := range from.Listeners {
			if c.Listener(l.Name) == nil {
				c.Listeners = append(c.Listeners, l)
			}
		}
		if old, s := c.Service(name), from.Service(name); old != nil && s != nil {
			*old = *s
		}
	}
	return c, nil
}

// with is what is accepted once next is: the whole of it, or a service's part.
func (a accepted) with(next *config.Config, target string) accepted {
	if target == control.HostTarget {
		return accepted{Whole: sourceOf(next)}
	}
	a.Services = maps.Clone(a.Services)
	if a.Services == nil {
		a.Services = map[string]source{}
	}
	a.Services[target] = sourceOf(next)
	return a
}

// save is durable when it returns nil; on an error what was accepted before is.
func (a accepted) save(stateDir string) error {
	b, err := json.Marshal(a)
	if err == nil {
		err = replaceFile(acceptedPath(stateDir), b)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the configuration: %w", err)
	}
	return nil
}

// replaceFile writes a file of mode 0600 whole or not at all.
func replaceFile(path string, b []byte) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return dir.Sync()
}

// keepConfiguration has a first host keep what it was started with. One that was
// started again finds it kept.
func (h *Host) keepConfiguration() {
	if len(h.cfg.Source()) == 0 {
		return // it came from the command line, which the keeper repeats
	}
	dir := h.cfg.StateDir
	if Restarted(h.welcome) {
		if a, err := readAccepted(dir); err == nil {
			h.accepted = a
			return
		}
	}
	h.accepted = accepted{Whole: sourceOf(h.cfg)}
	if err := h.accepted.save(dir); err != nil {
		h.log.Error("a host that is started again will read the file", "error", err)
		_ = os.Remove(acceptedPath(dir)) // it is of an earlier run
	}
}
