package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

var serviceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

func (s *Server) route() {
	s.mux.HandleFunc("GET /v1/status", s.status)
	s.mux.HandleFunc("GET /v1/services/{service}/history", s.history)
	s.mux.HandleFunc("GET /v1/services/{service}/logs", s.logs)
	s.mux.HandleFunc("POST /v1/services/{service}/upgrade", s.upgrade)
	s.mux.HandleFunc("POST /v1/services/{service}/rollback", s.rollback)
	s.mux.HandleFunc("POST /v1/services/{service}/restart", s.restart)
	s.mux.HandleFunc("GET /v1/services/{service}/rollout", s.watch)
	s.mux.HandleFunc("POST /v1/services/{service}/rollout/{verb}", s.tell)
	s.mux.HandleFunc("POST /v1/reload", s.reload)
	s.mux.HandleFunc("POST /v1/stop", s.stop)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &Error{
			Code:    NotFound,
			Message: fmt.Sprintf("cannot %s %s: this host has no such call", r.Method, r.URL.Path),
			Hint:    "the host may be older than this command: zdhost status shows its version",
		})
	})
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	status, err := s.backend.Status(r.Context(), actorOf(r.Context()))
	answer(w, status.withoutNulls(), err)
}

func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	query := HistoryQuery{}
	values, err := parameters(r, "limit")
	if err == nil {
		query.Service, err = serviceOf(r)
	}
	if err == nil {
		query.Limit, err = countIn(values, "limit")
	}
	if err != nil {
		writeError(w, err)
		return
	}
	entries, err := s.backend.History(r.Context(), actorOf(r.Context()), query)
	answer(w, append([]HistoryEntry{}, entries...), err)
}

func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	query, err := logQueryOf(r)
	if err != nil {
		writeError(w, err)
		return
	}
	s.streamLogs(w, r, query)
}

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	request, err := read(w, r, UpgradeRequest.validate)
	if request.Service, err = serviceAfter(r, err); err != nil {
		writeError(w, err)
		return
	}
	s.streamRollout(w, r, func(ctx context.Context, actor Actor, emit Emit) (Outcome, error) {
		return s.backend.Upgrade(ctx, actor, request, emit)
	})
}

func (s *Server) rollback(w http.ResponseWriter, r *http.Request) {
	request, err := read[RollbackRequest](w, r, nil)
	if request.Service, err = serviceAfter(r, err); err != nil {
		writeError(w, err)
		return
	}
	s.streamRollout(w, r, func(ctx context.Context, actor Actor, emit Emit) (Outcome, error) {
		return s.backend.Rollback(ctx, actor, request, emit)
	})
}

func (s *Server) restart(w http.ResponseWriter, r *http.Request) {
	request, err := read(w, r, RestartRequest.validate)
	if request.Service, err = serviceAfter(r, err); err != nil {
		writeError(w, err)
		return
	}
	s.streamRollout(w, r, func(ctx context.Context, actor Actor, emit Emit) (Outcome, error) {
		return s.backend.Restart(ctx, actor, request, emit)
	})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	values, err := parameters(r, "rollout")
	request := WatchRequest{Rollout: values.Get("rollout")}
	if request.Service, err = serviceAfter(r, err); err != nil {
		writeError(w, err)
		return
	}
	s.streamRollout(w, r, func(ctx context.Context, actor Actor, emit Emit) (Outcome, error) {
		return s.backend.Watch(ctx, actor, request, emit)
	})
}

func (s *Server) tell(w http.ResponseWriter, r *http.Request) {
	verb := r.PathValue("verb")
	request, err := read(w, r, func(RolloutRequest) error {
		switch verb {
		case Pause, Resume, Promote, Abort:
			return nil
		}
		return fmt.Errorf("a rollout can't be told to %q: pause, resume, promote or abort", verb)
	})
	request.Verb = verb
	if request.Service, err = serviceAfter(r, err); err != nil {
		writeError(w, err)
		return
	}
	status, err := s.backend.Tell(r.Context(), actorOf(r.Context()), request)
	answer(w, status, err)
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	request, err := read(w, r, func(request ReloadRequest) error {
		if !serviceName.MatchString(request.Target) {
			return fmt.Errorf("target must be a service or %q", HostTarget)
		}
		return nil
	})
	if err != nil {
		writeError(w, err)
		return
	}
	result, err := s.backend.Reload(r.Context(), actorOf(r.Context()), request)
	answer(w, result.withoutNulls(), err)
}

func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	request, err := read[StopRequest](w, r, nil)
	if err != nil {
		writeError(w, err)
		return
	}
	answer(w, struct{}{}, s.backend.Stop(r.Context(), actorOf(r.Context()), request))
}

// read takes the body as a T: nothing at all is the zero T; unknown fields, a second value and more
// than 1 MiB are refused.
func read[T any](w http.ResponseWriter, r *http.Request, validate func(T) error) (T, error) {
	var request T
	body, err := readBody(w, r)
	if err == nil && len(bytes.TrimSpace(body)) > 0 {
		err = decode(body, &request)
	}
	if err == nil && validate != nil {
		err = validate(request)
	}
	if err != nil {
		return request, badRequest(r, err)
	}
	return request, nil
}

// readBody reads to the end: net/http looks out for a client that goes away only after that, and
// only while no read deadline is left behind.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	return body, control.SetReadDeadline(time.Time{})
}

func decode(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func badRequest(r *http.Request, cause error) error {
	return &Error{Code: Usage, Message: fmt.Sprintf("cannot read the request for %s: %v", r.URL.Path, cause)}
}

func serviceOf(r *http.Request) (string, error) {
	name := r.PathValue("service")
	if !serviceName.MatchString(name) || name == HostTarget {
		return "", badRequest(r, fmt.Errorf("%q can't be a service's name", name))
	}
	return name, nil
}

// serviceAfter is serviceOf, unless an error came before.
func serviceAfter(r *http.Request, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return serviceOf(r)
}

// parameters returns the query's parameters and refuses others than the known ones.
func parameters(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest(r, err)
	}
	rest := make(url.Values)
	for _, name := range known {
		if value, ok := values[name]; ok {
			rest[name] = value
			delete(values, name)
		}
	}
	for name := range values {
		return nil, badRequest(r, fmt.Errorf("unknown parameter %q", name))
	}
	return rest, nil
}

func countIn(values url.Values, name string) (int, error) {
	text := values.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, &Error{Code: Usage, Message: fmt.Sprintf("cannot read the parameter %s: %q is no count", name, text)}
	}
	return n, nil
}

func logQueryOf(r *http.Request) (LogQuery, error) {
	values, err := parameters(r, "instance", "since", "tail", "follow")
	query := LogQuery{Instance: values.Get("instance"), Follow: values.Get("follow") == "true"}
	if err == nil {
		query.Service, err = serviceOf(r)
	}
	if err == nil {
		query.Tail, err = countIn(values, "tail")
	}
	if since := values.Get("since"); err == nil && since != "" {
		if query.Since, err = time.Parse(time.RFC3339Nano, since); err != nil {
			err = badRequest(r, err)
		}
	}
	return query, err
}

// answer writes a value or an error, whole.
func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, value)
}

func writeError(w http.ResponseWriter, err error) {
	e := asError(err)
	writeJSON(w, e.Code.HTTPStatus(), streamLine{Error: e})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status = http.StatusInternalServerError
		body, _ = json.Marshal(streamLine{Error: &Error{Code: Failed, Message: "cannot write the answer: " + err.Error()}})
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
