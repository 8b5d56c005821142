package handlers

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const maxBody = 16 << 20

// Handler answers as the package describes.
type Handler struct {
	release  string
	log      *executionLog // nil: executions aren't logged
	mux      *http.ServeMux
	sessions sessions
}

// New returns a handler; the error is about opening the execution log.
func New(c *Config) (*Handler, error) {
	h := &Handler{release: c.Release, mux: http.NewServeMux()}
	if c.ExecutionLog != "" {
		log, err := openExecutionLog(c.ExecutionLog)
		if err != nil {
			return nil, err
		}
		h.log = log
	}
	h.mux.HandleFunc("GET /{$}", h.name)
	h.mux.HandleFunc("POST /{$}", h.echo)
	h.mux.HandleFunc("GET /slow", h.slow)
	h.mux.HandleFunc("GET /stream", h.stream)
	h.mux.HandleFunc("POST /upload", h.upload)
	h.mux.HandleFunc("GET /ws", h.session)
	h.mux.HandleFunc("GET /pid", h.pid)
	return h, nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Release", h.release)
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) name(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, h.release) }

func (h *Handler) pid(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, os.Getpid()) }

func (h *Handler) echo(w http.ResponseWriter, r *http.Request) {
	if body, ok := h.execute(w, r); ok {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}
}

func (h *Handler) upload(w http.ResponseWriter, r *http.Request) {
	if body, ok := h.execute(w, r); ok {
		fmt.Fprintln(w, len(body))
	}
}

// execute reads the body and logs it as executed. If it can't, it has answered.
func (h *Handler) execute(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, false
	}
	if h.log != nil {
		line, _, _ := strings.Cut(string(body), "\n")
		if err := h.log.append(line); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return nil, false
		}
	}
	return body, true
}

func (h *Handler) slow(w http.ResponseWriter, r *http.Request) {
	d, ok := duration(w, r, "d", 10*time.Second)
	if ok && pause(r, d) {
		h.name(w, r)
	}
}

func (h *Handler) stream(w http.ResponseWriter, r *http.Request) {
	between, ok := duration(w, r, "pause", time.Second)
	if !ok {
		return
	}
	parts := 4
	if s := r.FormValue("parts"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			http.Error(w, fmt.Sprintf("parts is %q", s), http.StatusBadRequest)
			return
		}
		parts = n
	}
	out := http.NewResponseController(w)
	for i := 1; i <= parts; i++ {
		if i > 1 && !pause(r, between) {
			return
		}
		fmt.Fprintf(w, "part %d/%d %s\n", i, parts, h.release)
		if out.Flush() != nil {
			return
		}
	}
}

// duration reads a parameter. If it doesn't parse, duration has answered.
func duration(w http.ResponseWriter, r *http.Request, name string, initial time.Duration) (time.Duration, bool) {
	s := r.FormValue(name)
	if s == "" {
		return initial, true
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		http.Error(w, fmt.Sprintf("%s is %q", name, s), http.StatusBadRequest)
		return 0, false
	}
	return d, true
}

// pause reports whether the client is still there after d.
func pause(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}
