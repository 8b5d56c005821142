package load

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// Options say whom to ask, how, and for how long to wait. Address and Mode are required.
type Options struct {
	Network string // "tcp" (default) or "unix"
	Address string // host:port, or the path of a unix socket
	Mode    Mode
	Path    string // request target; default: "/", or the one of Mode at the project's test servers

	// Name begins the name of every client ("Name-3"); it has no space. It must differ between runs that share an
	// execution log, so the default is random.
	Name    string
	Clients int // default 16

	// Exchanges ends the run after that many rounds of all clients together; 0: no limit. A pipelined pair and a
	// WebSocket session are one round.
	Exchanges int

	// Think is the mean pause between two rounds of a client, drawn from ±50 %; default none.
	Think time.Duration
	// Hold is how long a slow thing lasts: see the modes. Default 1 s.
	Hold time.Duration
	// Parts is how many pieces a slow thing has. Default 4.
	Parts int
	// Timeout is how long a client waits for a connection, and then for a whole exchange; in the slow modes for
	// the next byte. A request that takes longer is hung, which is a failure. Default 10 s.
	Timeout time.Duration
	// Pause follows a failed round, so that a dead server isn't asked in a busy loop. Default 10 ms.
	Pause time.Duration
	// BodySize pads numbered POSTs to at least this many bytes; default: the number alone.
	BodySize int

	// Blind makes clients of kept connections write without looking first whether the server has closed. Most
	// client libraries look; the worst ones don't.
	Blind bool
	// KeepFailures bounds Result.Failures; all are counted. Default 100.
	KeepFailures int

	// Checker, if set, learns of every numbered POST sent and acknowledged.
	Checker *Checker
	// OnOutcome, if set, is called after each request, concurrently from the clients' goroutines; it delays the
	// client while it runs.
	OnOutcome func(Outcome)
}

// Outcome is the end of one request.
type Outcome struct {
	When    time.Time
	Client  string
	Release string        // who answered; empty if nobody did
	Latency time.Duration // from the start of the exchange, a new connection included
	Failure *Failure      // nil if the request was answered well
}

// complete returns the options with defaults filled in, or why they can't be used.
func (o Options) complete() (Options, error) {
	if o.Network == "" {
		o.Network = "tcp"
	}
	if o.Network != "tcp" && o.Network != "unix" {
		return o, fmt.Errorf("cannot start load: network is %q, not tcp or unix", o.Network)
	}
	if o.Address == "" {
		return o, fmt.Errorf("cannot start load: no address")
	}
	if o.Mode.exchange() == nil {
		return o, fmt.Errorf("cannot start load: unknown mode %q (one of %v)", o.Mode, Modes())
	}
	if o.Name == "" {
		o.Name = strings.ToLower(rand.Text()[:8])
	}
	if strings.ContainsAny(o.Name, " \t\r\n") {
		return o, fmt.Errorf("cannot start load: name %q has white space", o.Name)
	}
	for _, v := range []struct {
		field   *int
		initial int
		name    string
	}{
		{&o.Clients, 16, "clients"}, {&o.Parts, 4, "parts"}, {&o.KeepFailures, 100, "kept failures"},
		{&o.Exchanges, 0, "exchanges"}, {&o.BodySize, 0, "body size"},
	} {
		if *v.field < 0 {
			return o, fmt.Errorf("cannot start load: %s is negative: %d", v.name, *v.field)
		}
		if *v.field == 0 {
			*v.field = v.initial
		}
	}
	for _, v := range []struct {
		field   *time.Duration
		initial time.Duration
		name    string
	}{
		{&o.Hold, time.Second, "hold"}, {&o.Timeout, 10 * time.Second, "timeout"},
		{&o.Pause, 10 * time.Millisecond, "pause"}, {&o.Think, 0, "think time"},
	} {
		if *v.field < 0 {
			return o, fmt.Errorf("cannot start load: %s is negative: %v", v.name, *v.field)
		}
		if *v.field == 0 {
			*v.field = v.initial
		}
	}
	if o.Path == "" {
		o.Path = o.defaultPath()
	}
	return o, nil
}

func (o Options) defaultPath() string {
	switch o.Mode {
	case SlowBody:
		return "/upload"
	case Stream:
		return fmt.Sprintf("/stream?parts=%d&pause=%s", o.Parts, o.Hold/time.Duration(o.Parts))
	case WebSocket:
		return "/ws"
	default:
		return "/"
	}
}

// host is the Host header's value.
func (o Options) host() string {
	if o.Network == "unix" {
		return "localhost"
	}
	return o.Address
}

// patient reports whether Timeout is about the next byte instead of the whole exchange.
func (o Options) patient() bool {
	switch o.Mode {
	case HalfRequest, SlowBody, Stream, WebSocket:
		return true
	default:
		return false
	}
}
