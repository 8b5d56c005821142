package handlers

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zdhost/zdhost/bench/load/wsframe"
)

// goodbye is how long a session waits for the client's close frame after its own.
const goodbye = time.Second

// sessions is the set of open WebSocket sessions.
type sessions struct {
	mu     sync.Mutex
	closed bool
	open   map[*session]struct{}
}

// session is one WebSocket connection. Its handler's goroutine writes, and another reads.
type session struct {
	conn   net.Conn
	in     *bufio.Reader
	away   chan struct{} // closed: say goodbye
	ended  chan struct{} // closed: over
	frames chan wsframe.Frame
}

// CloseSessions says goodbye (close frame 1001) to every open session, refuses new ones, and waits until all
// have ended or ctx is done. Calling it again waits again.
func (h *Handler) CloseSessions(ctx context.Context) error {
	for _, s := range h.sessions.dismiss() {
		select {
		case <-s.ended:
		case <-ctx.Done():
			return fmt.Errorf("cannot close sessions: %w", ctx.Err())
		}
	}
	return nil
}

func (ss *sessions) dismiss() []*session {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.closed {
		ss.closed = true
		for s := range ss.open {
			close(s.away)
		}
	}
	return slices.Collect(maps.Keys(ss.open))
}

func (ss *sessions) add(s *session) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.closed {
		return false
	}
	if ss.open == nil {
		ss.open = map[*session]struct{}{}
	}
	ss.open[s] = struct{}{}
	return true
}

func (ss *sessions) remove(s *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.open, s)
	close(s.ended)
}

// session shakes hands and echoes until one side ends it.
func (h *Handler) session(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if key == "" || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "not a WebSocket handshake", http.StatusBadRequest)
		return
	}
	s := &session{away: make(chan struct{}), ended: make(chan struct{}), frames: make(chan wsframe.Frame)}
	if !h.sessions.add(s) {
		w.Header().Set("Connection", "close")
		http.Error(w, "going away", http.StatusServiceUnavailable)
		return
	}
	defer h.sessions.remove(s)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Time{})
	s.conn, s.in = conn, rw.Reader
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"X-Release: %s\r\nSec-WebSocket-Accept: %s\r\n\r\n", h.release, wsframe.Accept(key))
	s.serve()
}

// serve returns when the session is over and its reader has gone.
func (s *session) serve() {
	go s.read()
	for {
		select {
		case f, ok := <-s.frames:
			if !ok || !s.answer(f) {
				s.finish()
				return
			}
		case <-s.away:
			s.conn.Write(wsframe.Append(nil, wsframe.Close, []byte{0x03, 0xe9}, false))
			s.conn.SetReadDeadline(time.Now().Add(goodbye))
			s.finish()
			return
		}
	}
}

// answer reports whether the session goes on.
func (s *session) answer(f wsframe.Frame) bool {
	reply := f.Opcode
	if reply == wsframe.Ping {
		reply = wsframe.Pong
	}
	_, err := s.conn.Write(wsframe.Append(nil, reply, f.Payload, false))
	if f.Opcode == wsframe.Close {
		s.conn.SetReadDeadline(time.Now())
	}
	return err == nil && f.Opcode != wsframe.Close
}

// finish drops what the client still says, until its close frame, its end or the deadline.
func (s *session) finish() {
	for f := range s.frames {
		if f.Opcode == wsframe.Close {
			s.conn.SetReadDeadline(time.Now())
		}
	}
}

// read passes frames on until the connection ends.
func (s *session) read() {
	defer close(s.frames)
	for {
		f, err := wsframe.Read(s.in)
		if err != nil {
			return
		}
		s.frames <- f
	}
}
