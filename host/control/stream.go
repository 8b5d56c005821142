package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// streamLine is one line of a stream, with one field set. A call that fails before its first line
// answers with the error's line alone and the error's HTTP status.
type streamLine struct {
	Event   *RolloutEvent `json:"event,omitempty"`
	Line    *LogLine      `json:"line,omitempty"`
	Outcome *Outcome      `json:"outcome,omitempty"`
	Error   *Error        `json:"error,omitempty"`
	End     bool          `json:"end,omitempty"`
}

// last reports whether the line ends its stream.
func (l streamLine) last() bool { return l.Outcome != nil || l.Error != nil || l.End }

// stream writes lines to one reader. One goroutine at a time may use it.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func newStream(w http.ResponseWriter) *stream {
	return &stream{w: w, control: http.NewResponseController(w)}
}

// write sends a line and gives the reader ten seconds to take it.
func (s *stream) write(line streamLine) error {
	body, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/x-ndjson")
		s.w.WriteHeader(http.StatusOK)
	}
	if _, err := s.w.Write(append(body, '\n')); err != nil {
		return err
	}
	return s.control.Flush()
}

// end writes the last line, unless the server is stopping: then the stream breaks off, which tells
// the client to ask the next host.
func (s *stream) end(ctx context.Context, last streamLine) {
	switch {
	case ctx.Err() != nil && s.begun:
		panic(http.ErrAbortHandler)
	case ctx.Err() != nil:
		writeError(s.w, &Error{Code: Unavailable, Message: "cannot answer: the host is stopping", Hint: "try again in a moment"})
	case last.Error != nil && !s.begun:
		writeError(s.w, last.Error)
	default:
		_ = s.write(last)
	}
}

type rolloutCall func(context.Context, Actor, Emit) (Outcome, error)

// streamRollout runs the call on this goroutine and writes its events on another, so that neither a
// slow reader holds up the call nor a panic in it takes the host down.
func (s *Server) streamRollout(w http.ResponseWriter, r *http.Request, call rolloutCall) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out, queue := newStream(w), newEventQueue()
	written := make(chan struct{})
	go func() {
		defer close(written)
		if err := out.writeEvents(queue); err != nil {
			s.log.Debug("control stream cut off", "path", r.URL.Path, "error", err)
			cancel()
		}
	}()
	outcome, err := func() (Outcome, error) {
		defer func() { queue.close(); <-written }()
		return call(ctx, actorOf(ctx), queue.push)
	}()
	if err != nil {
		out.end(ctx, streamLine{Error: asError(err)})
		return
	}
	out.end(ctx, streamLine{Outcome: &outcome})
}

// writeEvents writes until the queue is closed and empty, or the reader fails.
func (s *stream) writeEvents(queue *eventQueue) error {
	for {
		<-queue.wake
		events, more := queue.take()
		for i := range events {
			if err := s.write(streamLine{Event: &events[i]}); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// streamLogs writes lines as the backend reads them: here a slow reader may hold up the call.
func (s *Server) streamLogs(w http.ResponseWriter, r *http.Request, query LogQuery) {
	ctx, out := r.Context(), newStream(w)
	err := s.backend.Logs(ctx, actorOf(ctx), query, func(line LogLine) error {
		return out.write(streamLine{Line: &line})
	})
	if err != nil {
		out.end(ctx, streamLine{Error: asError(err)})
		return
	}
	out.end(ctx, streamLine{End: true})
}
