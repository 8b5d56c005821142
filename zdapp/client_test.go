package zdapp

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client has one connection for life and never tries anything twice.
type client struct {
	name string
	conn net.Conn
	in   *bufio.Reader
	seq  int
}

func dial(t *testing.T, address, name string) *client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return over(c, name)
}

func over(c net.Conn, name string) *client {
	return &client{name: name, conn: c, in: bufio.NewReader(c)}
}

// next returns the next numbered request and its body.
func (c *client) next() (request, body string) {
	c.seq++
	body = fmt.Sprintf("%s/%d", c.name, c.seq)
	return fmt.Sprintf("POST /n HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", len(body), body), body
}

func (c *client) write(text string) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, err := io.WriteString(c.conn, text)
	return err
}

// answer reads a response, which must be for body, and returns the PID of the program that gave it.
func (c *client) answer(body string) (pid int, err error) {
	r, text, err := c.response()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", body, err)
	}
	if r.StatusCode != http.StatusOK || r.Close {
		return 0, fmt.Errorf("%s: %s, close %t: %s", body, r.Status, r.Close, text)
	}
	echo, _, _ := strings.Cut(text, " ")
	if _, err := fmt.Sscanf(text, echo+" %d", &pid); err != nil || echo != body {
		return 0, fmt.Errorf("%s: answered %q", body, text)
	}
	return pid, nil
}

func (c *client) response() (*http.Response, string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r, string(b), err
}

// post makes one request.
func (c *client) post() (pid int, err error) {
	request, body := c.next()
	if err := c.write(request); err != nil {
		return 0, fmt.Errorf("%s: %w", body, err)
	}
	return c.answer(body)
}

// mustPost makes one request that has to be answered by the process.
func (c *client) mustPost(t *testing.T, by *process) {
	t.Helper()
	pid, err := c.post()
	if err != nil {
		t.Fatal(err)
	}
	if by != nil && pid != by.pid() {
		t.Fatalf("%s/%d was answered by process %d, not by program %d (%d)", c.name, c.seq, pid, by.number, by.pid())
	}
}

// postUntil makes requests until the process answers. A connection moves between two requests, but the byte that
// net/http reads ahead may keep it for one more.
func (c *client) postUntil(t *testing.T, by *process) {
	t.Helper()
	for range 50 {
		pid, err := c.post()
		if err != nil {
			t.Fatal(err)
		}
		if pid == by.pid() {
			return
		}
	}
	t.Fatalf("%s was never answered by program %d", c.name, by.number)
}
