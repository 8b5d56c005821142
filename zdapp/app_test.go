package zdapp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// runApp runs an app on a unix socket in this process and returns its path, what ends it, and what Run returned.
func runApp(t *testing.T, srv *http.Server, opts ...Option) (app *App, path string, stop func(), result chan error) {
	t.Helper()
	t.Setenv("ZDHOST_SOCKET", "")
	t.Setenv("NOTIFY_SOCKET", "")
	path = filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(t.Context())
	app = New(srv, append(opts, WithFallback("unix:"+path))...)
	result = make(chan error, 1)
	go func() { result <- app.Run(ctx) }()
	eventually(t, "the app listens", func() bool {
		c, err := net.Dial("unix", path)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return app, path, cancel, result
}

func get(t *testing.T, path string) (c net.Conn, r *http.Response, body string) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if r, err = http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return c, r, string(b)
}

func TestRunCallsTheProgramsHooksAndLeavesNothing(t *testing.T) {
	warm := make(chan os.Signal, 1) // the runtime's goroutine for signals stays
	signal.Notify(warm, syscall.SIGUSR2)
	signal.Stop(warm)
	before := runtime.NumGoroutine()
	var states, contexts atomic.Int32
	type key struct{}
	hooked := make(chan struct{})
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := FromContext(r.Context())
			fmt.Fprintf(w, "%v %d %q", r.Context().Value(key{}), a.Generation(), a.Instance())
		}),
		ConnState: func(net.Conn, http.ConnState) { states.Add(1) },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			contexts.Add(1)
			_ = c.(interface{ NetConn() net.Conn }).NetConn().(*net.UnixConn)
			return context.WithValue(ctx, key{}, "mine")
		},
	}
	app, path, stop, result := runApp(t, srv, WithDrainWindow(20*time.Millisecond), OnDrain(func(context.Context) { close(hooked) }))
	c, _, body := get(t, path)
	if body != `mine 0 ""` {
		t.Errorf("got %q", body)
	}
	if err := app.Run(t.Context()); err == nil {
		t.Error("an app ran twice")
	}
	select {
	case <-app.Draining():
		t.Error("draining before anybody asked")
	default:
	}
	stop()
	<-app.Draining()
	<-hooked
	if err := <-result; err != nil {
		t.Error(err)
	}
	if states.Load() == 0 || contexts.Load() == 0 {
		t.Error("the program's hooks were not called")
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection: %v", err)
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

func TestDeadlineCuts(t *testing.T) {
	entered, ended := make(chan struct{}), make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			close(entered)
			<-r.Context().Done()
			close(ended)
		}
	})}
	hookEnded := make(chan struct{})
	_, path, stop, result := runApp(t, srv, WithDrainWindow(10*time.Millisecond), WithDrainTimeout(100*time.Millisecond),
		OnDrain(func(ctx context.Context) { <-ctx.Done(); close(hookEnded) }))
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	stop()
	if err := <-result; !errors.Is(err, ErrCut) || !strings.Contains(err.Error(), "cannot drain: 1 ") {
		t.Errorf("got %v", err)
	}
	<-ended
	<-hookEnded
}

func TestRunSaysWhyItCannotServe(t *testing.T) {
	t.Setenv("ZDHOST_SOCKET", "")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = Run(t.Context(), &http.Server{Addr: taken.Addr().String()})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot serve on "+taken.Addr().String()) {
		t.Errorf("got %v", err)
	}
}
