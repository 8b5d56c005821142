package handlers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, c *Config) (*Handler, string) {
	t.Helper()
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return h, s.URL
}

func ask(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get("X-Release"); got != "v1" {
		t.Errorf("%s %s: X-Release is %q", method, url, got)
	}
	return response.StatusCode, string(text)
}

func TestAnswers(t *testing.T) {
	log := filepath.Join(t.TempDir(), "executions")
	_, url := serve(t, &Config{Release: "v1", ExecutionLog: log})
	for _, tt := range []struct {
		method, path, body string
		status             int
		answer             string // "": not looked at
	}{
		{"GET", "/", "", 200, "v1\n"},
		{"POST", "/", "a 1\npadding", 200, "a 1\npadding"},
		{"POST", "/upload", "a 2\npadding", 200, "11\n"},
		{"GET", "/slow?d=1ms", "", 200, "v1\n"},
		{"GET", "/slow?d=long", "", 400, ""},
		{"GET", "/stream?parts=3&pause=1ms", "", 200, "part 1/3 v1\npart 2/3 v1\npart 3/3 v1\n"},
		{"GET", "/stream?parts=0", "", 400, ""},
		{"GET", "/stream?pause=x", "", 400, ""},
		{"GET", "/pid", "", 200, strconv.Itoa(os.Getpid()) + "\n"},
		{"GET", "/ws", "", 400, ""},
		{"GET", "/nowhere", "", 404, ""},
		{"POST", "/", strings.Repeat("x", maxBody+1), 400, ""},
	} {
		status, answer := ask(t, tt.method, url+tt.path, tt.body)
		if status != tt.status || tt.answer != "" && answer != tt.answer {
			t.Errorf("%s %s: got %d %.60q, want %d %q", tt.method, tt.path, status, answer, tt.status, tt.answer)
		}
	}
	text, err := os.ReadFile(log)
	if want := "a 1\na 2\n"; err != nil || string(text) != want {
		t.Errorf("execution log is %q, %v; want %q", text, err, want)
	}
}

// TestStreamFlows: parts arrive as they are made, not at the end.
func TestStreamFlows(t *testing.T) {
	_, url := serve(t, &Config{Release: "v1"})
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/stream?parts=2&pause=1h", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len("part 1/2 v1\n"))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "part 1/2 v1\n" {
		t.Errorf("got %q, %v", first, err)
	}
}

// TestUnloggedIsNotExecuted: what can't be logged isn't acknowledged.
func TestUnloggedIsNotExecuted(t *testing.T) {
	h, url := serve(t, &Config{Release: "v1", ExecutionLog: filepath.Join(t.TempDir(), "executions")})
	h.log.file.Close()
	if status, _ := ask(t, "POST", url, "a 1\n"); status != 500 {
		t.Errorf("status is %d, want 500", status)
	}
	if _, err := New(&Config{ExecutionLog: t.TempDir()}); err == nil {
		t.Error("a directory was taken for a log")
	}
}

// TestSlowEndsWithItsClient: a client that has gone doesn't hold the server.
func TestSlowEndsWithItsClient(t *testing.T) {
	_, url := serve(t, &Config{Release: "v1"})
	client := &http.Client{Timeout: 50 * time.Millisecond}
	if _, err := client.Get(url + "/slow?d=1h"); err == nil {
		t.Error("answered too early")
	}
	// The server's Close in Cleanup waits for the handler.
}
