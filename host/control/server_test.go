package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// raw sends one request as curl would.
func raw(t *testing.T, stateDir, method, path, body string) (int, string) {
	t.Helper()
	socket, err := SocketPath(stateDir)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(deadline(t), method, "http://zdhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func TestStatusHasTheContractsKeysAndNoNullLists(t *testing.T) {
	dir := stateDir(t)
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	start(t, dir, &fakeBackend{status: Status{
		Host:      Host{PID: 1, KeeperPID: 2, Version: "1.2.3", Started: started},
		Listeners: []Listener{{Name: "web", Address: "127.0.0.1:8080", Lanes: []Lane{{Generation: 12, Weight: 100, QueueMax: 4096}}}},
		Services: []Service{{
			Name: "shop", State: ServiceRolling, Release: "sha256:ab", Revision: 7, Generation: 12,
			Instances: []Instance{{ID: "12-1", PID: 3, Generation: 12, Release: "sha256:ab", State: InstanceReady, Since: started}},
			Rollout:   &RolloutStatus{ID: "r2", State: "baking", Step: "bake", From: "a", To: "b", WaitsFor: "time", Until: started},
			Last:      &LastRollout{Rollout: "r1", Ended: EndedCommitted, Lost: Known(0)},
		}, {Name: "bare"}},
	}})
	code, body := raw(t, dir, "GET", "/v1/status", "")
	want := `{"host":{"pid":1,"keeper_pid":2,"version":"1.2.3","started":"2026-01-02T03:04:05Z"},` +
		`"listeners":[{"name":"web","address":"127.0.0.1:8080","lanes":[{"generation":12,"instance":null,"weight":100,"queue":0,"queue_max":4096,"drops":0}]}],` +
		`"services":[{"name":"shop","state":"rolling","release":"sha256:ab","revision":7,"generation":12,"listeners":[],"restarts":0,` +
		`"instances":[{"id":"12-1","pid":3,"generation":12,"release":"sha256:ab","state":"ready","since":"2026-01-02T03:04:05Z"}],` +
		`"rollout":{"id":"r2","state":"baking","step":"bake","from":"a","to":"b","waits_for":"time","until":"2026-01-02T03:04:05Z"},` +
		`"last":{"rollout":"r1","ended":"committed","reason":"","lost":0}},` +
		`{"name":"bare","state":"","release":"","revision":0,"generation":0,"listeners":[],"restarts":0,"instances":[],"rollout":null,"last":null}]}` + "\n"
	if code != http.StatusOK || body != want {
		t.Errorf("status %d\ngot  %s\nwant %s", code, body, want)
	}
}

func TestEveryCallReachesTheBackendWithItsActor(t *testing.T) {
	dir := stateDir(t)
	done := func(context.Context, Emit) (Outcome, error) { return Outcome{Ended: EndedCommitted}, nil }
	backend := &fakeBackend{
		change: done,
		watch:  func(context.Context, WatchRequest, Emit) (Outcome, error) { return Outcome{Ended: EndedCommitted}, nil },
		logs:   func(context.Context, LogQuery, func(LogLine) error) error { return nil },
	}
	start(t, dir, backend)
	client, ctx := dial(t, dir), deadline(t)
	since := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	upgrade := UpgradeRequest{
		Service: "shop", Release: "/r/v2", Command: []string{"./shop"}, Dir: "/r", Strategy: "bluegreen",
		Set: map[string]string{"weight": "50"}, Plan: true, Detach: true, Reason: "why", IfBusy: IfBusyQueue,
	}
	tests := []struct {
		call func() error
		want any
	}{
		{func() error { _, err := client.Status(ctx); return err }, "status"},
		{func() error { _, err := client.Upgrade(ctx, upgrade, ignore); return err }, upgrade},
		{func() error {
			_, err := client.Rollback(ctx, RollbackRequest{Service: "shop", To: "7", Reason: "x"}, ignore)
			return err
		}, RollbackRequest{Service: "shop", To: "7", Reason: "x"}},
		{func() error {
			_, err := client.Restart(ctx, RestartRequest{Service: "shop", IfBusy: IfBusySupersede}, ignore)
			return err
		}, RestartRequest{Service: "shop", IfBusy: IfBusySupersede}},
		{func() error { _, err := client.Watch(ctx, WatchRequest{"shop", "r 1/&"}, ignore); return err }, WatchRequest{"shop", "r 1/&"}},
		{func() error { _, err := client.Watch(ctx, WatchRequest{Service: "shop"}, ignore); return err }, WatchRequest{Service: "shop"}},
		{func() error {
			_, err := client.Tell(ctx, RolloutRequest{Service: "shop", Verb: Promote, Rollout: "r1"})
			return err
		}, RolloutRequest{Service: "shop", Verb: Promote, Rollout: "r1"}},
		{func() error { _, err := client.Reload(ctx, ReloadRequest{Target: HostTarget}); return err }, ReloadRequest{Target: HostTarget}},
		{func() error { _, err := client.History(ctx, HistoryQuery{"shop", 5}); return err }, HistoryQuery{"shop", 5}},
		{func() error {
			return client.Logs(ctx, LogQuery{"shop", "12-1", since, 9, true}, func(LogLine) error { return nil })
		}, LogQuery{"shop", "12-1", since, 9, true}},
		{func() error { return client.Stop(ctx, StopRequest{Reason: "bye"}) }, StopRequest{Reason: "bye"}},
	}
	for _, test := range tests {
		if err := test.call(); err != nil {
			t.Errorf("%#v: %v", test.want, err)
			continue
		}
		actor, request := backend.last()
		if !reflect.DeepEqual(request, test.want) {
			t.Errorf("backend got %#v, want %#v", request, test.want)
		}
		if actor.PID != os.Getpid() || actor.UID != uint32(os.Getuid()) || actor.GID != uint32(os.Getgid()) {
			t.Errorf("%#v: actor %+v is not this process", test.want, actor)
		}
	}
}

func TestBadRequestsNeverReachTheBackend(t *testing.T) {
	dir := stateDir(t)
	backend := &fakeBackend{}
	start(t, dir, backend)
	tests := []struct {
		method, path, body string
		code               int
		message            string
	}{
		{"POST", "/v1/services/shop/upgrade", `{"relase":"/x"}`, 400, `unknown field "relase"`},
		{"POST", "/v1/services/shop/upgrade", `{"release":"/x"} {}`, 400, "more than one JSON value"},
		{"POST", "/v1/services/shop/upgrade", `{"release":"x"}`, 400, "absolute path"},
		{"POST", "/v1/services/shop/upgrade", `{"command":["x"],"dir":"here"}`, 400, "absolute path"},
		{"POST", "/v1/services/shop/upgrade", `{"dir":"/x"}`, 400, "with command only"},
		{"POST", "/v1/services/shop/upgrade", `{"if_busy":"wait"}`, 400, "reject, queue or supersede"},
		{"POST", "/v1/services/shop/restart", `{"if_busy":"wait"}`, 400, "reject, queue or supersede"},
		{"POST", "/v1/services/shop/upgrade", `{"reason":"` + strings.Repeat("x", maxBody) + `"}`, 400, "too large"},
		{"POST", "/v1/services/shop/upgrade", `[1]`, 400, "cannot unmarshal"},
		{"POST", "/v1/services/SHOP/upgrade", ``, 400, "can't be a service's name"},
		{"POST", "/v1/services/host/upgrade", ``, 400, "can't be a service's name"},
		{"POST", "/v1/services/shop/rollout/explode", ``, 400, `told to \"explode\"`},
		{"POST", "/v1/reload", ``, 400, "target must be"},
		{"GET", "/v1/services/shop/history?limit=-1", ``, 400, "is no count"},
		{"GET", "/v1/services/shop/history?depth=1", ``, 400, `unknown parameter \"depth\"`},
		{"GET", "/v1/services/shop/logs?since=yesterday", ``, 400, "cannot parse"},
		{"GET", "/v1/services/shop/upgrade", ``, 404, "no such call"},
		{"GET", "/v2/status", ``, 404, "no such call"},
	}
	for _, test := range tests {
		code, body := raw(t, dir, test.method, test.path, test.body)
		if code != test.code || !strings.Contains(body, strings.ReplaceAll(test.message, `"relase"`, `\"relase\"`)) {
			t.Errorf("%s %s %.40s: %d %s, want %d with %q", test.method, test.path, test.body, code, body, test.code, test.message)
		}
		var line streamLine
		if err := json.Unmarshal([]byte(body), &line); err != nil || line.Error == nil {
			t.Errorf("%s %s: %q is no error of the API", test.method, test.path, body)
		}
	}
	if n := backend.calls(); n != 0 {
		t.Errorf("the backend was called %d times", n)
	}
}

func TestErrorsKeepTheirCode(t *testing.T) {
	dir := stateDir(t)
	backend := &fakeBackend{}
	start(t, dir, backend)
	client := dial(t, dir)
	for _, code := range []Code{Failed, Usage, NotFound, Busy, Denied, Held, TimedOut, Unavailable} {
		backend.err = &Error{Code: code, Message: "cannot do it: because", Hint: "do"}
		_, err := client.Status(deadline(t))
		var got *Error
		if !errors.As(err, &got) || *got != *backend.err.(*Error) {
			t.Errorf("%s came back as %#v", code, err)
		}
	}
	backend.err = errors.New("cannot read x: gone")
	if _, err := client.Status(deadline(t)); !HasCode(err, Failed) || err.Error() != "cannot read x: gone" {
		t.Errorf("a plain error came back as %#v", err)
	}
}

func TestMountedHandlerAnswersToThoseWhoMay(t *testing.T) {
	dir := stateDir(t)
	listener, err := Listen(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(&fakeBackend{}, ServerOptions{})
	server.Handle("GET /v1/metrics", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "up 1\n")
	}))
	serve(t, server, listener)
	if code, body := raw(t, dir, "GET", "/v1/metrics", ""); code != 200 || body != "up 1\n" {
		t.Errorf("got %d %q", code, body)
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	listener, err := Listen(stateDir(t), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if err := NewServer(&fakeBackend{}, ServerOptions{}).Serve(deadline(t), listener); err == nil {
		t.Error("Serve returned nil")
	}
}
