package keeper

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// next runs what comes to the loop next.
func (b bench) next(t *testing.T) {
	t.Helper()
	select {
	case f := <-b.do:
		f()
	case <-time.After(10 * time.Second):
		t.Fatal("nothing comes to the loop")
	}
}

func TestExitIsToldThoughNobodyCanTellTheStrays(t *testing.T) {
	b := newBench(t, 1)
	c, cmd := b.launching(t, "a")
	c.launching = false
	b.store.byName["lane"] = &held{name: "lane", holders: map[string]struct{}{"a": {}}}
	hang := make(chan struct{})
	defer close(hang)
	c.strays = func() []int { <-hang; return nil }

	if _, _, err := b.signalChild(signalRequest{Child: "a", Signal: unix.SIGKILL, Group: true}); err != nil {
		t.Fatal(err)
	}
	ended(t, cmd, unix.SIGKILL)
	b.exited(c, unix.WaitStatus(unix.SIGKILL))
	b.next(t)
	var e Event
	told := b.told()
	if len(told) != 1 || json.Unmarshal(told[0].Body, &e) != nil || e.Kind != EventExited || e.Exit.Signal != unix.SIGKILL {
		t.Errorf("the host was told %+v", told)
	}
	if len(b.store.byName["lane"].holders) != 1 {
		t.Error("the lane is free though a stray may hold it")
	}
}

func TestExitTellsWhoIsLeft(t *testing.T) {
	b := newBench(t, 1)
	c, cmd := b.launching(t, "a")
	c.launching = false
	stray := process(t)
	c.strays = func() []int { return []int{stray.Process.Pid} }
	_ = cmd.Process.Kill()
	ended(t, cmd, unix.SIGKILL)
	b.exited(c, unix.WaitStatus(unix.SIGKILL))
	b.next(t)
	if want := []int{stray.Process.Pid}; !slices.Equal(c.exit.Leftovers, want) {
		t.Errorf("%v are left, want %v", c.exit.Leftovers, want)
	}
	b.forget(c)
	ended(t, stray, unix.SIGKILL)
}
