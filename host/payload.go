package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/release"
)

// payload is what a generation runs: a release and how it is started.
type payload struct {
	Release release.Digest `json:"release"`
	Kind    string         `json:"kind"` // release.KindDirectory or release.KindCommand
	Command []string       `json:"command"`
	Dir     string         `json:"dir"` // working directory
	// Root is the tree of a directory release, which programs are looked for in.
	Root string `json:"root,omitempty"`
	// Configured is the command of the configuration at that time: where it has
	// changed since, the configuration wins over what ran last.
	Configured []string `json:"configured,omitempty"`
}

// path finds the program that it runs.
func (p payload) path() (string, error) {
	if len(p.Command) == 0 {
		return "", errNoCommand
	}
	return p.find(p.Command[0])
}

// find finds a program of the release: in its directory first, then in PATH. The
// error is a *noProgramError where there is none.
func (p payload) find(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, executable(name)
	}
	inside := filepath.Join(cmp.Or(p.Root, p.Dir), name)
	here := executable(inside)
	if here == nil {
		return inside, nil
	}
	missing := &noProgramError{name: name, in: p.Dir, path: !strings.Contains(name, "/")}
	if p.Kind == release.KindDirectory {
		missing.in = "release " + p.Release.Short()
	}
	if missing.path {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	switch {
	case errors.Is(here, errNotExecutable) && p.Kind == release.KindDirectory:
		return inside, fmt.Errorf("cannot execute %s of %s: %w (chmod +x, then upgrade again)", name, missing.in, errNotExecutable)
	case errors.Is(here, errNotExecutable), !missing.path && !errors.Is(here, fs.ErrNotExist):
		return inside, here
	}
	return "", missing
}

// noProgramError is of a command that names nothing.
type noProgramError struct {
	name, in string
	path     bool // it was looked for in PATH too
}

func (e *noProgramError) Error() string {
	if e.path {
		return fmt.Sprintf("there is no program %q in %s or in PATH", e.name, e.in)
	}
	return fmt.Sprintf("there is no program %s in %s", e.name, e.in)
}

