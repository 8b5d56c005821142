package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Bounds on being stuck, not measurements.
const (
	comeUp    = 20 * time.Second
	askWithin = 5 * time.Second
)

// firstAnswer asks over a new connection, again and again with a pause between, until the release answers, and
// returns when that answer was there. It gives up when gone is closed.
func firstAnswer(ctx context.Context, address, release string, pause time.Duration, gone <-chan struct{}) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, comeUp)
	defer cancel()
	for {
		answered, err := ask(ctx, address)
		if err == nil && answered == release {
			return time.Now(), nil
		}
		select {
		case <-time.After(pause):
		case <-gone:
			return time.Time{}, fmt.Errorf("cannot wait for release %s at %s: the program ended", release, address)
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("cannot wait for release %s at %s: %w (last: %q, %v)", release, address, ctx.Err(), answered, err)
		}
	}
}

// ask asks once over a new connection, which it resets so that no port is left in TIME_WAIT, and returns the release
// that answered.
func ask(ctx context.Context, address string) (release string, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		return "", err
	}
	if err := c.SetDeadline(time.Now().Add(askWithin)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", address); err != nil {
		return "", err
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	return r.Header.Get("X-Release"), nil
}

// untilAnswered makes a change and returns how long after its beginning the release first answered, and the change's
// error. What asks has been asking for a while by then, without a pause if that is 0.
func untilAnswered(ctx context.Context, address, release string, pause time.Duration, change func() error) (time.Duration, error) {
	type answer struct {
		at  time.Time
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, err := ask(ctx, address); err != nil {
		return 0, fmt.Errorf("cannot ask %s before a change: %w", address, err)
	}
	answers := make(chan answer, 1)
	go func() {
		at, err := firstAnswer(ctx, address, release, pause, nil)
		answers <- answer{at, err}
	}()
	began := time.Now()
	if err := change(); err != nil {
		cancel()
		<-answers
		return 0, err
	}
	a := <-answers
	return a.at.Sub(began), a.err
}
