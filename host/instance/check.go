package instance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// HealthSpec says how a ready instance is watched; without HTTP and Exec it is
// not.
type HealthSpec struct {
	HTTP     string
	Exec     []string
	Interval time.Duration
	Timeout  time.Duration
	Failures int // in a row make it unhealthy
}

func (h HealthSpec) on() bool { return h.HTTP != "" || len(h.Exec) > 0 }

// checkTimeout bounds one try of a readiness check, so that a try that hangs is
// followed by another before the start's own deadline.
const checkTimeout = 5 * time.Second

// lastWord is what is left between the end of the last try and the deadline.
const lastWord = 50 * time.Millisecond

// check begins a try of readiness or of health; checked hears its end.
func (l *life) check() {
	if l.checking || l.drain != nil {
		return
	}
	path, argv, timeout := l.spec.Ready.HTTP, l.spec.Ready.Exec, checkTimeout
	if l.state == Starting { // the last try must have its say before the deadline
		timeout = max(min(timeout, time.Until(l.until)-lastWord), lastWord)
	}
	if l.state == Ready {
		path, argv, timeout = l.spec.Health.HTTP, l.spec.Health.Exec, l.spec.Health.Timeout
	} else if l.worker() && len(l.ready.elsewhere) == 0 {
		l.ready.passed = true // it has lived for WorkerGrace
		l.becomeReady()
		return
	}
	l.checking = true
	probed := l.probed()
	go func() {
		ctx, cancel := context.WithTimeout(l.ctx, timeout)
		defer cancel()
		l.checkDone <- l.try(ctx, probed, path, argv)
	}()
}

// probed lists the ports to connect to: the required ports, or what else
// it listens on.
func (l *life) probed() []string {
	var names []string
	for _, p := range l.spec.Ports {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		for name := range l.ready.listening {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	return names
}

// try runs one check: every port accepts a connection; the first one answers
// HTTP where a path is given; the command ends well.
func (l *life) try(ctx context.Context, ports []string, path string, argv []string) error {
	for n, port := range ports {
		var speak func(net.Conn) error
		if n == 0 && path != "" {
			speak = func(c net.Conn) error { return get(ctx, c, path) }
		}
		if err := l.world.Probe(ctx, port, speak); err != nil {
			return err
		}
	}
	if len(argv) > 0 {
		return l.world.Exec(ctx, argv)
	}
	return nil
}

// get asks for path over c and accepts an answer below 400.
func get(ctx context.Context, c net.Conn, path string) error {
	if d, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(d)
	}
	host := c.RemoteAddr().String()
	if c.RemoteAddr().Network() == "unix" {
		host = "localhost"
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: zdhost\r\nConnection: close\r\n\r\n", path, host); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReaderSize(c, 4096), nil)
	if err != nil {
		return fmt.Errorf("cannot read the answer to GET %s: %w", path, err)
	}
	_ = r.Body.Close()
	if r.StatusCode >= 400 {
		return fmt.Errorf("GET %s answered %s", path, strings.TrimSpace(r.Status))
	}
	return nil
}

func (l *life) checked(err error) {
	l.checking = false
	if errors.Is(err, context.Canceled) || l.drain != nil {
		return
	}
	if l.state == Starting {
		if err == nil {
			l.ready.passed = true
			l.consider()
			return
		}
		l.ready.lastCheck = err.Error()
		l.checkTimer.Reset(max(l.spec.Ready.Interval, 10*time.Millisecond))
		return
	}
	l.checkTimer.Reset(l.spec.Health.Interval)
	if err == nil {
		l.failures = 0
		return
	}
	l.failures++
	if l.failures == l.spec.Health.Failures {
		l.note(Notice{Failed: true, Reason: fmt.Sprintf("%d health checks in a row failed: %v", l.failures, err)})
	}
}
