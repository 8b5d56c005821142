package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/view"
	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
)

// Exit codes. Scripts rely on them.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2 // wrong usage or configuration
	exitDenied     = 3 // denied by policy
	exitRolledBack = 4
	exitHeld       = 5 // held or pending, waiting for someone
	exitTimedOut   = 6
	exitNoHost     = 7
)

// outcomeError is a rollout that did not end as it was asked to.
type outcomeError struct {
	verb    string // what was tried: upgrade, rollback, …
	outcome control.Outcome
}

func (e *outcomeError) Error() string {
	reason := e.outcome.Reason
	if reason == "" {
		reason = "no reason was given"
	}
	text := fmt.Sprintf("cannot %s %s: %s", e.verb, e.outcome.Service, reason)
	switch e.outcome.Ended {
	case control.EndedRolledBack, control.EndedAborted, control.EndedTimedOut:
		text += "; " + view.Ended(e.outcome.Ended) + ", " + view.Digest(e.outcome.From) + " serves"
	case control.EndedHeld:
		text = fmt.Sprintf("cannot %s %s yet: %s", e.verb, e.outcome.Service, reason)
	}
	return text
}

func (e *outcomeError) hint() string {
	switch service := e.outcome.Service; e.outcome.Ended {
	case control.EndedHeld:
		return fmt.Sprintf("zdhost rollout promote %s goes on, zdhost rollout abort %s goes back", service, service)
	case control.EndedRolledBack, control.EndedFailed, control.EndedTimedOut:
		return fmt.Sprintf("zdhost logs %s shows all that it printed", service)
	}
	return ""
}

// usage is wrong use of the command line or a wrong configuration: "cannot ‹what›: cause".
func usage(what string, cause error, hint string) error {
	return &control.Error{Code: control.Usage, Message: fmt.Sprintf("cannot %s: %v", what, cause), Hint: hint}
}

// classOf reduces an error to what the exit code depends on: how a rollout ended, or a code.
func classOf(err error) string {
	var outcome *outcomeError
	var answered *control.Error
	var configuration *config.Error
	switch {
	case errors.As(err, &outcome):
		return outcome.outcome.Ended
	case errors.As(err, &configuration):
		return string(control.Usage)
	case errors.As(err, &answered):
		return string(answered.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return string(control.TimedOut)
	}
	return string(control.Failed)
}

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	var code exitStatus
	if errors.As(err, &code) {
		return int(code)
	}
	switch classOf(err) {
	case string(control.Usage), string(control.NotFound):
		return exitUsage
	case string(control.Denied): // also how a rollout ends
		return exitDenied
	case control.EndedRolledBack, control.EndedAborted:
		return exitRolledBack
	case string(control.Held): // also how a rollout ends
		return exitHeld
	case string(control.TimedOut): // also how a rollout ends
		return exitTimedOut
	case string(control.NoHost):
		return exitNoHost
	}
	return exitFailed
}

// exitStatus ends the process with a code after everything has been said.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// report writes an error as one line, the candidate's last log lines, and a hint.
func report(w io.Writer, err error) {
	var code exitStatus
	if err == nil || errors.As(err, &code) {
		return
	}
	fmt.Fprintln(w, err)
	var outcome *outcomeError
	var answered *control.Error
	hint := ""
	switch {
	case errors.As(err, &outcome):
		view.LogTail(w, outcome.outcome.LogTail)
		hint = outcome.hint()
	case errors.As(err, &answered):
		hint = answered.Hint
	}
	if hint != "" {
		fmt.Fprintln(w, "hint: "+hint)
	}
}
