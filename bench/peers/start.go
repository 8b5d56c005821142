package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/zdhost/zdhost/bench/servers"
)

// startPause is how often it is asked whether a release answers: what a measured time may be too long.
const startPause = 200 * time.Microsecond

// start measures from a command to the first answer.
func start(ctx context.Context, w *workshop, s *section) error {
	s.Title = "Time to the first answer"
	s.Method = fmt.Sprintf("The naive server, %d times each, by turns, nothing else running. Measured from the start of the named process (or call) to the end of the first answer "+
		"over a new connection, asked every %v.", w.scale.starts, startPause)
	w.say("start: upgrades")
	upgrades, err := measureUpgrades(ctx, w)
	if err != nil {
		return err
	}
	w.say("start: zdhost run")
	runs, err := measureRuns(ctx, w)
	if err != nil {
		return err
	}
	t := table{Head: []string{"", "median ms", "least", "most", "over the program's own"}}
	for _, m := range append(upgrades, runs...) {
		own := upgrades[0].took
		over := median(m.took) - median(own)
		t.add(m.name, fmt.Sprintf("%.1f", median(m.took)), fmt.Sprintf("%.1f", slices.Min(m.took)), fmt.Sprintf("%.1f", slices.Max(m.took)), fmt.Sprintf("%+.1f", over))
		s.figure(number(m.name, median(m.took), "ms"))
	}
	s.Tables = []table{t}
	return nil
}

// beginning is the times that one way to begin took, in milliseconds.
type beginning struct {
	name string
	took []float64
}

func (b *beginning) add(d time.Duration) { b.took = append(b.took, inMilliseconds(d)) }

// measureUpgrades measures the program alone, first of the result, and upgrades of a running service.
func measureUpgrades(ctx context.Context, w *workshop) (_ []beginning, err error) {
	own := beginning{name: "the program alone: start to first answer"}
	command := beginning{name: "`zdhost upgrade` to the new release's first answer"}
	call := beginning{name: "the same through the control API"}
	sys, err := adoptedNaive(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sys.stop()) }()
	h := sys.(*hosted)
	for i := range w.scale.starts {
		took, err := timeAlone(ctx, w)
		if err != nil {
			return nil, err
		}
		own.add(took)
		release := fmt.Sprintf("c%d", i)
		if took, err = untilAnswered(ctx, h.at, release, startPause, func() error { return h.runUpgrade(release) }); err != nil {
			return nil, err
		}
		command.add(took)
		release = fmt.Sprintf("a%d", i)
		if took, err = untilAnswered(ctx, h.at, release, startPause, func() error { return h.upgrade(ctx, release) }); err != nil {
			return nil, err
		}
		call.add(took)
	}
	return []beginning{own, command, call}, nil
}

// runUpgrade is an upgrade by the command line, to its end.
func (h *hosted) runUpgrade(release string) error {
	p, err := spawn("zdhost upgrade", h.upgradeCommand(release))
	if err != nil {
		return err
	}
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("zdhost upgrade ended with %d: %s", code, p.output.tail())
	}
	return nil
}

// measureRuns measures `zdhost run` on a new state directory.
func measureRuns(ctx context.Context, w *workshop) ([]beginning, error) {
	run := beginning{name: "`zdhost run -- PROGRAM` to the first answer"}
	for range w.scale.starts {
		took, err := timeRun(ctx, w)
		if err != nil {
			return nil, err
		}
		run.add(took)
	}
	return []beginning{run}, nil
}

func timeAlone(ctx context.Context, w *workshop) (time.Duration, error) {
	address, err := freeAddress()
	if err != nil {
		return 0, err
	}
	return timeProcess(ctx, "naive", address, goServer(w.naive, address)(firstRelease))
}

func timeRun(ctx context.Context, w *workshop) (time.Duration, error) {
	address, err := freeAddress()
	if err != nil {
		return 0, err
	}
	dir, err := w.place()
	if err != nil {
		return 0, err
	}
	argv := []string{w.zdhost, "run", "--state-dir", filepath.Join(dir, "s"), "--name", service, "--"}
	argv = append(argv, goServer(w.naive, address)(firstRelease).Argv...)
	return timeProcess(ctx, "zdhost", address, servers.Command{Argv: argv, Dir: dir})
}

// timeProcess starts a process, waits for its first answer and stops it.
func timeProcess(ctx context.Context, name, address string, c servers.Command) (time.Duration, error) {
	began := time.Now()
	p, err := spawn(name, c)
	if err != nil {
		return 0, err
	}
	at, err := firstAnswer(ctx, address, firstRelease, startPause, p.ended)
	if err := errors.Join(err, p.stop()); err != nil {
		return 0, err
	}
	return at.Sub(began), nil
}
