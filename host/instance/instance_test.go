package instance

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var web = Port{Name: "web", Address: "127.0.0.1:80"}

func TestReadyByListenAndProbe(t *testing.T) {
	spec := Spec{Ports: []Port{web}, Adopts: true, Ready: ReadySpec{Interval: 500 * time.Millisecond}}
	play(t, spec, func(s *scene) {
		s.onProbe(func(context.Context, string) error {
			if time.Since(s.begun) < 3*time.Second {
				return errProbe
			}
			return nil
		})
		s.at(2 * time.Second)
		s.expect()
		s.Listens("web", "")
		s.at(time.Minute)
		s.expect("2s: probe web", "2.5s: probe web", "3s: probe web", "3s: ready")
	})
}

func TestAllPortsMustListenAndAccept(t *testing.T) {
	spec := Spec{Ports: []Port{web, {Name: "admin", Address: "127.0.0.1:81"}}, Adopts: true}
	play(t, spec, func(s *scene) {
		s.Listens("admin", "")
		s.at(time.Second)
		s.expect()
		s.Listens("web", "")
		s.at(2 * time.Second)
		s.expect("1s: probe web", "1s: probe admin", "1s: ready")
	})
}

func TestStartDeadlineSaysWhatWasMissing(t *testing.T) {
	spec := Spec{Ports: []Port{web}, Adopts: true, Ready: ReadySpec{Timeout: 10 * time.Second}}
	play(t, spec, func(s *scene) {
		s.Refused("0.0.0.0:80", "web", "it is IPv6")
		s.at(time.Minute)
		s.expect("10s: starting failed (not ready after 10s: it does not listen on 127.0.0.1:80; it listens on 127.0.0.1:8080; " +
			"its bind of 0.0.0.0:80 was refused (listener web): it is IPv6)")
		s.Listens("web", "") // late, but whoever asked decides
		s.expect("1m0s: probe web", "1m0s: ready")
	})
}

func TestHangingTryHasItsSayBeforeTheDeadline(t *testing.T) {
	spec := Spec{Ports: []Port{web}, Adopts: true, Ready: ReadySpec{Timeout: 7 * time.Second, Interval: time.Second}}
	play(t, spec, func(s *scene) {
		s.onProbe(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return errors.New("it accepted nothing")
		})
		s.Listens("web", "")
		s.at(7 * time.Second)
		s.expect("0s: probe web", "6s: probe web", "7s: starting failed (not ready after 7s: its check has not passed: it accepted nothing)")
	})
}

func TestStartIsExtended(t *testing.T) {
	spec := Spec{Ports: []Port{web}, Adopts: true, Ready: ReadySpec{Timeout: 10 * time.Second}}
	play(t, spec, func(s *scene) {
		s.at(4 * time.Second)
		s.says("EXTEND_TIMEOUT_USEC=2000000") // sooner than it has anyway
		s.expect()
		s.at(8 * time.Second)
		s.says("STATUS=warming up\nEXTEND_TIMEOUT_USEC=20000000")
		s.expect("8s: starting says warming up", "8s: starting says warming up until 28s")
		s.at(time.Minute)
		s.expect("28s: starting failed (not ready after 28s: it does not listen on 127.0.0.1:80; it listens on 127.0.0.1:8080) says warming up")
	})
}

func TestWordIsNeeded(t *testing.T) {
	spec := Spec{Ports: []Port{web}, Adopts: true, Ready: ReadySpec{Notify: true, Exec: []string{"check"}}}
	play(t, spec, func(s *scene) {
		s.Listens("web", "")
		s.at(time.Second)
		s.expect()
		s.says("READY=0")
		s.expect()
		s.says("READY=1")
		s.expect("1s: probe web", "1s: exec check", "1s: ready")
	})
}

func TestWorkerIsReadyOnceItHasLived(t *testing.T) {
	play(t, Spec{Adopts: true}, func(s *scene) {
		s.at(time.Minute)
		s.expect("1s: ready")
	})
	play(t, Spec{Adopts: true, Ready: ReadySpec{Interval: time.Second}}, func(s *scene) { // listens after all
		s.at(500 * time.Millisecond)
		s.onProbe(func(context.Context, string) error {
			if time.Since(s.begun) < 2*time.Second {
				return errProbe
			}
			return nil
		})
		s.Listens("open/80", "0.0.0.0:80")
		s.at(time.Minute)
		s.expect("500ms: probe open/80", "1.5s: probe open/80", "2.5s: probe open/80", "2.5s: ready")
	})
	play(t, Spec{Adopts: true}, func(s *scene) { // ends before
		s.at(900 * time.Millisecond)
		s.Ended(Exit{Text: "exit code 1"})
		s.expect("900ms: exited (exit code 1 before it was ready)")
	})
}