// explained names the release as whoever asked for it did, and what is in it.
func (e *noProgramError) explained(p payload, source string) error {
	e.in = source
	hint := "command names a program of the release, or follows --"
	if entries, err := os.ReadDir(p.Root); err == nil {
		var names []string
		for _, f := range entries[:min(len(entries), 8)] {
			names = append(names, f.Name())
		}
		hint = "in it there is " + strings.Join(names, ", ") + "; " + hint
	}
	return &control.Error{Code: control.Usage, Message: e.Error(), Hint: hint}
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

// errNoCommand is of a generation that the journal doesn't know.
var errNoCommand = errors.New("its command is not known")

// importDir takes a directory or a packed release into the store.
func (h *Host) importDir(ctx context.Context, path string, command []string, progress func(done, total int64)) (payload, error) {
	r, err := h.store.Import(ctx, path, progress)
	if err != nil {
		return payload{}, err
	}
	return payload{Release: r.Digest, Kind: release.KindDirectory, Command: command, Dir: r.Dir, Root: r.Dir}, nil
}

// importCommand makes a release of a command line and the files that it names.
func (h *Host) importCommand(ctx context.Context, command []string, dir string) (payload, error) {
	r, err := h.store.ImportCommand(ctx, command, dir)
	if err != nil {
		return payload{}, err
	}
	return payload{Release: r.Digest, Kind: release.KindCommand, Command: command, Dir: dir}, nil
}

// configuration asks the loop for a service's part and its working directory.
func (s *service) configuration(ctx context.Context) (cfg config.Service, dir string, err error) {
	err = s.h.ask(ctx, func() {
		if cfg, dir = s.cfg, s.cfg.Dir; dir == "" {
			dir = s.h.cfg.Dir
		}
	})
	return cfg, dir, err
}

// configured is what the configuration names. Like asItWas it asks the loop, so it
// is called from other goroutines.
func (s *service) configured(ctx context.Context, progress func(done, total int64)) (payload, error) {
	cfg, dir, err := s.configuration(ctx)
	if err != nil {
		return payload{}, err
	}
	var p payload
	if cfg.Release != "" {
		p, err = s.h.importDir(ctx, cfg.Release, cfg.Command, progress)
		if err == nil && cfg.Dir != "" {
			p.Dir = cfg.Dir
		}
	} else {
		p, err = s.h.importCommand(ctx, cfg.Command, dir)
	}
	p.Configured = cfg.Command
	return p, err
}

// firstPayload is what ran last as far as the journal knows and the store still
// has it, or what is configured.
func (s *service) firstPayload() (payload, error) {
	var last payload
	known := false
	if err := s.h.ask(s.h.ctx, func() {
		last, known = s.h.memory.lastPayload(s.name)
		known = known && slices.Equal(last.Configured, s.cfg.Command)
	}); err != nil {
		return payload{}, err
	}
	// A command that was just typed is what is meant, whatever ran last.
	if known && !s.h.opts.FailFast {
		if p, err := s.present(s.h.ctx, last); err == nil {
			return p, nil
		}
	}
	return s.configured(s.h.ctx, nil)
}

// present is the payload of earlier as it can be started now: a directory is the
// one in the store; of a command the files that are there now are what runs, so
// that its release may be another one.
func (s *service) present(ctx context.Context, p payload) (payload, error) {
	if p.Kind != release.KindCommand {
		return s.asItWas(ctx, p)
	}
	if len(p.Command) == 0 {
		return p, errNoCommand
	}
	now, err := s.h.importCommand(ctx, p.Command, p.Dir)
	now.Configured = p.Configured
	return now, err
}

// asItWas checks that what would be started is the very release that p names.
// The files of a command are not in the store: where they have changed, the error
// is a *control.Error and says which.
func (s *service) asItWas(ctx context.Context, p payload) (payload, error) {
	if p.Kind == release.KindCommand {
		changed, err := s.h.store.Changed(ctx, p.Release)
		if err == nil && len(changed) > 0 {
			err = &control.Error{
				Code: control.Failed, Message: fmt.Sprintf("the files of release %s have changed since: %s", p.Release.Short(), strings.Join(changed, ", ")),
				Hint: fmt.Sprintf("make them what they were, or take what is there now: zdhost upgrade %s -- %s; a release in a directory is kept whole",
					s.name, strings.Join(p.Command, " ")),
			}
		}
		return p, err
	}
	cfg, _, err := s.configuration(ctx)
	if err != nil {
		return p, err
	}
	r, err := s.h.store.Get(string(p.Release))
	if err != nil {
		return p, err
	}
	p.Root = r.Dir
	if cfg.Dir == "" {
		p.Dir = r.Dir
	}
	return p, s.h.store.Verify(ctx, p.Release)
}

// stored finds what the host has under a digest, or under the beginning of one: a
// directory with the command that the caller means, or a command as it was.
func (s *service) stored(ctx context.Context, digest string, command, given []string) (payload, error) {
	if digits := strings.TrimPrefix(digest, "sha256:"); len(digits) < leastDigits {
		return payload{}, fmt.Errorf("release %s: %d digits or more are needed", digest, leastDigits)
	}
	r, err := s.h.store.Get(digest)
	if err != nil {
		return payload{}, err
	}
	if r.Manifest.Kind != release.KindCommand {
		return payload{Release: r.Digest, Kind: release.KindDirectory, Command: command, Dir: r.Dir, Root: r.Dir}, nil
	}
	if len(given) > 0 {
		return payload{}, fmt.Errorf("release %s is a command itself; leave out -- %s", r.Digest.Short(), strings.Join(given, " "))
	}
	return s.asItWas(ctx, payload{Release: r.Digest, Kind: release.KindCommand, Command: r.Manifest.Command, Dir: r.Manifest.Dir})
}

// leastDigits of a digest name a release.
const leastDigits = 4

// refused makes "cannot ‹verb› ‹service›: cause" of why a release isn't taken, with
// the hint that the cause has.
func refused(code control.Code, verb, service string, cause error) error {
	e := &control.Error{Code: code, Message: fmt.Sprintf("cannot %s %s: %v", verb, service, cause)}
	if known := (*control.Error)(nil); errors.As(cause, &known) {
		e.Code, e.Hint = known.Code, known.Hint
	}
	return e
}
