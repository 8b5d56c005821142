package workload

import "time"

// Version is the version of the wire that this package speaks.
const Version = 1

// Limits of one message.
const (
	MaxMessage     = 32 << 10 // bytes of JSON
	MaxDescriptors = 250      // the kernel takes 253
)

// Types of messages. A receiver ignores a type that it doesn't know.
const (
	TypeHello    = "hello"
	TypeLanes    = "lanes"
	TypeReady    = "ready"
	TypeStats    = "stats"
	TypeQuiesced = "quiesced"
	TypeResumed  = "resumed"
	TypeDrained  = "drained"

	TypeWelcome = "welcome"
	TypeQuiesce = "quiesce"
	TypeResume  = "resume"
	TypeDrain   = "drain"

	TypeMove = "move"
)

// Phases of a program, as hello reports them.
const (
	PhaseStarting = "starting" // doesn't accept yet
	PhaseServing  = "serving"  // accepts
	PhaseQuiesced = "quiesced" // gives its connections away, those that still reach it too; may be resumed
	PhaseDraining = "draining" // doesn't accept, gives its connections away, and ends when the last one is gone
)

// Message is any message of the API; which fields mean something depends on Type, as the package comment says.
type Message struct {
	Type string `json:"type"`
	V    int    `json:"v,omitempty"`

	PID   int    `json:"pid,omitempty"`
	Lib   string `json:"lib,omitempty"`
	Moves bool   `json:"moves,omitempty"` // the program can take moved connections: it may be a successor
	Ready bool   `json:"ready,omitempty"`
	Phase string `json:"phase,omitempty"`

	Service    string   `json:"service,omitempty"`
	Generation uint64   `json:"generation,omitempty"`
	Instance   string   `json:"instance,omitempty"`
	Names      []string `json:"names,omitempty"`
	Addresses  []string `json:"addresses,omitempty"`

	Epoch      uint64 `json:"epoch,omitempty"`       // numbers the host's asks; an answer repeats it
	Successor  bool   `json:"successor,omitempty"`   // the descriptor is the send end of the successor's inbox
	DeadlineMS int64  `json:"deadline_ms,omitempty"` // from now until what is left is cut; 0: the program's own, negative: at once
	WindowMS   int64  `json:"window_ms,omitempty"`   // from now until idle connections that can't move are closed; the same
	Moved      int    `json:"moved,omitempty"`       // connections that this ask moved
	Kept       int    `json:"kept,omitempty"`        // connections that are still here

	Listener string `json:"listener,omitempty"`

	Stats
}

// Stats are one instance's counters since it started; Active and Connections are levels. In a move message, Requests
// counts the requests that the connection has carried so far.
type Stats struct {
	Requests    uint64 `json:"requests,omitempty"` // handed to the program's handler
	Active      int    `json:"active,omitempty"`   // of those, not answered yet
	Completed   uint64 `json:"completed,omitempty"`
	Accepted    uint64 `json:"accepted,omitempty"` // connections taken from a lane
	MovedIn     uint64 `json:"moved_in,omitempty"`
	MovedOut    uint64 `json:"moved_out,omitempty"`
	Told        uint64 `json:"told,omitempty"` // connections asked to end: Connection: close, GOAWAY, or closed while idle
	Cut         uint64 `json:"cut,omitempty"`  // connections closed before their work was done
	Connections int    `json:"connections,omitempty"`

	// Histogram counts completed requests by latency: bucket 0 is below 1 µs, bucket i from 2^(i-1) to 2^i µs.
	// Empty buckets at the end are left out. Hijacked connections are not in it.
	Histogram []uint64 `json:"hist,omitempty"`
}

// Milliseconds turns a wire duration into a Go one; what is negative is zero, and what is too long to count is a day.
func Milliseconds(ms int64) time.Duration {
	const most = 24 * time.Hour
	switch {
	case ms <= 0:
		return 0
	case ms > most.Milliseconds():
		return most
	}
	return time.Duration(ms) * time.Millisecond
}
