package procfs

import (
	"bufio"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// start runs a shell in a session of its own, which prints the numbers of the
// processes that it started, and ends with its standard input.
func start(t *testing.T, script string, env ...string) (leader int, others []int) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range strings.Fields(line) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		others = append(others, pid)
	}
	return cmd.Process.Pid, others
}

func TestSessionListsItsProcesses(t *testing.T) {
	leader, others := start(t, "sleep 1000 >/dev/null & echo $!; cat >/dev/null")
	got := Session(leader, "")
	if !slices.Contains(got, leader) || !slices.Contains(got, others[0]) {
		t.Errorf("%v lacks %d or %v", got, leader, others)
	}
	if got := Session(others[0], ""); len(got) != 0 {
		t.Errorf("%d leads no session, but has %v", others[0], got)
	}
}

func TestMarkFindsWhoLeftTheSession(t *testing.T) {
	leader, others := start(t, "setsid sh -c 'echo $$; exec sleep 1000 >/dev/null' & cat >/dev/null", "PATH=/usr/bin:/bin", "ZDHOST_INSTANCE=shop-1")
	if got := Session(leader, ""); slices.Contains(got, others[0]) {
		t.Fatalf("%d has not left the session: %v", others[0], got)
	}
	if got := Session(leader, "ZDHOST_INSTANCE=shop-1"); !slices.Contains(got, others[0]) || !slices.Contains(got, leader) {
		t.Errorf("%v lacks %d or %v", got, leader, others)
	}
	if got := Strays(leader, "ZDHOST_INSTANCE=shop-1"); !slices.Equal(got, others[:1]) {
		t.Errorf("the strays are %v, want %v", got, others[:1])
	}
	for _, other := range []string{"ZDHOST_INSTANCE=shop-11", "ZDHOST_INSTANCE=shop-", "NCE=shop-1"} {
		if got := Session(leader, other); slices.Contains(got, others[0]) {
			t.Errorf("%s finds %d", other, others[0])
		}
	}
}

func TestZombiesDoNotLive(t *testing.T) {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() // it has ended
	pid := cmd.Process.Pid
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil { // ended, not collected
		t.Fatal(err)
	}
	if _, zombie, ok := stat(pid); !zombie || !ok {
		t.Fatalf("process %d is no zombie", pid)
	}
	if got := Session(pid, ""); len(got) != 0 {
		t.Errorf("the dead are listed: %v", got)
	}
}

func TestNamesMayContainAnything(t *testing.T) {
	leader, _ := start(t, "printf 'x) Z 1 1' >/proc/$$/comm; echo; cat >/dev/null")
	if session, zombie, ok := stat(leader); session != leader || zombie || !ok {
		t.Errorf("%d, %v, %v", session, zombie, ok)
	}
}

func TestNobodyThere(t *testing.T) {
	if _, _, ok := stat(1 << 30); ok {
		t.Error("a process that can't be has a state")
	}
	if hasVariable(1<<30, "PATH=") {
		t.Error("a process that can't be has an environment")
	}
}