func TestCheckOverHTTPWaitsForSomewhereToAsk(t *testing.T) {
	spec := Spec{Adopts: true, Ready: ReadySpec{HTTP: "/healthz", Timeout: 10 * time.Second}}
	play(t, spec, func(s *scene) {
		s.at(5 * time.Second)
		s.expect()
		s.Listens("open/80", "0.0.0.0:80")
		s.expect("5s: probe open/80", "5s: ready")
	})
	play(t, spec, func(s *scene) {
		s.at(time.Minute)
		s.expect("10s: starting failed (not ready after 10s: it listens nowhere, and its check needs a port)")
	})
}

func TestHealth(t *testing.T) {
	spec := Spec{Ports: []Port{web}, Health: HealthSpec{Exec: []string{"check"}, Interval: 10 * time.Second, Timeout: time.Second, Failures: 3}}
	play(t, spec, func(s *scene) {
		sick := func(from, to time.Duration) func(context.Context, []string) error {
			return func(context.Context, []string) error {
				if now := time.Since(s.begun); now >= from && now < to {
					return errors.New("sick")
				}
				return nil
			}
		}
		s.onExec(sick(20*time.Second, 35*time.Second)) // two tries: not enough
		s.at(45 * time.Second)
		s.expect("0s: probe web", "0s: ready", "10s: probe web", "10s: exec check", "20s: probe web", "20s: exec check",
			"30s: probe web", "30s: exec check", "40s: probe web", "40s: exec check")
		s.onExec(sick(0, time.Hour))
		s.at(95 * time.Second)
		s.expect("50s: probe web", "50s: exec check", "1m0s: probe web", "1m0s: exec check", "1m10s: probe web", "1m10s: exec check",
			"1m10s: ready failed (3 health checks in a row failed: sick)",
			"1m20s: probe web", "1m20s: exec check", "1m30s: probe web", "1m30s: exec check") // said once
		s.onExec(func(ctx context.Context, _ []string) error { // a try that hangs is one that failed
			<-ctx.Done()
			return ctx.Err()
		})
		s.at(102 * time.Second)
		s.expect("1m40s: probe web", "1m40s: exec check")
		s.Drain(-1, Orderly) // ends the checks
		s.at(105 * time.Second)
		s.expect("1m42s: draining", "1m42s: SIGTERM")
	})
}

func TestWatchdog(t *testing.T) {
	spec := Spec{Ports: []Port{web}, Watchdog: 5 * time.Second}
	play(t, spec, func(s *scene) {
		s.expect("0s: probe web", "0s: ready")
		for _, at := range []time.Duration{4, 8, 12} {
			s.at(at * time.Second)
			s.says("WATCHDOG=1")
		}
		s.expect()
		s.at(time.Minute)
		s.expect("17s: ready failed (its watchdog was not heard for 5s)", "17s: SIGABRT")
	})
	play(t, Spec{Ports: []Port{web}}, func(s *scene) {
		s.expect("0s: probe web", "0s: ready")
		s.says("WATCHDOG=trigger")
		s.expect("0s: ready failed (its watchdog was triggered by the program itself)", "0s: SIGABRT")
	})
	play(t, spec, func(s *scene) { // nobody barks at one that is on its way out
		s.busyUntil(time.Hour)
		s.Drain(-1, Orderly)
		s.at(7 * time.Second)
		s.says("WATCHDOG=trigger")
		s.expect("0s: probe web", "0s: ready", "0s: draining")
	})
}

func TestExit(t *testing.T) {
	play(t, Spec{Ports: []Port{web}, Adopts: true}, func(s *scene) {
		s.at(time.Second)
		s.Ended(Exit{Text: "exit code 3"})
		s.expect("1s: exited (exit code 3 before it was ready)")
		<-s.Done()
		s.Listens("web", "") // nobody hears, nobody hangs
		s.Drain(-1, Hurry)
		s.expect()
	})
	play(t, Spec{Ports: []Port{web}}, func(s *scene) {
		s.at(time.Second)
		s.Ended(Exit{Text: "killed by SIGSEGV", BySignal: true})
		s.expect("0s: probe web", "0s: ready", "1s: exited (killed by SIGSEGV)")
	})
}

func TestRestoredIsReadyWithoutACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		playIn(t, Spec{Ports: []Port{web}, Adopts: true, Ready: ReadySpec{Notify: true}}, Channels{Notify: -1, Workload: -1, Restored: true}, func(s *scene) {
			s.at(time.Minute)
			s.expect("0s: ready")
		})
	})
}

func TestCancelLeavesTheProgramAlone(t *testing.T) {
	play(t, Spec{Ports: []Port{web}}, func(s *scene) { s.expect("0s: probe web", "0s: ready") })
	// play has cancelled and waited: synctest fails if a goroutine is left.
}

func TestMailBeforeRunIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, begun: time.Now()}
		s.Instance = New(Spec{Ports: []Port{web}, Adopts: true, Ready: ReadySpec{Timeout: time.Second}, Drain: DrainSpec{Timeout: time.Second, Signal: syscall.SIGTERM}}, s.world(), nil)
		s.Listens("web", "")
		go s.Run(t.Context(), Channels{Notify: -1, Workload: -1})
		s.expect("0s: probe web", "0s: ready")
		s.Ended(Exit{Text: "exit code 0"})
		<-s.Done()
	})
}
