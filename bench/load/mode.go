package load

import "context"

// Mode is the shape of what each client does, over and over.
type Mode string

const (
	// NewConn opens a connection for each request: GET with Connection: close.
	NewConn Mode = "new-conn"
	// Connect opens a connection, asks for the release and resets the connection, which leaves no local port
	// in TIME_WAIT. It counts how connections are shared out; limit it with Options.Exchanges.
	Connect Mode = "connect"
	// Kept sends numbered POSTs over one connection a client, with Options.Think between them.
	Kept Mode = "kept"
	// Idle is Kept with Options.Hold of silence between requests. When its context ends, every client
	// speaks once more at once, so a connection that survived is seen to work.
	Idle Mode = "idle"
	// Pipelined sends two numbered POSTs in one write. A second request that stays unanswered is a failure,
	// after Connection: close on the first response too.
	Pipelined Mode = "pipelined"
	// HalfRequest sends numbered POSTs over one connection a client, each in two halves with Options.Hold between
	// them. By turns the first half ends inside the header and inside the body.
	HalfRequest Mode = "half-request"
	// SlowBody sends a numbered POST whose body trickles in Options.Parts pieces over Options.Hold. The
	// answer must be the body's length or the body.
	SlowBody Mode = "slow-body"
	// Stream reads a response of Options.Parts lines over Options.Hold; all must arrive, in order, from one
	// release.
	Stream Mode = "stream"
	// WebSocket opens a session for Options.Hold and has Options.Parts messages echoed in it. The handshake
	// and each message count as a request.
	WebSocket Mode = "websocket"
)

// Modes lists every mode, in the order of their documentation.
func Modes() []Mode {
	return []Mode{NewConn, Connect, Kept, Idle, Pipelined, HalfRequest, SlowBody, Stream, WebSocket}
}

// exchange is one round of a mode. It records its own outcomes in the client.
type exchange func(ctx context.Context, c *client)

// exchange returns the round of the mode, nil if the mode is unknown.
func (m Mode) exchange() exchange {
	switch m {
	case NewConn:
		return askOnce
	case Connect:
		return askAndReset
	case Kept, Idle:
		return askKept
	case Pipelined:
		return askTwo
	case HalfRequest:
		return askHaltingly
	case SlowBody:
		return trickle
	case Stream:
		return readStream
	case WebSocket:
		return holdSession
	}
	return nil
}
