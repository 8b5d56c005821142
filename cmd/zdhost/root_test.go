package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
)

const referencePage = "../../docs/reference/cli.md"

// TestReferencePage compares the page with the commands; UPDATE=1 writes it.
func TestReferencePage(t *testing.T) {
	var page bytes.Buffer
	writeReference(&page, newRoot(&session{}))
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(referencePage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, page.Bytes()) {
		t.Errorf("%s is not what the commands say: run the tests with UPDATE=1", referencePage)
	}
}

// TestManners looks at every verb that a user sees.
func TestManners(t *testing.T) {
	root := newRoot(&session{})
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
			return
		}
		if cmd.Short == "" || cmd.Long == "" || !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s lacks a description or an example of itself", cmd.CommandPath())
		}
		if cmd.RunE == nil {
			t.Errorf("%s does nothing", cmd.CommandPath())
		}
		for _, below := range cmd.Commands() {
			look(below)
		}
	}
	for _, cmd := range root.Commands() {
		look(cmd)
		if cmd.Name() == "completion" && !strings.Contains(cmd.Example, "zdhost completion bash") {
			t.Error("completion lacks an example")
		}
	}
}

func TestExitCodes(t *testing.T) {
	ended := func(how string) error {
		return &outcomeError{verb: "upgrade", outcome: control.Outcome{Service: "shop", Ended: how}}
	}
	answered := func(code control.Code) error { return fmt.Errorf("wrapped: %w", &control.Error{Code: code}) }
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{answered(control.Failed), 1}, {answered(control.Busy), 1}, {answered(control.Unavailable), 1},
		{answered(control.BrokenOff), 1}, {answered(control.Forbidden), 1}, {answered("a code of tomorrow"), 1},
		{ended(control.EndedFailed), 1}, {ended("a word of tomorrow"), 1}, {context.Canceled, 1},
		{answered(control.Usage), 2}, {answered(control.NotFound), 2}, {&config.Error{}, 2},
		{answered(control.Denied), 3}, {ended(control.EndedDenied), 3},
		{ended(control.EndedRolledBack), 4}, {ended(control.EndedAborted), 4},
		{answered(control.Held), 5}, {ended(control.EndedHeld), 5},
		{answered(control.TimedOut), 6}, {ended(control.EndedTimedOut), 6}, {context.DeadlineExceeded, 6},
		{answered(control.NoHost), 7},
		{exitStatus(5), 5},
	}
	for _, test := range tests {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%#v: exit code %d, want %d", test.err, got, test.want)
		}
	}
}

func TestReportIsOneLineAndAHint(t *testing.T) {
	var text bytes.Buffer
	report(&text, &control.Error{Message: "cannot do it: because", Hint: "do that"})
	report(&text, errors.New("cannot do more: no"))
	report(&text, exitStatus(1))
	report(&text, nil)
	if want := "cannot do it: because\nhint: do that\ncannot do more: no\n"; text.String() != want {
		t.Errorf("got %q, want %q", text.String(), want)
	}
}

func TestWritingToAClosedPipeFails(t *testing.T) {
	reader, writer := io.Pipe()
	reader.Close()
	if code := executeIn(context.Background(), []string{"version"}, nil, writer, io.Discard); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
}

// leaver is an impatient user: Ctrl-C at the first sign of progress.
type leaver struct {
	bytes.Buffer
	leave context.CancelFunc
}

func (l *leaver) Write(text []byte) (int, error) {
	l.leave()
	return l.Buffer.Write(text)
}

func TestInterruptNamesTheRolloutThatGoesOn(t *testing.T) {
	work, err := os.MkdirTemp("", "zd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	stateDir, stop, err := serveIn(work)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	user := &leaver{leave: cancel}
	code := executeIn(ctx, []string{"--state-dir", stateDir, "upgrade", "shop", "--strategy", "slow"}, nil, io.Discard, user)
	want := "cannot upgrade shop: interrupted; rollout r9 goes on\nhint: zdhost rollout watch shop, or zdhost rollout abort shop\n"
	if code != exitFailed || !strings.HasSuffix(user.String(), want) {
		t.Errorf("exit code %d, %q", code, user.String())
	}
}
