package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	maxBody       = 1 << 20
	maxHeader     = 16 << 10
	headerTimeout = 5 * time.Second
	bodyTimeout   = 10 * time.Second
	idleTimeout   = time.Minute
	writeTimeout  = 10 * time.Second
	// handlerTimeout is for writing what a mounted handler answers; streams set their own.
	handlerTimeout = time.Minute
	shutdownWindow = 2 * time.Second
)

// ServerOptions are what a server may be told besides its backend.
type ServerOptions struct {
	// GID, if not nil, is the control group: its members may speak to the host.
	GID *uint32
	// Log takes refused peers and failing streams; nil means nowhere.
	Log *slog.Logger
}

// Server answers the control API. Its methods may be called from any goroutine; Handle only before
// Serve.
type Server struct {
	backend Backend
	group   *uint32
	uid     uint32
	log     *slog.Logger
	mux     *http.ServeMux
}

// NewServer makes a server for the user that the process runs as. It starts nothing.
func NewServer(backend Backend, options ServerOptions) *Server {
	s := &Server{
		backend: backend,
		group:   options.GID,
		uid:     uint32(os.Geteuid()),
		log:     options.Log,
		mux:     http.NewServeMux(),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.route()
	return s
}

// Handle mounts a handler of someone else's behind the same check of who may speak, as
// [http.ServeMux.Handle] does. It panics if the pattern is taken.
func (s *Server) Handle(pattern string, handler http.Handler) { s.mux.Handle(pattern, handler) }

// Serve answers on the listener until ctx ends, then cuts the streams, gives other answers two
// seconds to get out, closes the listener and returns nil. Any other end is an error.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.checked(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, peerOf(conn))
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		_ = server.Close()
		return fmt.Errorf("cannot serve the control API: %w", err)
	case <-ctx.Done():
	}
	window, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWindow)
	defer cancel()
	if err := server.Shutdown(window); err != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the control API: %w", err)
	}
	return nil
}

// checked refuses peers that may not speak, and bounds every request.
func (s *Server) checked() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.Context().Value(peerKey{}).(peer)
		if !p.mayControl(s.uid, s.group) {
			s.log.Warn("control connection refused", "uid", p.actor.UID, "pid", p.actor.PID, "error", p.err)
			w.Header().Set("Connection", "close")
			writeError(w, &Error{
				Code:    Forbidden,
				Message: fmt.Sprintf("cannot speak to the host: it belongs to user %d, this is user %d", s.uid, p.actor.UID),
				Hint:    "run the command as that user or as root, or join the group that control { group = … } names",
			})
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(handlerTimeout))
		s.mux.ServeHTTP(w, r)
	})
}
