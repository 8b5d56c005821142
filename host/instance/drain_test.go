package instance

import (
	"errors"
	"syscall"
	"testing"
	"time"
)

// ready is an instance that is ready from the first moment on.
func ready(drain DrainSpec) Spec {
	if drain.Signal == 0 {
		drain.Signal = syscall.SIGTERM
	}
	return Spec{Ports: []Port{web}, Drain: drain}
}

func TestDrainSignalsOnceQuiet(t *testing.T) {
	play(t, ready(DrainSpec{Timeout: 10 * time.Second, Signal: syscall.SIGQUIT}), func(s *scene) {
		s.diesBy(map[syscall.Signal]time.Duration{syscall.SIGQUIT: 300 * time.Millisecond})
		s.expect("0s: probe web", "0s: ready")
		s.Drain(-1, Orderly) // nobody is there
		<-s.Done()
		s.expect("0s: draining", "0s: SIGQUIT", "300ms: exited (killed by SIGQUIT)")
	})
	play(t, ready(DrainSpec{Timeout: 10 * time.Second}), func(s *scene) {
		s.diesBy(map[syscall.Signal]time.Duration{syscall.SIGTERM: 0})
		s.busyUntil(3 * time.Second)
		s.Drain(-1, Orderly)
		s.at(2999 * time.Millisecond)
		s.expect("0s: probe web", "0s: ready", "0s: draining")
		s.at(3200 * time.Millisecond) // it looks at least every 200 ms
		select {
		case <-s.Done():
		default:
			t.Error("it is quiet, and was not told to end")
		}
	})
}

func TestDrainWithoutQuietSignalsAtFourFifthsAndKillsAtTheEnd(t *testing.T) {
	play(t, ready(DrainSpec{Timeout: 10 * time.Second}), func(s *scene) {
		s.busyUntil(time.Hour)
		s.expect("0s: probe web", "0s: ready")
		s.Drain(-1, Orderly)
		s.at(7999 * time.Millisecond)
		s.expect("0s: draining")
		s.at(9999 * time.Millisecond)
		s.expect("8s: SIGTERM")
		s.at(12500 * time.Millisecond)
		s.expect("10s: SIGKILL to all", "11s: SIGKILL to all", "12s: SIGKILL to all")
		s.Ended(Exit{Text: "killed by SIGKILL", BySignal: true})
		s.expect("12.5s: exited (killed by SIGKILL) cut 1 killed true")
	})
}

func TestGraceOfLongAndShortTimeouts(t *testing.T) {
	for _, c := range []struct {
		spec   DrainSpec
		signal time.Duration
	}{
		{DrainSpec{Timeout: time.Second}, 800 * time.Millisecond},
		{DrainSpec{Timeout: 10 * time.Second}, 8 * time.Second},
		{DrainSpec{Timeout: 2 * time.Minute}, 115 * time.Second}, // five seconds at most
		{DrainSpec{Timeout: 10 * time.Second, Grace: time.Second}, 9 * time.Second},
		{DrainSpec{Timeout: 10 * time.Second, Grace: time.Minute}, 0},
	} {
		play(t, ready(c.spec), func(s *scene) {
			s.busyUntil(time.Hour)
			s.diesBy(map[syscall.Signal]time.Duration{syscall.SIGTERM: 0})
			s.Drain(-1, Orderly)
			<-s.Done()
			if s.at(c.signal); time.Since(s.begun) != c.signal {
				t.Errorf("%+v: the signal came after %s, want %s", c.spec, time.Since(s.begun), c.signal)
			}
		})
	}
}

func TestDrainInHaste(t *testing.T) {
	spec := ready(DrainSpec{Timeout: 10 * time.Second})
	play(t, spec, func(s *scene) {
		s.busyUntil(time.Hour)
		s.Drain(-1, Stop)
		s.at(11 * time.Second)
		s.expect("0s: probe web", "0s: ready", "0s: draining", "0s: SIGTERM", "10s: SIGKILL to all", "11s: SIGKILL to all")
	})
	play(t, spec, func(s *scene) {
		s.busyUntil(time.Hour)
		s.Drain(-1, Hurry)
		s.at(1500 * time.Millisecond)
		s.expect("0s: probe web", "0s: ready", "0s: draining", "0s: SIGTERM", "1s: SIGKILL to all")
	})
	play(t, spec, func(s *scene) { // more and more of it
		s.busyUntil(time.Hour)
		s.Drain(-1, Orderly)
		s.at(2 * time.Second)
		s.Drain(-1, Stop)
		s.at(4 * time.Second)
		s.Drain(-1, Orderly) // less: no change
		s.Drain(-1, Hurry)
		s.at(5500 * time.Millisecond)
		s.expect("0s: probe web", "0s: ready", "0s: draining", "2s: SIGTERM", "5s: SIGKILL to all")
	})
	play(t, spec, func(s *scene) { // haste never gives time
		s.busyUntil(time.Hour)
		s.Drain(-1, Orderly)
		s.at(9900 * time.Millisecond)
		s.Drain(-1, Hurry)
		s.at(10500 * time.Millisecond)
		s.expect("0s: probe web", "0s: ready", "0s: draining", "8s: SIGTERM", "10s: SIGKILL to all")
		s.Drain(-1, Hurry)
		s.at(11500 * time.Millisecond)
		s.expect("11s: SIGKILL to all")
	})
}

