package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"testing"
	"time"
)

func TestUpgradeStreamsEventsThenTheOutcome(t *testing.T) {
	dir := stateDir(t)
	want := Outcome{
		Rollout: "r1", Service: "shop", Ended: EndedRolledBack, Reason: "the candidate exited with status 1",
		LogTail: []string{"a", "b"}, Report: &LossReport{Moved: Known(3), Lost: Known(0)},
	}
	start(t, dir, &fakeBackend{change: func(_ context.Context, emit Emit) (Outcome, error) {
		for i := range 100 {
			emit(RolloutEvent{Rollout: "r1", Text: fmt.Sprint(i)})
		}
		return want, nil
	}})
	var texts []string
	got, err := dial(t, dir).Upgrade(deadline(t), UpgradeRequest{Service: "shop"}, func(event RolloutEvent) {
		texts = append(texts, event.Text)
	})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(texts) != 100 || texts[0] != "0" || texts[99] != "99" {
		t.Errorf("events %v", texts)
	}
}

func TestErrorAfterProgressIsTheStreamsLastLine(t *testing.T) {
	dir := stateDir(t)
	start(t, dir, &fakeBackend{change: func(_ context.Context, emit Emit) (Outcome, error) {
		emit(RolloutEvent{Rollout: "r1"})
		return Outcome{}, &Error{Code: Denied, Message: "cannot upgrade shop: not on Fridays"}
	}})
	events := 0
	_, err := dial(t, dir).Upgrade(deadline(t), UpgradeRequest{Service: "shop"}, func(RolloutEvent) { events++ })
	if !HasCode(err, Denied) || events != 1 {
		t.Errorf("%v after %d events", err, events)
	}
}

func TestClientThatLeavesEndsTheCallsContext(t *testing.T) {
	dir := stateDir(t)
	begun, ended := make(chan struct{}), make(chan error, 1)
	start(t, dir, &fakeBackend{change: func(ctx context.Context, emit Emit) (Outcome, error) {
		emit(RolloutEvent{Rollout: "r1"})
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return Outcome{}, ctx.Err()
	}})
	ctx, leave := context.WithCancel(deadline(t))
	go func() { <-begun; leave() }()
	_, err := dial(t, dir).Upgrade(ctx, UpgradeRequest{Service: "shop", Reason: "a body"}, ignore)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the backend got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the backend was never told")
	}
}

func TestSlowReaderHoldsNobodyUp(t *testing.T) {
	dir := stateDir(t)
	emitted := make(chan struct{})
	start(t, dir, &fakeBackend{change: func(ctx context.Context, emit Emit) (Outcome, error) {
		for range 200_000 {
			emit(RolloutEvent{Rollout: "r1", Text: "a line of some length, so that the socket's buffer is full soon"})
		}
		close(emitted)
		<-ctx.Done()
		return Outcome{}, ctx.Err()
	}})
	path, _ := SocketPath(dir)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/services/shop/upgrade HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	select {
	case <-emitted:
	case <-time.After(15 * time.Second):
		t.Fatal("emit waits for a reader that reads nothing")
	}
}

func TestEventQueueCountsWhatItDrops(t *testing.T) {
	queue := newEventQueue()
	for i := range maxQueued + 10 {
		queue.push(RolloutEvent{Text: fmt.Sprint(i)})
	}
	events, more := queue.take()
	if len(events) != maxQueued || events[0].Text != "10" || events[0].Dropped != 10 || !more {
		t.Errorf("%d events, first %+v, more %t", len(events), events[0], more)
	}
	queue.close()
	queue.push(RolloutEvent{})
	if events, more := queue.take(); len(events) != 0 || more {
		t.Errorf("after close: %d events, more %t", len(events), more)
	}
}

func TestClientFollowsARolloutAcrossHosts(t *testing.T) {
	dir := stateDir(t)
	begun := make(chan struct{})
	stop := start(t, dir, &fakeBackend{change: func(ctx context.Context, emit Emit) (Outcome, error) {
		emit(RolloutEvent{Rollout: "r1", Text: "start"})
		close(begun)
		<-ctx.Done()
		return Outcome{}, ctx.Err()
	}})
	type answer struct {
		outcome Outcome
		err     error
	}
	answered, texts := make(chan answer, 1), make(chan string, 10)
	client := dial(t, dir)
	go func() {
		outcome, err := client.Upgrade(deadline(t), UpgradeRequest{Service: "shop"}, func(event RolloutEvent) { texts <- event.Text })
		answered <- answer{outcome, err}
	}()
	<-begun
	if text := <-texts; text != "start" {
		t.Fatalf("first event %q", text)
	}
	stop()
	next := &fakeBackend{watch: func(_ context.Context, request WatchRequest, emit Emit) (Outcome, error) {
		emit(RolloutEvent{Rollout: request.Rollout, Text: "goes on"})
		return Outcome{Rollout: request.Rollout, Ended: EndedCommitted}, nil
	}}
	start(t, dir, next)
	got := <-answered
	if got.err != nil || got.outcome.Ended != EndedCommitted || got.outcome.Rollout != "r1" {
		t.Fatalf("got %+v", got)
	}
	if text := <-texts; text != "goes on" {
		t.Errorf("second event %q", text)
	}
}

func TestBreakOffBeforeTheFirstEventIsSaid(t *testing.T) {
	dir := stateDir(t)
	listener, err := Listen(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
	}()
	_, err = dial(t, dir).Upgrade(deadline(t), UpgradeRequest{Service: "shop"}, ignore)
	if !HasCode(err, BrokenOff) {
		t.Errorf("got %v", err)
	}
}

func TestLogsAreFollowedAcrossHosts(t *testing.T) {
	dir := stateDir(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sent := make(chan struct{})
	stop := start(t, dir, &fakeBackend{logs: func(ctx context.Context, _ LogQuery, emit func(LogLine) error) error {
		err := emit(LogLine{Time: at, Text: "one"})
		close(sent)
		<-ctx.Done()
		return err
	}})
	lines, ended := make(chan string, 10), make(chan error, 1)
	client := dial(t, dir)
	go func() {
		ended <- client.Logs(deadline(t), LogQuery{Service: "shop", Follow: true, Tail: 3}, func(line LogLine) error {
			lines <- line.Text
			return nil
		})
	}()
	<-sent
	if line := <-lines; line != "one" {
		t.Fatalf("got %q", line)
	}
	stop()
	next := &fakeBackend{logs: func(_ context.Context, _ LogQuery, emit func(LogLine) error) error {
		return emit(LogLine{Time: at.Add(time.Second), Text: "two"})
	}}
	start(t, dir, next)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if line := <-lines; line != "two" {
		t.Errorf("got %q", line)
	}
	_, request := next.last()
	if query := request.(LogQuery); !query.Since.After(at) || query.Tail != 0 {
		t.Errorf("the next host was asked for %+v", query)
	}
}

func TestLogsEndWithTheirReader(t *testing.T) {
	dir := stateDir(t)
	start(t, dir, &fakeBackend{logs: func(ctx context.Context, _ LogQuery, emit func(LogLine) error) error {
		for ctx.Err() == nil {
			if err := emit(LogLine{Text: "x"}); err != nil {
				return err
			}
		}
		return ctx.Err()
	}})
	enough := errors.New("enough")
	err := dial(t, dir).Logs(deadline(t), LogQuery{Service: "shop"}, func(LogLine) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}
