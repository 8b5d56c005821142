package main

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/zdhost/zdhost/bench/servers"
)

// shell starts a shell command as a process that is killed at the test's end if it is still there.
func shell(t *testing.T, command string) *process {
	t.Helper()
	p, err := spawn("shell", servers.Command{Argv: []string{"/bin/sh", "-c", command}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.kill() })
	return p
}

func TestStopEndsAProcess(t *testing.T) {
	p := shell(t, "trap 'echo told to go; exit 3' TERM; echo here; while :; do sleep 0.01; done")
	await(t, func() bool { return p.output.tail() == "here" })
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 3 || p.output.tail() != "here / told to go" {
		t.Errorf("it ended with %d and said %q", code, p.output.tail())
	}
	if err := p.stop(); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func TestKillEndsDescendantsInOtherSessions(t *testing.T) {
	p := shell(t, "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ up; while :; do sleep 1; done' & wait; while :; do sleep 1; done")
	await(t, func() bool { return strings.HasSuffix(p.output.tail(), "up") })
	stats, err := readProcStats()
	if err != nil {
		t.Fatal(err)
	}
	all := tree(stats, p.pid())
	if len(all) < 2 {
		t.Fatalf("the tree is %v", all)
	}
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		for _, s := range all {
			if err := syscall.Kill(s.pid, 0); !errors.Is(err, syscall.ESRCH) && !zombie(t, s.pid) {
				return false
			}
		}
		return true
	})
}

// zombie reports whether a process is dead and nobody has asked how it ended.
func zombie(t *testing.T, pid int) bool {
	t.Helper()
	f, err := readFootprint(pid)
	return err != nil || f.PSS == 0
}

func TestTranscriptKeepsTheEnd(t *testing.T) {
	var out transcript
	for range 2 * transcriptSize / 8 {
		_, _ = out.Write([]byte("a line.\n"))
	}
	_, _ = out.Write([]byte("x\ny\nz\n"))
	if got := out.tail(); got != "x / y / z" {
		t.Errorf("the tail is %q", got)
	}
	if n := out.text.Len(); n > transcriptSize {
		t.Errorf("%d bytes are kept", n)
	}
}