func TestDrainOfOneThatNeverHadWork(t *testing.T) {
	play(t, Spec{Ports: []Port{web}, Adopts: true}, func(s *scene) {
		s.busyUntil(time.Hour)
		s.at(time.Second)
		s.Drain(-1, Orderly)
		s.expect("1s: draining", "1s: SIGTERM")
		s.Listens("web", "") // too late
		s.at(5 * time.Second)
		s.expect()
	})
}

func TestConnectionsThatCannotBeCountedAreBusy(t *testing.T) {
	play(t, ready(DrainSpec{Timeout: 10 * time.Second}), func(s *scene) {
		s.onCount(func() ([]Connection, error) { return nil, errors.New("no netlink") })
		s.Drain(-1, Orderly)
		s.at(9 * time.Second)
		s.expect("0s: probe web", "0s: ready", "0s: draining", "8s: SIGTERM")
	})
}

func TestDrainIsExtended(t *testing.T) {
	spec := ready(DrainSpec{Timeout: 10 * time.Second})
	play(t, spec, func(s *scene) {
		s.busyUntil(time.Hour)
		s.Drain(-1, Orderly)
		s.at(5 * time.Second)
		s.says("EXTEND_TIMEOUT_USEC=1000000") // it has more
		s.at(6 * time.Second)
		s.says("EXTEND_TIMEOUT_USEC=20000000")
		s.at(27 * time.Second)
		s.expect("0s: probe web", "0s: ready", "0s: draining", "25s: SIGTERM", "26s: SIGKILL to all", "27s: SIGKILL to all")
		s.says("EXTEND_TIMEOUT_USEC=20000000") // it is being killed
		s.at(28 * time.Second)
		s.expect("28s: SIGKILL to all")
	})
	play(t, spec, func(s *scene) {
		s.busyUntil(time.Hour)
		s.Drain(-1, Hurry)
		s.says("EXTEND_TIMEOUT_USEC=20000000")
		s.at(1 * time.Second)
		s.expect("0s: probe web", "0s: ready", "0s: draining", "0s: SIGTERM", "1s: SIGKILL to all")
	})
}

func TestAutoTimeoutFollowsTheTail(t *testing.T) {
	for name, c := range map[string]struct {
		waited time.Duration // the longest that a client waited for an answer
		kill   time.Duration // after the drain's begin
	}{
		"nobody waited":        {0, AutoMin},
		"short":                {time.Second, AutoMin},
		"four times":           {3 * time.Second, 12 * time.Second},
		"never over the bound": {time.Minute, 30 * time.Second},
	} {
		spec := ready(DrainSpec{Timeout: 30 * time.Second, Auto: true})
		play(t, spec, func(s *scene) {
			s.onCount(func() ([]Connection, error) {
				all := []Connection{
					{Open: true, Received: 5, Sent: 5, SinceReceived: time.Hour, SinceSent: time.Minute}, // idle
					{Open: true, SinceReceived: time.Hour, SinceSent: 2 * time.Hour},                     // said nothing
				}
				if time.Since(s.begun) == 2*time.Second && c.waited > 0 { // one sample sees it
					all = append(all, Connection{Open: true, Received: 5, SinceReceived: c.waited, SinceSent: c.waited + 1})
				}
				if time.Since(s.begun) >= 10*time.Second {
					all = append(all, Connection{Open: true, Pending: true})
				}
				return all, nil
			})
			s.at(10 * time.Second)
			s.expect("0s: probe web", "0s: ready")
			s.diesBy(map[syscall.Signal]time.Duration{syscall.SIGKILL: 0})
			s.Drain(-1, Orderly)
			<-s.Done()
			if took := time.Since(s.begun) - 10*time.Second; took != c.kill {
				t.Errorf("%s: killed after %s, want %s", name, took, c.kill)
			}
		})
	}
}
