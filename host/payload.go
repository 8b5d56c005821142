package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zdhost/zdhost/host/release"
)

// payload is what a generation runs: a release and how it is started.
type payload struct {
	Release release.Digest `json:"release"`
	Kind    string         `json:"kind"` // directory or command
	Command []string       `json:"command"`
	Dir     string         `json:"dir"` // working directory; the release's own for a directory
	// Configured is the command of the configuration at that time: where it has
	// changed since, the configuration wins over what ran last.
	Configured []string `json:"configured,omitempty"`
}

// path finds the program: in the release's directory first, then in PATH.
func (p payload) path() (string, error) {
	name := p.Command[0]
	if filepath.IsAbs(name) {
		return name, executable(name)
	}
	inside := filepath.Join(p.Dir, name)
	if err := executable(inside); err == nil || strings.Contains(name, "/") {
		return inside, err
	}
	found, err := exec.LookPath(name)
	if err != nil {
		if notThis := executable(inside); errors.Is(notThis, errNotExecutable) {
			return inside, notThis
		}
		return "", fmt.Errorf("cannot find program %q in %s or in PATH", name, p.Dir)
	}
	return found, nil
}

func executable(path string) error {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("cannot find program: %w", err)
	case st.IsDir():
		return fmt.Errorf("cannot execute %s: it is a directory", path)
	case st.Mode()&0o111 == 0:
		return fmt.Errorf("cannot execute %s: %w (chmod +x)", path, errNotExecutable)
	}
	return nil
}

// errNotExecutable is of a program that is there: a candidate that fails, not a
// command that names nothing.
var errNotExecutable = errors.New("it is not executable")

// importDir takes a directory or a packed release into the store.
func (h *Host) importDir(ctx context.Context, path string, command []string, progress func(done, total int64)) (payload, error) {
	r, err := h.store.Import(ctx, path, progress)
	if err != nil {
		return payload{}, err
	}
	return payload{Release: r.Digest, Kind: "directory", Command: command, Dir: r.Dir}, nil
}

// importCommand makes a release of a command line and the files that it names.
func (h *Host) importCommand(ctx context.Context, command []string, dir string) (payload, error) {
	r, err := h.store.ImportCommand(ctx, command, dir)
	if err != nil {
		return payload{}, err
	}
	return payload{Release: r.Digest, Kind: "command", Command: command, Dir: dir}, nil
}

// configured is what the configuration names.
func (s *service) configured(ctx context.Context, progress func(done, total int64)) (payload, error) {
	var p payload
	var err error
	if s.cfg.Release != "" {
		p, err = s.h.importDir(ctx, s.cfg.Release, s.cfg.Command, progress)
		if err == nil && s.cfg.Dir != "" {
			p.Dir = s.cfg.Dir
		}
	} else {
		p, err = s.h.importCommand(ctx, s.cfg.Command, s.workDir())
	}
	p.Configured = s.cfg.Command
	return p, err
}

func (s *service) workDir() string {
	if s.cfg.Dir != "" {
		return s.cfg.Dir
	}
	return s.h.cfg.Dir
}

// firstPayload is what ran last as far as the journal knows and the store still
// has it, or what is configured.
func (s *service) firstPayload() (payload, error) {
	// A command that was just typed is what is meant, whatever ran last.
	if last, ok := s.h.memory.lastPayload(s.name); ok && !s.h.opts.FailFast && slices.Equal(last.Configured, s.cfg.Command) {
		if p, err := s.again(last); err == nil {
			return p, nil
		}
	}
	return s.configured(s.h.ctx, nil)
}

// again checks that a payload of earlier can still be started.
func (s *service) again(p payload) (payload, error) {
	if p.Kind == "directory" {
		r, err := s.h.store.Get(string(p.Release))
		if err != nil {
			return p, err
		}
		if s.cfg.Dir == "" {
			p.Dir = r.Dir
		}
		return p, s.h.store.Verify(s.h.ctx, p.Release)
	}
	if len(p.Command) == 0 {
		return p, errors.New("its command is not known")
	}
	// The files of a command are not in the store: what they are now is what runs.
	now, err := s.h.importCommand(s.h.ctx, p.Command, p.Dir)
	now.Configured = p.Configured
	return now, err
}
