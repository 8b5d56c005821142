package load

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadResponse(t *testing.T) {
	for _, tt := range []struct {
		name, raw string
		release   string
		body      string
		last      bool
	}{
		{"length", "HTTP/1.1 200 OK\r\nx-release: v1\r\nContent-Length: 3\r\n\r\nabc", "v1", "abc", false},
		{"chunks and trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nSum: 1\r\n\r\n", "abc", "abc", false},
		{"until close", "HTTP/1.1 200 OK\r\n\r\nv2\nmore", "v2", "v2\nmore", true},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nv1\n", "v1", "v1\n", true},
		{"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nv1\n", "v1", "v1\n", false},
		{"announced close", "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", "", "", true},
		{"after an interim response", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", "x", false},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", "", "", false},
		{"a page has no release", "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<!DOCTYPE HTML>", "", "<!DOCTYPE HTML>", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := bufio.NewReader(iotest.OneByteReader(strings.NewReader(tt.raw + "HTTP")))
			if tt.last && tt.name == "until close" {
				in = bufio.NewReader(strings.NewReader(tt.raw))
			}
			r, err := readResponse(in)
			if err != nil {
				t.Fatal(err)
			}
			if r.by() != tt.release || r.body != tt.body || r.last != tt.last {
				t.Errorf("release %q, body %q, last %v; want %q, %q, %v", r.by(), r.body, r.last, tt.release, tt.body, tt.last)
			}
			if rest, _ := in.Peek(4); tt.name != "until close" && string(rest) != "HTTP" {
				t.Errorf("what follows the response is %q: it was read too far or too short", rest)
			}
		})
	}
}

// TestEveryCut cuts a response after each byte: nothing is eof-before-response, everything else short.
func TestEveryCut(t *testing.T) {
	for _, raw := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		for cut := range len(raw) {
			want := KindShort
			if cut == 0 {
				want = KindEOF
			}
			_, err := readResponse(bufio.NewReader(strings.NewReader(raw[:cut])))
			var f *fault
			if !errors.As(err, &f) || f.kind != want {
				t.Errorf("%q is %v, want %s", raw[:cut], err, want)
			}
		}
	}
}

func TestNotAResponse(t *testing.T) {
	for _, raw := range []string{
		"\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", strings.Repeat("x", 5000) + "\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		_, err := readResponse(bufio.NewReader(strings.NewReader(raw)))
		var f *fault
		if !errors.As(err, &f) || f.kind != KindMismatch {
			t.Errorf("%.30q is %v, want a mismatch", raw, err)
		}
	}
}
