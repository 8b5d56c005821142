package config

import (
	"encoding/json"
	"syscall"
	"time"
)

// Sockets says how a service gets its sockets.
type Sockets string

// The values of Service.Sockets.
const (
	Adopt   Sockets = "adopt"   // its bind and listen are answered with the host's
	Inherit Sockets = "inherit" // LISTEN_FDS
)

// Service is a program that is kept up.
type Service struct {
	Name       string
	Command    []string // not empty
	Release    string   // directory or packed release; empty: the program where it is
	Listeners  []string // names
	Sockets    Sockets
	Instances  int // at least 1
	Env        map[string]string
	EnvInherit []string
	User       string // empty: zdhost's own
	Group      string // empty: the user's
	Dir        string // empty: the release's directory, else Config.Dir
	Ready      Ready
	Health     *Health // nil: off
	Drain      Drain
	Restart    Restart
	Limits     Limits
	Strategy   Strategy
	Watchdog   time.Duration // 0: off
	PIDFile    string
}

// Ready says when an instance may serve. With HTTP, Notify and Exec all unset
// it is ready when it listens and has accepted a connection.
type Ready struct {
	Timeout  time.Duration
	HTTP     string // path; empty: not asked
	Notify   bool
	Exec     []string
	Interval time.Duration
}

// Health is a check that goes on while an instance serves. HTTP or Exec is set,
// or both.
type Health struct {
	HTTP     string
	Exec     []string
	Interval time.Duration
	Timeout  time.Duration
	Failures int // in a row
}

// Drain says how an instance is stopped.
type Drain struct {
	Timeout time.Duration // with Auto: Max
	Auto    bool          // from the longest wait for an answer that was seen, up to Max
	Settle  time.Duration
	Signal  syscall.Signal
	Max     time.Duration // of Auto
}

// Restart says what happens after an instance exits.
type Restart struct {
	Backoff    time.Duration
	MaxBackoff time.Duration
	CrashLoop  Rate
}

// Rate is a number of events in a time.
type Rate struct {
	Count  int
	Within time.Duration
}

// Limits bounds each instance. Zero is no limit.
type Limits struct {
	Memory    int64   // bytes
	CPUs      float64 // processors
	Files     int
	Processes int
}

// Strategy is how a new release takes over.
type Strategy struct {
	Name     string
	Settings json.RawMessage // a JSON object of what was written; defaults are the strategy's own
}
