package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

const (
	// hostPause is how long a client waits for a host that its keeper is starting again.
	hostPause = 3 * time.Second
	// hostReturn is how long a client that follows a rollout waits for the next host.
	hostReturn = 30 * time.Second
	retryEvery = 50 * time.Millisecond
	// answerTimeout is for calls whose answer is at hand.
	answerTimeout = 30 * time.Second
)

// Client speaks to the host of one state directory. It may be used from any goroutine, and
// outlives the host: every call connects anew if it must.
type Client struct {
	stateDir string
	http     *http.Client
}

// Dial returns a client once a host has answered a connection. It waits up to three seconds for a
// host that has left its socket behind (a keeper starts it again); where there is no socket at all
// the error, with code [NoHost], comes at once.
func Dial(ctx context.Context, stateDir string) (*Client, error) {
	c := &Client{stateDir: stateDir}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return c.connect(ctx) },
		MaxIdleConns:           4,
		IdleConnTimeout:        idleTimeout / 2,
		MaxResponseHeaderBytes: maxHeader,
	}}
	ctx, cancel := context.WithTimeout(ctx, hostPause)
	defer cancel()
	conn, err := c.connectPatiently(ctx)
	if err != nil {
		return nil, c.noHost(err)
	}
	_ = conn.Close()
	return c, nil
}

// Close lets go of idle connections. Calls in flight are not touched.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) connect(ctx context.Context) (net.Conn, error) {
	path, err := SocketPath(c.stateDir)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", path)
}

// connectPatiently tries again while the socket is there and nobody listens on it.
func (c *Client) connectPatiently(ctx context.Context) (net.Conn, error) {
	for {
		conn, err := c.connect(ctx)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return conn, err
		}
		if pause(ctx, retryEvery) != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// noHost says why nobody answered.
func (c *Client) noHost(cause error) error {
	var unreachable *net.OpError
	switch {
	case errors.Is(cause, fs.ErrPermission):
		return &Error{
			Code:    Forbidden,
			Message: fmt.Sprintf("cannot speak to the host of %s: permission denied", c.stateDir),
			Hint:    "run the command as the host's user or as root, or join the group that control { group = … } names",
		}
	case errors.As(cause, &unreachable), errors.Is(cause, fs.ErrNotExist):
		return &Error{
			Code:    NoHost,
			Message: fmt.Sprintf("cannot speak to the host of %s: no host answers", c.stateDir),
			Hint:    "start one with zdhost run, or name another with --state-dir",
		}
	}
	return &Error{Code: NoHost, Message: fmt.Sprintf("cannot speak to the host of %s: %v", c.stateDir, cause)}
}

// Status returns what runs.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// History returns rollouts, newest first.
func (c *Client) History(ctx context.Context, query HistoryQuery) ([]HistoryEntry, error) {
	path := servicePath(query.Service, "history", url.Values{"limit": count(query.Limit)})
	return call[[]HistoryEntry](ctx, c, http.MethodGet, path, nil)
}

// Reload has the host take its configuration now.
func (c *Client) Reload(ctx context.Context, request ReloadRequest) (ReloadResult, error) {
	return call[ReloadResult](ctx, c, http.MethodPost, "/v1/reload", request)
}

// Tell steers the running rollout.
func (c *Client) Tell(ctx context.Context, request RolloutRequest) (RolloutStatus, error) {
	path := servicePath(request.Service, "rollout/"+url.PathEscape(request.Verb), nil)
	return call[RolloutStatus](ctx, c, http.MethodPost, path, request)
}

// Stop has the host drain and stop everything. It returns when that has begun.
func (c *Client) Stop(ctx context.Context, request StopRequest) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, "/v1/stop", request)
	return err
}

// call asks for one answer.
func call[T any](ctx context.Context, c *Client, method, path string, request any) (T, error) {
	var value T
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	response, err := c.ask(ctx, method, path, request)
	if err != nil {
		return value, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&value); err != nil {
		return value, c.brokenOff(ctx, err)
	}
	return value, nil
}

// ask sends a request and returns an answer that is no error. The caller closes its body.
func (c *Client) ask(ctx context.Context, method, path string, request any) (*http.Response, error) {
	var body io.Reader
	if request != nil {
		encoded, err := json.Marshal(request)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://zdhost"+path, body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, c.notAnswered(ctx, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, answeredError(response)
	}
	return response, nil
}

// notAnswered tells a host that was never reached from one that went away with the request.
func (c *Client) notAnswered(ctx context.Context, err error) error {
	var op *net.OpError
	if ctx.Err() == nil && errors.As(err, &op) && op.Op == "dial" {
		return c.noHost(err)
	}
	return c.brokenOff(ctx, err)
}

func (c *Client) brokenOff(ctx context.Context, cause error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Error{Code: TimedOut, Message: "cannot speak to the host: it did not answer in time"}
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &Error{
		Code:    BrokenOff,
		Message: fmt.Sprintf("cannot read the host's answer: it broke off (%v); what was asked may have begun", cause),
		Hint:    "zdhost status shows what runs",
	}
}

func answeredError(response *http.Response) error {
	var line streamLine
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, &line)
	}
	if err != nil || line.Error == nil {
		return &Error{Code: Failed, Message: "cannot understand the host's answer: " + response.Status}
	}
	return line.Error
}

func servicePath(service, rest string, query url.Values) string {
	path := "/v1/services/" + url.PathEscape(service) + "/" + rest
	for name, values := range query {
		if len(values) == 0 || values[0] == "" {
			delete(query, name)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

func count(n int) []string {
	if n == 0 {
		return nil
	}
	return []string{strconv.Itoa(n)}
}
