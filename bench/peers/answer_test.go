package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// releases is a server whose release can be changed.
func releases(t *testing.T, first string) (address string, now *atomic.Value) {
	t.Helper()
	now = &atomic.Value{}
	now.Store(first)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Release", now.Load().(string))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), now
}

func TestUntilAnsweredWaitsForTheRelease(t *testing.T) {
	address, now := releases(t, "v1")
	const delay = 30 * time.Millisecond
	took, err := untilAnswered(t.Context(), address, "v2", time.Millisecond, func() error {
		time.AfterFunc(delay, func() { now.Store("v2") })
		return nil
	})
	if err != nil || took < delay {
		t.Errorf("took %v, %v; the release changed after %v", took, err, delay)
	}
}

func TestUntilAnsweredGivesTheChangesError(t *testing.T) {
	address, _ := releases(t, "v1")
	refused := errors.New("refused")
	if _, err := untilAnswered(t.Context(), address, "v2", time.Millisecond, func() error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

func TestFirstAnswerGivesUp(t *testing.T) {
	address, _ := releases(t, "v1")
	gone := make(chan struct{})
	close(gone)
	if _, err := firstAnswer(t.Context(), address, "v2", time.Hour, gone); err == nil || !strings.Contains(err.Error(), "the program ended") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := firstAnswer(ctx, address, "v2", time.Hour, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
