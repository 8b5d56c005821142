package load_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// rawServer runs serve for each connection and closes it afterwards. It returns the address.
func rawServer(t *testing.T, serve func(conn *net.TCPConn, in *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c.(*net.TCPConn), bufio.NewReader(c))
			}()
		}
	}()
	return l.Addr().String()
}

// request reads one request and returns its body.
func request(in *bufio.Reader) string {
	r, err := http.ReadRequest(in)
	if err != nil {
		return ""
	}
	body, _ := io.ReadAll(r.Body)
	return string(body)
}

// echo answers a POST well.
func echo(c net.Conn, body string) {
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-Release: v1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// unusedAddress is an address on which nobody listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs a load that is limited by its exchanges.
func run(t *testing.T, o load.Options) load.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := load.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("the run did not end by itself: %v", r)
	}
	if r.Requests != r.OK+r.Failed-r.Unasked {
		t.Errorf("the counts don't add up: %d requests, %d OK, %d failed, %d unasked", r.Requests, r.OK, r.Failed, r.Unasked)
	}
	return r
}

// TestMisbehaviour is the generator's negative control: each way to fail a client is reported, as exactly what it is.
func TestMisbehaviour(t *testing.T) {
	type serve = func(c *net.TCPConn, in *bufio.Reader)
	answer := func(raw string) serve {
		return func(c *net.TCPConn, in *bufio.Reader) {
			request(in)
			io.WriteString(c, raw)
		}
	}
	hang := func(c *net.TCPConn, in *bufio.Reader) {
		request(in)
		io.Copy(io.Discard, in)
	}
	both := []load.Mode{load.NewConn, load.Kept}
	for _, tt := range []struct {
		name  string
		modes []load.Mode
		want  load.Kind
		serve serve
	}{
		{"resets after the request", append(both, load.Pipelined, load.HalfRequest, load.SlowBody, load.Stream, load.WebSocket), load.KindReset,
			func(c *net.TCPConn, in *bufio.Reader) {
				request(in)
				c.SetLinger(0)
			}},
		{"closes after the request", append(both, load.HalfRequest, load.SlowBody, load.Stream, load.WebSocket), load.KindEOF,
			answer("")},
		{"closes after half a request", []load.Mode{load.HalfRequest}, load.KindEOF,
			func(_ *net.TCPConn, in *bufio.Reader) { in.ReadByte() }},
		{"answers half a request", []load.Mode{load.HalfRequest}, load.KindMismatch,
			func(c *net.TCPConn, in *bufio.Reader) {
				in.ReadByte()
				io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
				io.Copy(io.Discard, in)
			}},
		{"closes inside the header", append(both, load.HalfRequest), load.KindShort, answer("HTTP/1.1 200 OK\r\nX-Rel")},
		{"closes inside the body", append(both, load.HalfRequest), load.KindShort, answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nv1")},
		{"closes inside the chunks", append(both, load.HalfRequest), load.KindShort, answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nv1\n\r\n")},
		{"closes inside the stream", []load.Mode{load.Stream}, load.KindShort,
			answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\npart 1/4 v1\n\r\n")},
		{"hangs", append(both, load.Pipelined, load.HalfRequest, load.SlowBody, load.Stream, load.WebSocket), load.KindTimeout, hang},
		{"hangs inside the body", append(both, load.HalfRequest), load.KindTimeout, func(c *net.TCPConn, in *bufio.Reader) {
			request(in)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nv1")
			io.Copy(io.Discard, in)
		}},
		{"answers 503", append(both, load.HalfRequest, load.Stream, load.WebSocket), load.KindStatus,
			answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")},
		{"speaks no HTTP", append(both, load.Stream), load.KindMismatch, answer("220 mail.example.org ESMTP\r\n")},
		{"answers another request", []load.Mode{load.Kept, load.HalfRequest}, load.KindMismatch,
			answer("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nother 1\n")},
		{"changes the release inside the stream", []load.Mode{load.Stream}, load.KindMismatch,
			answer("HTTP/1.1 200 OK\r\nX-Release: v1\r\nContent-Length: 48\r\n\r\npart 1/4 v1\npart 2/4 v1\npart 3/4 v2\npart 4/4 v2\n")},
		{"leaves out a part of the stream", []load.Mode{load.Stream}, load.KindMismatch,
			answer("HTTP/1.1 200 OK\r\nX-Release: v1\r\nContent-Length: 36\r\n\r\npart 1/4 v1\npart 2/4 v1\npart 4/4 v1\n")},
		{"doesn't know WebSockets", []load.Mode{load.WebSocket}, load.KindStatus,
			answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
		{"shakes hands wrongly", []load.Mode{load.WebSocket}, load.KindMismatch,
			answer("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: AAAA\r\n\r\n")},
	} {
		for _, mode := range tt.modes {
			t.Run(tt.name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				r := run(t, load.Options{Address: rawServer(t, tt.serve), Mode: mode, Clients: 2, Exchanges: 4,
					Timeout: 300 * time.Millisecond, Hold: 20 * time.Millisecond})
				want := 4
				if mode == load.Pipelined {
					want = 8
				}
				if r.Failed != want || r.ByKind[tt.want] != want || r.OK != 0 {
					t.Errorf("got %v, want %d failures of kind %s\n%v", r, want, tt.want, r.Failures)
				}
				if tt.want == load.KindTimeout && r.Hung != want {
					t.Errorf("Hung is %d, want %d", r.Hung, want)
				}
			})
		}
	}
}

func TestNobodyListens(t *testing.T) {
	r := run(t, load.Options{Address: unusedAddress(t), Mode: load.Kept, Clients: 2, Exchanges: 4})
	if r.ByKind[load.KindConnect] != 4 || r.Opened != 0 {
		t.Errorf("got %v, want 4 failures to connect", r)
	}
}

// TestAnsweredTwice covers the three moments at which a second answer to one request can arrive.
func TestAnsweredTwice(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		for _, mode := range []load.Mode{load.Kept, load.NewConn, load.HalfRequest, load.SlowBody} {
			address := rawServer(t, func(c *net.TCPConn, in *bufio.Reader) {
				body := request(in)
				one := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				io.WriteString(c, one+one)
			})
			r := run(t, load.Options{Address: address, Mode: mode, Clients: 1, Exchanges: 1, Hold: time.Millisecond})
			if r.OK != 1 || r.Duplicated != 1 || r.Unasked != 1 {
				t.Errorf("%s: got %v, want one answer and one duplicate", mode, r)
			}
		}
	})
	t.Run("between two requests", func(t *testing.T) {
		answered := make(chan struct{})
		again := make(chan struct{})
		address := rawServer(t, func(c *net.TCPConn, in *bufio.Reader) {
			body := request(in)
			echo(c, body)
			<-answered
			echo(c, body)
			close(again)
			io.Copy(io.Discard, in)
		})
		r := run(t, load.Options{Address: address, Mode: load.Kept, Clients: 1, Exchanges: 1,
			OnOutcome: func(o load.Outcome) {
				if o.Failure == nil {
					close(answered)
					<-again
				}
			}})
		if r.OK != 1 || r.Duplicated != 1 || r.Unasked != 1 {
			t.Errorf("got %v, want one answer and one duplicate", r)
		}
	})
	t.Run("instead of the next answer", func(t *testing.T) {
		for _, mode := range []load.Mode{load.Kept, load.HalfRequest} {
			address := rawServer(t, func(c *net.TCPConn, in *bufio.Reader) {
				body := request(in)
				echo(c, body)
				request(in)
				echo(c, body)
			})
			r := run(t, load.Options{Address: address, Mode: mode, Clients: 1, Exchanges: 2, Hold: time.Millisecond})
			if r.OK != 1 || r.Duplicated != 1 || r.Unasked != 0 {
				t.Errorf("%s: got %v, want one answer and one duplicate", mode, r)
			}
		}
	})
}

// TestClosedWhileIdle: that a server closes an idle connection is no failure for a client that looks first, and one
// for a client that doesn't.
func TestClosedWhileIdle(t *testing.T) {
	for _, blind := range []bool{false, true} {
		t.Run(fmt.Sprintf("blind=%v", blind), func(t *testing.T) {
			gone := make(chan struct{}, 8)
			address := rawServer(t, func(c *net.TCPConn, in *bufio.Reader) {
				echo(c, request(in))
				c.Close()
				gone <- struct{}{}
			})
			r := run(t, load.Options{Address: address, Mode: load.Kept, Clients: 1, Exchanges: 4, Blind: blind,
				OnOutcome: func(o load.Outcome) {
					if o.Failure == nil {
						<-gone
					}
				}})
			if !blind && (r.Failed != 0 || r.Opened != 4 || r.ClosedByServer != 4 || r.Announced != 0) {
				t.Errorf("got %v, want 4 connections closed by the server and no failure", r)
			}
			if blind && r.Failed != 2 {
				t.Errorf("got %v, want every second request to fail", r)
			}
		})
	}
}

func TestAnnouncedClose(t *testing.T) {
	address := rawServer(t, func(c *net.TCPConn, in *bufio.Reader) {
		body := request(in)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	r := run(t, load.Options{Address: address, Mode: load.Kept, Clients: 1, Exchanges: 3})
	if r.Failed != 0 || r.ClosedByServer != 3 || r.Announced != 3 {
		t.Errorf("kept: got %v, want 3 announced closes", r)
	}
	r = run(t, load.Options{Address: address, Mode: load.Pipelined, Clients: 1, Exchanges: 1})
	if r.OK != 1 || r.ByKind[load.KindEOF]+r.ByKind[load.KindReset] != 1 {
		t.Errorf("pipelined: got %v, want the second request unanswered", r)
	}
	if len(r.Failures) == 1 && !strings.Contains(r.Failures[0].Detail, "after Connection: close") {
		t.Errorf("the failure doesn't tell that the server had said so: %v", r.Failures)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	r := run(t, load.Options{Address: unusedAddress(t), Mode: load.NewConn, Clients: 4, Exchanges: 40, KeepFailures: 5,
		Pause: time.Millisecond})
	if r.Failed != 40 || len(r.Failures) != 5 {
		t.Errorf("kept %d failures of %d, want 5 of 40", len(r.Failures), r.Failed)
	}
	if !slices.IsSortedFunc(r.Failures, func(a, b load.Failure) int { return a.When.Compare(b.When) }) {
		t.Errorf("failures are out of order: %v", r.Failures)
	}
}
