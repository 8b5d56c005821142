package zdapp

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// probe lets net/http serve a scripted connection in memory, and returns the size of its read buffer. An error says
// that this net/http doesn't behave as [stillness] supposes, so that no connection may be moved. It takes well below a
// millisecond, one second at worst.
func probe() (buffer int, err error) {
	s := newScript()
	srv := &http.Server{
		Handler:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		ConnState: func(_ net.Conn, state http.ConnState) { s.enter(state) },
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	defer srv.Close()
	l := &single{conn: make(chan net.Conn, 1), shut: make(chan struct{})}
	l.conn <- s
	go func() { _ = srv.Serve(l) }()
	select {
	case <-s.ended:
	case <-time.After(time.Second):
		_ = s.Close()
		return 0, errors.New("cannot probe net/http: it didn't read the script to its end")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong == nil && len(s.steps) > 0 {
		s.wrong = fmt.Errorf("it left %d reads of the script", len(s.steps))
	}
	if s.wrong != nil {
		return 0, fmt.Errorf("cannot probe net/http: %w", s.wrong)
	}
	return s.buffer, nil
}

// line is one read of the script: what the rule must say while net/http waits, and what it then reads.
type line struct {
	movable bool
	text    string
}

// script is the connection, with both the traps that a rule can fall into: a byte of the next request in the buffer,
// and a next request that ends, unfinished, where a line of it ends.
type script struct {
	net.Conn
	mu     sync.Mutex
	woken  *sync.Cond
	still  stillness
	steps  []line
	buffer int
	past   bool
	wrong  error
	closed bool
	ended  chan struct{}
}

func newScript() *script {
	s := &script{ended: make(chan struct{}), steps: []line{
		{true, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"},
		{true, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\n"},
		{false, "Host: h\r\n\r\nG"},
		{false, "ET /4 HTTP/1.1\r\nHost: h\r\n\r\n"},
		{true, "GE"},
		{false, "T /5 HTTP/1.1\r\nHost: h\r\n\r\n"},
		{true, ""},
	}}
	s.woken = sync.NewCond(&s.mu)
	return s
}

func (s *script) enter(state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.still.enter(state)
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(p) == 1 { // net/http's read in the background of a handler
		for !s.past && !s.closed {
			s.woken.Wait()
		}
		return 0, os.ErrDeadlineExceeded
	}
	if len(s.steps) == 0 || s.closed {
		return 0, io.EOF
	}
	if s.buffer == 0 {
		s.buffer = len(p)
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	if got := s.still.movable(len(p), s.buffer); got != next.movable && s.wrong == nil {
		s.wrong = fmt.Errorf("before %q the connection counts as movable: %t", next.text, got)
	}
	if len(next.text) > len(p) {
		s.wrong = fmt.Errorf("it reads %d bytes at a time", len(p))
		return 0, io.EOF
	}
	n := copy(p, next.text)
	s.still.delivered(p[:n])
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (s *script) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.still.deadlineSet()
	s.past = !t.IsZero() && t.Before(time.Now())
	s.woken.Broadcast()
	return nil
}

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.ended)
		s.woken.Broadcast()
	}
	return nil
}

func (s *script) SetDeadline(t time.Time) error  { return s.SetReadDeadline(t) }
func (*script) SetWriteDeadline(time.Time) error { return nil }
func (*script) Write(p []byte) (int, error)      { return len(p), nil }
func (*script) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "probe", Net: "unix"} }
func (*script) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "probe", Net: "unix"} }

// single is a listener with one connection.
type single struct {
	conn chan net.Conn
	shut chan struct{}
	once sync.Once
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.shut:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.shut) })
	return nil
}

func (*single) Addr() net.Addr { return &net.UnixAddr{Name: "probe", Net: "unix"} }
