package zdapp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary plays the programs: a test starts it again with this variable set.
const roleVariable = "ZDAPP_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("LISTEN_FDS") != "" { // a launcher would have done this
		_ = os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err := program(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// program is a server whose answers name its process.
func program() error {
	executed, err := os.OpenFile(os.Getenv("ZDAPP_TEST_LOG"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer executed.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/n", func(w http.ResponseWriter, r *http.Request) { number(w, r, executed) })
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/hijack", hijack)
	srv := &http.Server{
		Handler:           mux,
		Addr:              os.Getenv("ZDAPP_TEST_ADDRESS"),
		ReadHeaderTimeout: duration("ZDAPP_TEST_HEADER_TIMEOUT"),
		IdleTimeout:       duration("ZDAPP_TEST_IDLE_TIMEOUT"),
	}
	if os.Getenv("ZDAPP_TEST_TLS") != "" {
		cert, err := tls.X509KeyPair([]byte(os.Getenv("ZDAPP_TEST_CERT")), []byte(os.Getenv("ZDAPP_TEST_KEY")))
		if err != nil {
			return err
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	if os.Getenv("ZDAPP_TEST_H2C") != "" {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	var opts []Option
	if d := duration("ZDAPP_TEST_WINDOW"); d > 0 {
		opts = append(opts, WithDrainWindow(d))
	}
	if d := duration("ZDAPP_TEST_TIMEOUT"); d > 0 {
		opts = append(opts, WithDrainTimeout(d))
	}
	app := New(srv, opts...)
	if os.Getenv("ZDAPP_TEST_RULE") == "idle-hook" { // the prototype's rule, which is wrong
		app.rule = func(s *stillness, _, _ int) bool { return s.state == http.StateIdle || s.unspoken() }
	}
	return app.Run(context.Background())
}

// number executes one numbered request.
func number(w http.ResponseWriter, r *http.Request, executed *os.File) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, fmt.Sprintf("%s: %v", r.Method, err), http.StatusBadRequest)
		return
	}
	if _, err := executed.WriteString(string(body) + "\n"); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%s %d", body, os.Getpid())
}

// stream answers in chunks for as long as the client wants.
func stream(w http.ResponseWriter, r *http.Request) {
	chunks, _ := strconv.Atoi(r.URL.Query().Get("chunks"))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range chunks {
		fmt.Fprintf(w, "chunk %d of %d\n", i, os.Getpid())
		_ = http.NewResponseController(w).Flush()
		<-tick.C
	}
}

// hijack echoes what the client says until it has nothing more to say.
func hijack(w http.ResponseWriter, _ *http.Request) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(c, rw)
}

func duration(variable string) time.Duration {
	d, _ := time.ParseDuration(os.Getenv(variable))
	return d
}

// eventually fails the test if condition doesn't come true in time.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(10 * time.Second); !condition(); {
		select {
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// duplicates returns the lines that the programs executed more than once, and how many lines there are.
func duplicates(t *testing.T, path string) (twice []string, lines int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0
	}
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(string(b)) {
		if seen[line] {
			twice = append(twice, strings.TrimSpace(line))
		}
		seen[line] = true
		lines++
	}
	return twice, lines
}
