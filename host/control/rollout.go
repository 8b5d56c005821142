package control

import (
	"errors"
	"path/filepath"
	"strings"
	"time"
)

// How a rollout ends, or why a call about one returned.
const (
	EndedCommitted  = "committed"
	EndedRolledBack = "rolled_back"
	EndedAborted    = "aborted"
	EndedDenied     = "denied"
	EndedFailed     = "failed"    // no older generation to return to
	EndedTimedOut   = "timed_out" // rolled back, because a deadline came
	// The following are answers about a rollout that has not ended, or never began.
	EndedHeld      = "held"      // waits for someone
	EndedDetached  = "detached"  // begun; the caller did not want to wait
	EndedPlanned   = "planned"   // only planned, nothing was changed
	EndedUnchanged = "unchanged" // what was asked for runs already
)

// What a rollout waits for when someone has to act.
const (
	WaitsForOperator = "operator"
	WaitsForApproval = "approval"
	WaitsForPermit   = "permit"
)

// What to do with a rollout that is asked for while another one runs.
const (
	IfBusyReject    = "reject" // the default
	IfBusyQueue     = "queue"
	IfBusySupersede = "supersede"
)

// UpgradeRequest asks for a rollout to another release, another command, or both.
type UpgradeRequest struct {
	Service string `json:"-"` // from the path
	// Release is an absolute path of a directory or a packed release, or "sha256:" and at least four
	// digits of one that the host has; one that is a command brings its own, as it was. Empty means the
	// release that the configuration names, read again.
	Release string `json:"release,omitempty"`
	// Command replaces the service's command; its program is looked up from Dir, an absolute path.
	Command  []string `json:"command,omitempty"`
	Dir      string   `json:"dir,omitempty"`
	Strategy string   `json:"strategy,omitempty"`
	// Set overrides settings of the strategy.
	Set    map[string]string `json:"set,omitempty"`
	Plan   bool              `json:"plan,omitempty"`
	Detach bool              `json:"detach,omitempty"`
	Reason string            `json:"reason,omitempty"`
	IfBusy string            `json:"if_busy,omitempty"`
}

func (r UpgradeRequest) validate() error {
	if r.Release != "" && !strings.HasPrefix(r.Release, "sha256:") && !filepath.IsAbs(r.Release) {
		return errors.New(`release must be an absolute path or "sha256:…"`)
	}
	if len(r.Command) > 0 && !filepath.IsAbs(r.Dir) {
		return errors.New("command needs dir, an absolute path")
	}
	if len(r.Command) == 0 && r.Dir != "" {
		return errors.New("dir is of use with command only")
	}
	return validIfBusy(r.IfBusy)
}

func validIfBusy(choice string) error {
	switch choice {
	case "", IfBusyReject, IfBusyQueue, IfBusySupersede:
		return nil
	}
	return errors.New("if_busy must be reject, queue or supersede")
}

// RollbackRequest asks for a rollout to an older release.
type RollbackRequest struct {
	Service string `json:"-"`
	// To is a release that the service ran: "sha256:…", four or more of its digits that no other
	// begins with, or the absolute path of a directory or packed release that makes it. Empty means the
	// one before.
	To     string `json:"to,omitempty"`
	Detach bool   `json:"detach,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// RestartRequest asks for a rollout to the same release.
type RestartRequest struct {
	Service string            `json:"-"`
	Set     map[string]string `json:"set,omitempty"`
	Detach  bool              `json:"detach,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	IfBusy  string            `json:"if_busy,omitempty"`
}

func (r RestartRequest) validate() error { return validIfBusy(r.IfBusy) }

// What an operator can tell a rollout.
const (
	Pause   = "pause"
	Resume  = "resume"
	Promote = "promote"
	Abort   = "abort"
)

