package instance

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestGet(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"good":              {"HTTP/1.1 204 No Content\r\n\r\n", ""},
		"redirect":          {"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", ""},
		"not found":         {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "GET /healthz answered 404 Not Found"},
		"unavailable":       {"HTTP/1.0 503 Service Unavailable\r\n\r\nnot yet", "GET /healthz answered 503 Service Unavailable"},
		"body never ends":   {"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx", ""},
		"no HTTP":           {"220 smtp ready\r\n", "cannot read the answer to GET /healthz: malformed HTTP"},
		"closed":            {"", "cannot read the answer to GET /healthz: unexpected EOF"},
		"a header too many": {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<10), "cannot read the answer"},
	} {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			r, err := http.ReadRequest(bufio.NewReader(theirs))
			if err != nil || r.URL.Path != "/healthz" || r.Host == "" {
				return
			}
			_, _ = io.WriteString(theirs, c.answer)
		}()
		err := get(t.Context(), ours, "/healthz")
		_ = ours.Close()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := get(ctx, ours, "/"); err == nil {
		t.Error("who never reads was asked")
	}
}
