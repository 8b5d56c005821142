package zdapp

import "net/http"

// preface is how an HTTP/2 connection without TLS begins.
const preface = "PRI * HTTP/2.0"

// stillness knows, from what net/http does with one connection, whether net/http holds a byte of a request that it has
// not answered. Only a connection that holds none may be served by another process from here on.
//
// net/http reads through a buffer of a fixed size and asks for what fits into it. Three things together prove that the
// buffer is empty once a response is out: no byte was delivered since then, the read asks for the whole buffer, and
// the read deadline was set exactly once since then, for the wait between two requests. The last one matters: of
// two pipelined requests the second may have ended, half sent, exactly where a line ends; net/http has then taken that
// line out of the buffer and asks for the whole of it again, but it has set the deadline for reading a header, too.
// Probe checks at run time that net/http still behaves like that.
type stillness struct {
	state     http.ConnState
	opaque    bool // TLS, HTTP/2 or hijacked: more than the socket makes the connection
	spoken    bool // a byte was delivered, ever
	heard     bool // a byte was delivered since the state changed
	deadlines int  // how often the read deadline was set since the state changed
	matched   int  // how much of the preface was delivered
}

func (s *stillness) enter(state http.ConnState) {
	s.state, s.heard, s.deadlines = state, false, 0
	if state == http.StateHijacked {
		s.opaque = true
	}
}

func (s *stillness) deadlineSet() { s.deadlines++ }

func (s *stillness) delivered(p []byte) {
	if len(p) == 0 {
		return
	}
	if s.matched >= 0 && s.matched < len(preface) {
		s.match(p)
	}
	s.spoken, s.heard = true, true
}

func (s *stillness) match(p []byte) {
	n := min(len(p), len(preface)-s.matched)
	if string(p[:n]) != preface[s.matched:s.matched+n] {
		s.matched = -1
		return
	}
	s.matched += n
	if s.matched == len(preface) {
		s.opaque = true
	}
}

// unspoken says that the client has not sent anything that was read.
func (s *stillness) unspoken() bool { return s.state == http.StateNew && !s.spoken }

// quiet says that no request is known to be under way: enough for closing the connection, not for moving it.
func (s *stillness) quiet() bool {
	return s.unspoken() || s.state == http.StateIdle && !s.heard
}

// movable says whether the connection can be served by another process, now that net/http asks for n bytes through a
// buffer of the given size, 0 if that is not known.
func (s *stillness) movable(n, buffer int) bool {
	switch {
	case s.opaque || buffer == 0:
		return false
	case s.unspoken():
		return true
	}
	return s.state == http.StateIdle && !s.heard && s.deadlines == 1 && n == buffer
}
