package instance

import "time"

// Connection is one TCP connection of a program as the kernel sees it from the
// program's side.
type Connection struct {
	// Open says that the program still has it and that its peer has not ended.
	Open bool
	// Pending says that bytes wait: received and not read, or written and not
	// acknowledged.
	Pending bool
	// Received and Sent count the bytes that came and those that the peer
	// acknowledged.
	Received, Sent uint64
	// SinceReceived and SinceSent are how long ago data last went either way.
	SinceReceived, SinceSent time.Duration
}

// quiet reports whether a program may be told to stop as far as this connection
// goes: it has ended, or its last byte was the server's and was acknowledged at
// least settle ago. A client that has sent and waits for its answer is not
// quiet, nor is one that has just connected and said nothing.
func (c Connection) quiet(settle time.Duration) bool {
	if !c.Open {
		return true
	}
	if c.Pending || c.Sent == 0 || c.SinceReceived < c.SinceSent {
		return false
	}
	return c.SinceSent >= settle
}

// Busy counts the connections that are not quiet.
func Busy(conns []Connection, settle time.Duration) int {
	n := 0
	for _, c := range conns {
		if !c.quiet(settle) {
			n++
		}
	}
	return n
}
