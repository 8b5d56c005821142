package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// scene is one instance in a world of its own, whose clock is synctest's. All
// that the instance does is written down with its time.
type scene struct {
	*Instance
	t     *testing.T
	begun time.Time

	mu    sync.Mutex // guards what follows
	lines []string
	behaviour
}

// behaviour is how the world answers; without a function it is at rest, and
// accepts.
type behaviour struct {
	probe   func(ctx context.Context, port string) error
	exec    func(ctx context.Context, argv []string) error
	count   func() ([]Connection, error)
	deathBy map[syscall.Signal]time.Duration // which signals end it, and how long that takes
}

func (s *scene) now() behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.behaviour
}

func (s *scene) change(f func(*behaviour)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.behaviour)
}

func (s *scene) onProbe(f func(context.Context, string) error) {
	s.change(func(b *behaviour) { b.probe = f })
}

func (s *scene) onExec(f func(context.Context, []string) error) {
	s.change(func(b *behaviour) { b.exec = f })
}

func (s *scene) onCount(f func() ([]Connection, error)) {
	s.change(func(b *behaviour) { b.count = f })
}

func (s *scene) diesBy(m map[syscall.Signal]time.Duration) {
	s.change(func(b *behaviour) { b.deathBy = m })
}

// play runs script against a living instance and returns what happened.
func play(t *testing.T, spec Spec, script func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		playIn(t, spec, Channels{Notify: -1, Workload: -1}, func(s *scene) {
			synctest.Wait() // it has begun
			script(s)
		})
	})
}

func playIn(t *testing.T, spec Spec, ch Channels, script func(*scene)) {
	t.Helper()
	spec.ID, spec.Service, spec.Generation = "shop-1", "shop", 7
	if spec.Ready.Timeout == 0 {
		spec.Ready.Timeout = 30 * time.Second
	}
	if spec.Drain.Timeout == 0 {
		spec.Drain = DrainSpec{Timeout: 10 * time.Second, Settle: time.Second, Signal: syscall.SIGTERM}
	}
	s := &scene{t: t, begun: time.Now()}
	s.Instance = New(spec, s.world(), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { <-s.Done() }()
	defer cancel()
	go s.Run(ctx, ch)
	script(s)
}

// world is the scene as the instance sees it: at rest, and accepting.
func (s *scene) world() World {
	return World{
		Signal: func(_ context.Context, sig syscall.Signal, group bool) error {
			text := unix.SignalName(sig)
			if group {
				text += " to all"
			}
			s.write(text)
			if after, ok := s.now().deathBy[sig]; ok {
				time.AfterFunc(after, func() { s.Ended(Exit{Text: "killed by " + unix.SignalName(sig), BySignal: true}) })
			}
			return nil
		},
		Probe: func(ctx context.Context, port string, _ func(net.Conn) error) error {
			s.write("probe " + port)
			if probe := s.now().probe; probe != nil {
				return probe(ctx, port)
			}
			return nil
		},
		Exec: func(ctx context.Context, argv []string) error {
			s.write("exec " + strings.Join(argv, " "))
			if exec := s.now().exec; exec != nil {
				return exec(ctx, argv)
			}
			return nil
		},
		Connections: func() ([]Connection, error) {
			if count := s.now().count; count != nil {
				return count()
			}
			return nil, nil
		},
		Listening: func() []string { return []string{"127.0.0.1:80", "127.0.0.1:8080"} },
		Lanes:     func() ([]string, []string, []int, error) { return nil, nil, nil, nil },
		Inbox:     func() (int, error) { return -1, nil },
		Note: func(n Notice) {
			words := []string{string(n.State)}
			if n.Failed {
				words = append(words, "failed")
			}
			if n.Reason != "" {
				words = append(words, "("+n.Reason+")")
			}
			if n.Text != "" {
				words = append(words, "says "+n.Text)
			}
			if !n.Extended.IsZero() {
				words = append(words, "until "+n.Extended.Sub(s.begun).String())
			}
			if n.Report != (Report{}) {
				words = append(words, fmt.Sprintf("cut %d killed %v", n.Report.Cut, n.Report.Killed))
			}
			s.write(strings.Join(words, " "))
		},
	}
}

func (s *scene) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf("%s: %s", time.Since(s.begun), text))
}

// at goes on when so much time has passed since the beginning.
func (s *scene) at(d time.Duration) {
	<-time.After(d - time.Since(s.begun))
	synctest.Wait()
}

// says is a datagram of the program.
func (s *scene) says(text string) {
	s.hear(func(l *life) { l.notified(ParseNotification([]byte(text))) })
	synctest.Wait()
}

// expect compares what has happened since the last call.
func (s *scene) expect(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	got := s.lines
	s.lines = nil
	s.mu.Unlock()
	if len(want) == 0 && len(got) == 0 || reflect.DeepEqual(got, want) {
		return
	}
	s.t.Errorf("it went\n\t%s\nand not\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
}

var errProbe = errors.New("nobody accepts")

// busyUntil is a client that waits for its answer until so long after the begin.
func (s *scene) busyUntil(d time.Duration) {
	s.onCount(func() ([]Connection, error) {
		if time.Since(s.begun) < d {
			return []Connection{{Open: true, Received: 1, Pending: true}}, nil
		}
		return nil, nil
	})
}
