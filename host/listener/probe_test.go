package listener

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func sayByte(c net.Conn) error {
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

// TestProbesReachTheirLaneOnly probes the weight-0 lane while ordinary connections arrive.
func TestProbesReachTheirLaneOnly(t *testing.T) {
	const probes, ordinary = 50, 2000
	for _, b := range bindings {
		t.Run(b.name, func(t *testing.T) {
			l, lanes := b.lanes(t, 2, Options{ProbeBoth: true})
			stable, candidate := serve(t, lanes[0]), serve(t, lanes[1])
			probed := make(chan error, 1)
			go func() {
				var errs []error
				for i := range probes {
					speak := sayByte
					if i%2 == 0 {
						speak = nil
					}
					errs = append(errs, l.Probe(within(t), lanes[1], speak))
				}
				probed <- errors.Join(errs...)
			}()
			for i := range ordinary {
				c := dial(t, l, b.hosts[i%len(b.hosts)], "")
				if err := sayByte(c); err != nil {
					t.Fatal(err)
				}
				c.Close()
			}
			if err := <-probed; err != nil {
				t.Fatal(err)
			}
			want := int64(probes * len(b.hosts))
			if got := candidate.accepted.Load(); got != want {
				t.Errorf("the candidate accepted %d connections, want %d probes", got, want)
			}
			if got := stable.accepted.Load(); got != ordinary {
				t.Errorf("the stable lane accepted %d connections, want %d", got, ordinary)
			}
			if len(l.probes) > 0 {
				t.Errorf("rules are left: %v", l.probes)
			}
		})
	}
}

// TestProbeOfLaneOnADevice probes lanes that one interface alone reaches.
func TestProbeOfLaneOnADevice(t *testing.T) {
	devices, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range devices {
		if addresses, err := device.Addrs(); err != nil || len(addresses) == 0 || device.Flags&net.FlagUp == 0 {
			continue
		}
		for _, b := range bindings {
			wildcard := netip.MustParseAddr(b.ip).IsUnspecified()
			if !wildcard && device.Flags&net.FlagLoopback == 0 {
				continue
			}
			t.Run(device.Name+" "+b.name, func(t *testing.T) {
				l, lanes := b.lanes(t, 2, Options{})
				for _, lane := range lanes {
					if err := unix.BindToDevice(lane.FD(), device.Name); err != nil {
						t.Skip(err)
					}
				}
				serve(t, lanes[0])
				candidate := serve(t, lanes[1])
				before := candidate.accepted.Load()
				for _, speak := range []func(net.Conn) error{nil, sayByte} {
					if err := l.Probe(within(t), lanes[1], speak); err != nil {
						t.Error(err)
					}
				}
				if got := candidate.accepted.Load() - before; got != 2 {
					t.Errorf("%d probes reached the lane", got)
				}
			})
		}
	}
}

// TestProbeMatchesItsAddress connects from another address with the very port of a probe that is under way.
func TestProbeMatchesItsAddress(t *testing.T) {
	l, lanes := bindings[1].lanes(t, 2, Options{})
	stable, candidate := serve(t, lanes[0]), serve(t, lanes[1])
	err := l.Probe(within(t), lanes[1], func(c net.Conn) error {
		port := c.LocalAddr().(*net.TCPAddr).Port
		for i := range 20 {
			other := dial(t, l, "127.0.0.1", fmt.Sprintf("127.0.0.%d:%d", 2+i, port))
			defer other.Close()
			if err := sayByte(other); err != nil {
				return err
			}
		}
		return sayByte(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	if c, s := candidate.accepted.Load(), stable.accepted.Load(); c != 1 || s != 20 {
		t.Errorf("the candidate accepted %d and the stable lane %d, want 1 and 20", c, s)
	}
}

// TestProbePortIsHeld tries to take the source port while a probe runs.
func TestProbePortIsHeld(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 1, Options{})
	serve(t, lanes[0])
	err := l.Probe(within(t), lanes[0], func(c net.Conn) error {
		thief, err := net.Listen("tcp", c.LocalAddr().String())
		if err == nil {
			thief.Close()
			return errors.New("the source port was free")
		}
		return sayByte(c)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestProbeWaitsForAcceptance(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	var spoke atomic.Bool
	err := l.Probe(short, lanes[1], func(net.Conn) error { spoke.Store(true); return nil })
	if !errors.Is(err, ErrNotAccepted) || !errors.Is(err, context.DeadlineExceeded) || spoke.Load() {
		t.Fatalf("nobody accepts, and the probe says %v (spoke: %v)", err, spoke.Load())
	}
	if len(l.probes) > 0 {
		t.Fatalf("rules are left: %v", l.probes)
	}
	acceptAll(t, lanes[1])

	done := make(chan error, 1)
	go func() { done <- l.Probe(within(t), lanes[1], nil) }()
	eventually(t, "the probe waits in the queue", func() bool {
		length, _, err := lanes[1].Queue()
		if err != nil {
			t.Fatal(err)
		}
		return length == 1
	})
	select {
	case err := <-done:
		t.Fatalf("the probe ended before it was accepted: %v", err)
	default:
	}
	acceptAll(t, lanes[1]) // which closes at once, as a bare probe must bear
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestProbeReportsSpeech(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 1, Options{})
	serve(t, lanes[0])
	unhealthy := errors.New("status 503")
	if err := l.Probe(within(t), lanes[0], func(net.Conn) error { return unhealthy }); !errors.Is(err, unhealthy) {
		t.Errorf("got %v", err)
	}
	short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err := l.Probe(short, lanes[0], func(c net.Conn) error {
		_, err := c.Read(make([]byte, 1)) // the server waits for us
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a conversation without end gives %v", err)
	}
}

func TestProbeOfDeferredLane(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	if err := lanes[1].socket.setOption(unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 30, "TCP_DEFER_ACCEPT"); err != nil {
		t.Fatal(err)
	}
	s := serve(t, lanes[1])
	for _, speak := range []func(net.Conn) error{nil, sayByte} {
		if err := l.Probe(within(t), lanes[1], speak); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.accepted.Load(); got != 2 {
		t.Errorf("%d probes were accepted, want 2", got)
	}
}

func TestProbeOfLaneLostMeanwhile(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	done := make(chan error, 1)
	go func() { done <- l.Probe(within(t), lanes[1], nil) }()
	eventually(t, "the probe waits in the queue", func() bool {
		length, _, err := lanes[1].Queue()
		if err != nil {
			t.Fatal(err)
		}
		return length == 1
	})
	shutDown(t, lanes[1])
	if err := <-done; !errors.Is(err, ErrLaneLost) || errors.Is(err, ErrNotAccepted) {
		t.Errorf("got %v", err)
	}
}

// TestProbesBesideWeightChanges runs both at once: no change may lose a rule, no rule a change.
func TestProbesBesideWeightChanges(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	stable, candidate := serve(t, lanes[0]), serve(t, lanes[1])
	quit, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-quit:
				done <- nil
				return
			default:
			}
			if err := l.SetWeights(Share{lanes[0], traffic.Whole}); err != nil {
				done <- err
				return
			}
		}
	}()
	results := make(chan error)
	for range 4 {
		go func() {
			var errs []error
			for range 25 {
				errs = append(errs, l.Probe(within(t), lanes[1], nil))
			}
			results <- errors.Join(errs...)
		}()
	}
	for range 4 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	close(quit)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if c, s := candidate.accepted.Load(), stable.accepted.Load(); c != 100 || s != 0 {
		t.Errorf("the candidate accepted %d and the stable lane %d, want 100 and 0", c, s)
	}
}

func TestProbeUnix(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"short path": socketPath(t), "long path": filepath.Join(deep, "s")} {
		t.Run(name, func(t *testing.T) {
			l, lane := unixLane(t, path, Options{})
			short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if err := l.Probe(short, lane, nil); !errors.Is(err, ErrNotAccepted) {
				t.Errorf("nobody accepts, and the probe says %v", err)
			}
			serve(t, lane)
			for _, speak := range []func(net.Conn) error{nil, sayByte} {
				if err := l.Probe(within(t), lane, speak); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestProbeRefuses(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 1, Options{})
	_, foreign := bindings[0].lanes(t, 1, Options{})
	for _, lane := range []*Lane{nil, foreign[0]} {
		if err := l.Probe(within(t), lane, nil); !errors.Is(err, ErrForeignLane) {
			t.Errorf("got %v", err)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := socket(fd).bind(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	local, _ := socket(fd).local()
	datagrams := New("dns", Address{Network: UDP, IP: local}, Options{})
	defer datagrams.Close()
	lane := addLane(t, datagrams, fd)
	if err := datagrams.Probe(within(t), lane, nil); !errors.Is(err, ErrShared) {
		t.Errorf("a datagram lane gives %v", err)
	}
	shutDown(t, lanes[0])
	if err := l.Probe(within(t), lanes[0], nil); !errors.Is(err, ErrLaneLost) {
		t.Errorf("a lost lane gives %v", err)
	}
	if err := l.Locate(within(t)); !errors.Is(err, ErrLaneLost) {
		t.Errorf("locating a lost lane gives %v", err)
	}
	if len(l.probes) > 0 {
		t.Errorf("rules are left: %v", l.probes)
	}
}

func BenchmarkProbe(b *testing.B) {
	l, lanes := bindings[0].lanes(b, 2, Options{})
	serve(b, lanes[1])
	ctx := within(b)
	for b.Loop() {
		if err := l.Probe(ctx, lanes[1], nil); err != nil {
			b.Fatal(err)
		}
	}
}
