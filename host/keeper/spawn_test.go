package keeper

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bench is a keeper whose loop the test plays, with a host that takes what it is
// told from out.
type bench struct {
	*Keeper
	out chan message
}

func newBench(t *testing.T, epoch int) bench {
	t.Helper()
	k := New(Options{RunDir: t.TempDir()}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	out := make(chan message, 16)
	k.host.epoch, k.host.hello, k.host.link, k.host.out = epoch, true, &link{}, out
	return bench{k, out}
}

// told is what the host was told so far.
func (b bench) told() []message {
	var all []message
	for len(b.out) > 0 {
		all = append(all, <-b.out)
	}
	return all
}

func noStrays() []int { return nil }

// launching adds a child of a real process, whose end the test waits for.
func (b bench) launching(t *testing.T, id string) (*child, *exec.Cmd) {
	t.Helper()
	cmd := process(t)
	out, ends, err := newOutput(b.opts.RunDir, id, filepath.Join(t.TempDir(), "log"), nil)
	if err != nil {
		t.Fatal(err)
	}
	closeEnds(ends)
	c := &child{spec: Spawn{ID: id}, pid: cmd.Process.Pid, notify: -1, started: time.Now(), out: out, launching: true, strays: noStrays}
	b.children[id], b.byPID[c.pid] = c, c
	t.Cleanup(out.close)
	return c, cmd
}

// ended waits for the process's end and wants it to be this signal's.
func ended(t *testing.T, cmd *exec.Cmd, want syscall.Signal) {
	t.Helper()
	late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Signal(unix.SIGABRT) })
	defer late.Stop()
	var exit *exec.ExitError
	err := cmd.Wait()
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == want { //nolint:forcetypeassert // Linux
		return
	}
	t.Errorf("the process did not end by signal %d: %v", want, err)
}

func TestLaunchThatEndsAfterTheNextHelloIsUndone(t *testing.T) {
	b := newBench(t, 2)
	c, cmd := b.launching(t, "a")
	b.launched(message{ID: 1, Kind: kindSpawn, epoch: 1}, launched{child: c, notify: -1})
	if told := b.told(); len(told) != 0 {
		t.Errorf("the new host got a reply to what it never asked: %+v", told)
	}
	if b.children["a"] != nil {
		t.Error("the keeper has a child that its host doesn't know")
	}
	ended(t, cmd, unix.SIGKILL)
}

func TestLaunchThatEndsBeforeTheNextHelloIsToldByIt(t *testing.T) {
	b := newBench(t, 2)
	b.host.hello = false
	c, _ := b.launching(t, "a")
	b.launched(message{ID: 1, Kind: kindSpawn, epoch: 1}, launched{child: c, notify: -1})
	if told := b.told(); len(told) != 0 {
		t.Errorf("the new host got a reply to what it never asked: %+v", told)
	}
	w, _, err := b.welcome(helloRequest{Version: Version})
	if err != nil || len(w.(Welcome).Children) != 1 { //nolint:forcetypeassert // welcome's answer
		t.Errorf("%+v, %v", w, err)
	}
}

func TestLaunchIsAnsweredToTheHostThatAsked(t *testing.T) {
	b := newBench(t, 2)
	c, _ := b.launching(t, "a")
	b.launched(message{ID: 7, Kind: kindSpawn, epoch: 2}, launched{child: c, notify: -1})
	told := b.told()
	var got Child
	if len(told) != 1 || told[0].ID != 7 || json.Unmarshal(told[0].Body, &got) != nil || got.ID != "a" {
		t.Errorf("%+v", told)
	}
}

func TestForgottenLaunchStaysForgotten(t *testing.T) {
	b := newBench(t, 1)
	c, cmd := b.launching(t, "a")
	b.forget(c)
	ended(t, cmd, unix.SIGKILL)
	b.launched(message{ID: 7, Kind: kindSpawn, epoch: 1}, launched{child: c, notify: -1})
	if told := b.told(); len(told) != 1 || told[0].Error == nil {
		t.Errorf("%+v", told)
	}
}
