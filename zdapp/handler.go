package zdapp

import (
	"context"
	"net"
	"net/http"
	"time"
)

// visitKey finds the visit in a request's context.
type visitKey struct{}

// visit is where a request came in.
type visit struct {
	app  *App
	conn *conn
}

// FromContext returns the App that serves a request, given the request's context; nil if there is none.
func FromContext(ctx context.Context) *App {
	v, _ := ctx.Value(visitKey{}).(visit)
	return v.app
}

// handler counts requests and tells clients that their connection ends. It passes the ResponseWriter on as it is.
type handler struct {
	next  http.Handler
	fleet *fleet
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := &h.fleet.tally
	t.requests.Add(1)
	begun := time.Now()
	v, _ := r.Context().Value(visitKey{}).(visit)
	defer func() {
		t.completed.Add(1)
		if v.conn == nil || !v.conn.hijacked() {
			t.observe(time.Since(begun))
		}
	}()
	if v.conn != nil && v.conn.serve(r.ProtoMajor == 2) {
		w.Header().Set("Connection", "close")
	}
	h.next.ServeHTTP(w, r)
}

// install puts the program's server under the app's care. What the program set itself is called as before.
func (a *App) install(f *fleet) {
	srv := a.server
	next, state, connContext := srv.Handler, srv.ConnState, srv.ConnContext
	if next == nil {
		next = http.DefaultServeMux
	}
	srv.Handler = &handler{next: next, fleet: f}
	srv.ConnState = func(nc net.Conn, s http.ConnState) {
		if c := underneath(nc); c != nil {
			c.enter(s, nc)
		}
		if state != nil {
			state(nc, s)
		}
	}
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		ctx = context.WithValue(ctx, visitKey{}, visit{a, underneath(nc)})
		if connContext != nil {
			ctx = connContext(ctx, nc)
		}
		return ctx
	}
}

// underneath finds our connection under what net/http speaks through.
func underneath(nc net.Conn) *conn {
	for nc != nil {
		if c, ok := nc.(*conn); ok {
			return c
		}
		over, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = over.NetConn()
	}
	return nil
}
