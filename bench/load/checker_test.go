package load_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/zdhost/zdhost/bench/load"
)

// executing is a server that appends to a log what it is asked, times times, and answers.
func executing(t *testing.T, path string, times func(line string) int) string {
	t.Helper()
	log, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return rawServer(t, func(c *net.TCPConn, in *bufio.Reader) {
		for {
			body := request(in)
			if body == "" {
				return
			}
			line, _, _ := strings.Cut(body, "\n")
			for range times(line) {
				log.WriteString(line + "\n")
			}
			echo(c, body)
		}
	})
}

func TestChecker(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name  string
		times func(line string) int
		extra string // appended to the log
		good  bool
		want  load.Verdict
	}{
		{"each once", func(string) int { return 1 }, "", true, load.Verdict{Sent: 40, Acknowledged: 40, Executed: 40}},
		{"one twice", func(line string) int {
			if line == "c-1 3" {
				return 2
			}
			return 1
		}, "", false, load.Verdict{Sent: 40, Acknowledged: 40, Executed: 40, Twice: 1}},
		{"one acknowledged and lost", func(line string) int {
			if line == "c-1 3" {
				return 0
			}
			return 1
		}, "", false, load.Verdict{Sent: 40, Acknowledged: 40, Executed: 39, Missing: 1}},
		{"one that nobody sent", func(string) int { return 1 }, "c-1 9999\n", false, load.Verdict{Sent: 40, Acknowledged: 40, Executed: 40, Strange: 1}},
		{"a foreign line", func(string) int { return 1 }, "ET /\n", false, load.Verdict{Sent: 40, Acknowledged: 40, Executed: 40, Strange: 1}},
		{"a torn line", func(string) int { return 1 }, "c-1 1", false, load.Verdict{Sent: 40, Acknowledged: 40, Executed: 40, Strange: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "executions")
			checker := load.NewChecker(path)
			r := run(t, load.Options{Address: executing(t, path, tt.times), Mode: load.Kept, Name: "c", Clients: 1, Exchanges: 40,
				Checker: checker})
			if r.OK != 40 {
				t.Fatalf("got %v", r)
			}
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			f.WriteString(tt.extra)
			f.Close()
			v, err := checker.Verify(cancelled)
			if err != nil {
				t.Fatal(err)
			}
			if (v.Err() == nil) != tt.good {
				t.Errorf("Err is %v", v.Err())
			}
			if !tt.good && len(v.Examples) != 1 {
				t.Errorf("examples are %q, want one", v.Examples)
			}
			v.Examples = nil
			if !reflect.DeepEqual(v, tt.want) {
				t.Errorf("got %+v\nwant %+v", v, tt.want)
			}
		})
	}
}

// TestExecutedUnanswered: a request that was executed and not answered is a failure for the client, but not for
// the checker.
func TestExecutedUnanswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "executions")
	address := rawServer(t, func(_ *net.TCPConn, in *bufio.Reader) {
		os.WriteFile(path, []byte(request(in)), 0o600)
	})
	checker := load.NewChecker(path)
	if r := run(t, load.Options{Address: address, Mode: load.Kept, Clients: 1, Exchanges: 1, Checker: checker}); r.Failed != 1 {
		t.Fatalf("got %v", r)
	}
	v, err := checker.Verify(t.Context())
	if err != nil || v.Err() != nil || v.ExecutedUnanswered != 1 || v.Acknowledged != 0 {
		t.Errorf("got %+v, %v", v, err)
	}
}

// TestVerifyWaits: a server may log after it answers.
func TestVerifyWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "executions")
	address := rawServer(t, func(c *net.TCPConn, in *bufio.Reader) { echo(c, request(in)) })
	checker := load.NewChecker(path)
	run(t, load.Options{Address: address, Mode: load.Kept, Name: "c", Clients: 1, Exchanges: 1, Checker: checker})
	verified := make(chan load.Verdict, 1)
	go func() {
		v, _ := checker.Verify(t.Context())
		verified <- v
	}()
	if err := os.WriteFile(path, []byte("c-1 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := <-verified; v.Err() != nil {
		t.Error(v.Err())
	}
}
