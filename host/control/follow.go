package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Upgrade begins a rollout and follows it to its end, across hosts: if the host goes away, the next
// one is asked to watch the same rollout, for up to thirty seconds. emit is called on this
// goroutine. The end of ctx ends the call and not the rollout.
func (c *Client) Upgrade(ctx context.Context, request UpgradeRequest, emit Emit) (Outcome, error) {
	return c.follow(ctx, http.MethodPost, request.Service, "upgrade", request, emit)
}

// Rollback is as [Client.Upgrade].
func (c *Client) Rollback(ctx context.Context, request RollbackRequest, emit Emit) (Outcome, error) {
	return c.follow(ctx, http.MethodPost, request.Service, "rollback", request, emit)
}

// Restart is as [Client.Upgrade].
func (c *Client) Restart(ctx context.Context, request RestartRequest, emit Emit) (Outcome, error) {
	return c.follow(ctx, http.MethodPost, request.Service, "restart", request, emit)
}

// Watch follows a rollout that runs, or returns the outcome of one that has ended.
func (c *Client) Watch(ctx context.Context, request WatchRequest, emit Emit) (Outcome, error) {
	return c.follow(ctx, http.MethodGet, request.Service, watchPath(request.Rollout), nil, emit)
}

func watchPath(rollout string) string {
	if rollout == "" {
		return "rollout"
	}
	return "rollout?rollout=" + url.QueryEscape(rollout)
}

func (c *Client) follow(ctx context.Context, method, service, rest string, request any, emit Emit) (Outcome, error) {
	rollout := ""
	seen := func(event RolloutEvent) {
		rollout = event.Rollout
		emit(event)
	}
	outcome, err := c.streamRollout(ctx, method, servicePath(service, rest, nil), request, seen)
	for deadline := time.Now().Add(hostReturn); retriable(err) && rollout != "" && time.Now().Before(deadline); {
		if pause(ctx, retryEvery) != nil {
			return outcome, ctx.Err()
		}
		before := rollout
		outcome, err = c.streamRollout(ctx, http.MethodGet, servicePath(service, watchPath(before), nil), nil,
			func(event RolloutEvent) {
				deadline = time.Now().Add(hostReturn)
				seen(event)
			})
	}
	return outcome, err
}

// retriable reports whether the next host may know more.
func retriable(err error) bool {
	return HasCode(err, BrokenOff) || HasCode(err, NoHost) || HasCode(err, Unavailable)
}

func (c *Client) streamRollout(ctx context.Context, method, path string, request any, emit Emit) (Outcome, error) {
	last, err := c.stream(ctx, method, path, request, func(line streamLine) error {
		if line.Event != nil {
			emit(*line.Event)
		}
		return nil
	})
	if err != nil || last.Outcome == nil {
		return Outcome{}, err
	}
	return *last.Outcome, nil
}

// Logs hands out log lines until there are no more, or, with Follow, until ctx ends. While it
// follows, a host that goes away is waited for and asked for what came after the last line. An
// error of emit ends the call and is returned.
func (c *Client) Logs(ctx context.Context, query LogQuery, emit func(LogLine) error) error {
	deadline := time.Now().Add(hostReturn)
	for begun := false; ; {
		err := c.streamLogs(ctx, query, func(line LogLine) error {
			begun, deadline = true, time.Now().Add(hostReturn)
			query.Since, query.Tail = line.Time.Add(1), 0
			return emit(line)
		})
		if !begun || !query.Follow || !retriable(err) || time.Now().After(deadline) {
			return err
		}
		if pause(ctx, retryEvery) != nil {
			return ctx.Err()
		}
	}
}

func (c *Client) streamLogs(ctx context.Context, query LogQuery, emit func(LogLine) error) error {
	values := url.Values{"instance": {query.Instance}, "tail": count(query.Tail)}
	if query.Follow {
		values.Set("follow", "true")
	}
	if !query.Since.IsZero() {
		values.Set("since", query.Since.Format(time.RFC3339Nano))
	}
	_, err := c.stream(ctx, http.MethodGet, servicePath(query.Service, "logs", values), nil, func(line streamLine) error {
		if line.Line == nil {
			return nil
		}
		return emit(*line.Line)
	})
	return err
}

// stream reads a stream to its last line and returns that. Lines of kinds that it doesn't know are
// left to the taker to pass over. An error line is returned as the error.
func (c *Client) stream(ctx context.Context, method, path string, request any, take func(streamLine) error) (streamLine, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // frees the connection when take fails
	response, err := c.ask(ctx, method, path, request)
	if err != nil {
		return streamLine{}, err
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	for {
		var line streamLine
		if err := decoder.Decode(&line); err != nil {
			return streamLine{}, c.brokenOff(ctx, err)
		}
		if line.Error != nil {
			return line, line.Error
		}
		if line.last() {
			return line, nil
		}
		if err := take(line); err != nil {
			return streamLine{}, err
		}
	}
}
