package keeper

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestOrderIsHeardInACrowdOfEndingChildren(t *testing.T) {
	s := takeSignals()
	defer s.stop()
	for range 100 {
		raise(t, unix.SIGCHLD)
	}
	raise(t, unix.SIGTERM)
	select {
	case got := <-s.orders:
		if got != unix.SIGTERM {
			t.Errorf("the order is %v", got)
		}
	default:
		t.Error("the order is lost")
	}
}

// raise sends a signal to this process and returns when all have it who listen.
func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	for range 2 { // one delivery ends before the next begins, and those that wait are merged
		seen := make(chan os.Signal, 1)
		signal.Notify(seen, sig)
		if err := unix.Kill(unix.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		<-seen
		signal.Stop(seen)
		sig = unix.SIGWINCH
	}
}

// process starts a program of its own session that a signal ends.
func process(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestHostThatDoesNotHurryIsDoneWithout(t *testing.T) {
	host, program := process(t), process(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		b.host.pid = host.Process.Pid
		b.children["a"] = &child{spec: Spawn{ID: "a"}, pid: program.Process.Pid, notify: -1, strays: noStrays}
		b.stop(false)
		b.stop(true)
		b.stop(true)
		if told := b.told(); len(told) != 3 {
			t.Errorf("the host was told %+v", told)
		}
		asked := time.Now()
		(<-b.do)() // nothing but the fallback is to come
		if waited := time.Since(asked); waited != urgentGrace {
			t.Errorf("it came after %s", waited)
		}
		if b.host.linked() || b.ended {
			t.Errorf("linked %v, ended %v", b.host.linked(), b.ended)
		}
		for !b.ended {
			(<-b.do)()
		}
		if waited := time.Since(asked); waited != urgentGrace+stopGrace {
			t.Errorf("the end came after %s", waited)
		}
	})
	ended(t, host, unix.SIGKILL)
	ended(t, program, unix.SIGTERM)
}
