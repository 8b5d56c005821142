package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseProcStat(t *testing.T) {
	const line = "42 (a) b (c)) S 7 42 42 0 -1 4194304 500 0 0 0 150 25 900 900 20 0 9 0 12345 1000 200 18446744073709551615"
	got, err := parseProcStat(line)
	if err != nil {
		t.Fatal(err)
	}
	if want := (procStat{pid: 42, parent: 7, cpu: 1750 * time.Millisecond}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, bad := range []string{"", "42", "42 (a", ")42(", "42 (a) S 7", "x (a) S 7 42 42 0 -1 4194304 500 0 0 0 150 25",
		"42 (a) S 7 42 42 0 -1 4194304 500 0 0 0 x 25"} {
		if got, err := parseProcStat(bad); err == nil {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
}

func TestTree(t *testing.T) {
	stats := []procStat{{pid: 5, parent: 3}, {pid: 1}, {pid: 3, parent: 2}, {pid: 2, parent: 1}, {pid: 4, parent: 1}, {pid: 6, parent: 3}}
	var got []int
	for _, s := range tree(stats, 2) {
		got = append(got, s.pid)
	}
	if len(got) != 4 || got[0] != 2 || got[1] != 3 || got[2]+got[3] != 11 {
		t.Errorf("got %v, want 2, 3 and then 5 and 6", got)
	}
	if got := tree(stats, 9); len(got) != 0 {
		t.Errorf("a process that isn't there has %v", got)
	}
}

func TestCPUCountsChildren(t *testing.T) {
	child := exec.Command("sh", "-c", "while :; do :; done")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		child.Process.Kill()
		child.Wait()
	}()
	await(t, func() bool {
		ofChild, err := cpuOf([]int{child.Process.Pid})
		if err != nil {
			t.Fatal(err)
		}
		ofBoth, err := cpuOf([]int{os.Getpid()})
		if err != nil {
			t.Fatal(err)
		}
		return ofChild >= 3*tick && ofBoth >= ofChild
	})
}

func TestRunTimeGrows(t *testing.T) {
	before, err := runTime(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	await(t, func() bool {
		now, err := runTime(os.Getpid())
		return err == nil && now > before
	})
}

// await waits for a condition.
func await(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	step := time.NewTicker(5 * time.Millisecond)
	defer step.Stop()
	for !condition() {
		select {
		case <-step.C:
		case <-deadline:
			t.Fatal("waited in vain")
		}
	}
}