// RolloutRequest tells a running rollout to do something.
type RolloutRequest struct {
	Service string `json:"-"`
	Verb    string `json:"-"` // Pause, Resume, Promote or Abort
	// Rollout, if given, must be the one that runs; it keeps a late command off a newer rollout.
	Rollout string `json:"rollout,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// WatchRequest asks for the progress of a rollout.
type WatchRequest struct {
	Service string
	// Rollout is empty for the one that runs now. One that has ended answers with its outcome.
	Rollout string
}

// RolloutEvent is progress. The first one of a call says where the rollout stands.
type RolloutEvent struct {
	Time    time.Time `json:"time"`
	Rollout string    `json:"rollout"`
	Service string    `json:"service"`
	Trace   string    `json:"trace,omitempty"`
	State   string    `json:"state"`
	Step    string    `json:"step,omitempty"`
	// Text is one line for people.
	Text     string             `json:"text"`
	Reason   string             `json:"reason,omitempty"`
	WaitsFor string             `json:"waits_for,omitempty"`
	Until    time.Time          `json:"until,omitzero"`
	LogTail  []string           `json:"log_tail,omitempty"`
	Weights  []GenerationWeight `json:"weights,omitempty"`
	// Dropped counts events before this one that a slow reader missed.
	Dropped int `json:"dropped,omitempty"`
}

// Held reports whether the rollout waits for someone rather than for something.
func (e RolloutEvent) Held() bool {
	switch e.WaitsFor {
	case WaitsForOperator, WaitsForApproval, WaitsForPermit:
		return true
	}
	return false
}

// GenerationWeight is a generation's share of new connections, in percent.
type GenerationWeight struct {
	Generation uint64  `json:"generation"`
	Weight     float64 `json:"weight"`
}

// Outcome is how a rollout, or a call about one, ended.
type Outcome struct {
	Rollout string `json:"rollout,omitempty"`
	Service string `json:"service"`
	Kind    string `json:"kind,omitempty"` // upgrade, rollback, restart, reload, start
	Trace   string `json:"trace,omitempty"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	// Ended is one of the Ended… constants.
	Ended    string      `json:"ended"`
	Reason   string      `json:"reason,omitempty"`
	LogTail  []string    `json:"log_tail,omitempty"` // the candidate's last lines, oldest first
	Started  time.Time   `json:"started,omitzero"`
	Finished time.Time   `json:"finished,omitzero"`
	Report   *LossReport `json:"report,omitempty"`
	Plan     *Plan       `json:"plan,omitempty"`
}

// Plan is what a rollout would do.
type Plan struct {
	Strategy string     `json:"strategy"`
	From     string     `json:"from"`
	To       string     `json:"to"`
	Changes  []string   `json:"changes,omitempty"` // one line each, for people
	Steps    []PlanStep `json:"steps"`
}

// PlanStep is one planned change. Weight and Instances are the candidate's upper bounds.
type PlanStep struct {
	ID        string  `json:"id"`
	Weight    float64 `json:"weight"`
	Instances int     `json:"instances"`
	WaitsFor  string  `json:"waits_for,omitempty"`
	Text      string  `json:"text,omitempty"`
}

// LossReport counts what a rollout meant for clients. Nil is "not known", which is not zero.
type LossReport struct {
	Moved     *int64 `json:"moved"`      // connections given to the new generation
	Told      *int64 `json:"told"`       // connections asked to close in their protocol's way
	Cut       *int64 `json:"cut"`        // connections that were not quiet when their program was ended by signal
	Requests  *int64 `json:"requests"`   // answered during the rollout
	QueueHigh *int64 `json:"queue_high"` // most connections waiting to be accepted
	QueueMax  *int64 `json:"queue_max"`
	Drops     *int64 `json:"drops"` // connections that the kernel refused for a full queue
	Lost      *int64 `json:"lost"`  // requests or connections that failed because of the rollout
	Final     bool   `json:"final"` // the generation that leaves is gone: nothing more will be counted
}

// Known makes a number that is known, for the fields where nil is "not known".
func Known(n int64) *int64 { return &n }
