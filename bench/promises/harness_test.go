package promises

import (
	"net"
	"os/exec"
	"testing"
)

// TestHarness_SeesWhatIsLeft is the negative control of checkNothingLeft: a process and a socket file that belong to
// a directory are seen, and others are not.
func TestHarness_SeesWhatIsLeft(t *testing.T) {
	g, other := newGround(t, nil), newGround(t, nil)
	stray := exec.Command("/bin/sleep", "1000")
	stray.Env = []string{"ZDHOST_SOCKET=" + g.path("run/x")}
	if err := stray.Start(); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", g.path("sock"))
	if err != nil {
		t.Fatal(err)
	}
	if left := g.processes(); len(left) != 1 || left[0].pid != stray.Process.Pid {
		t.Errorf("the processes left are %v, want %d", left, stray.Process.Pid)
	}
	if left := g.sockets(); len(left) != 1 {
		t.Errorf("the sockets left are %v", left)
	}
	if left := other.processes(); len(left) != 0 || len(other.sockets()) != 0 {
		t.Errorf("another directory has %v and %v", left, other.sockets())
	}
	_ = stray.Process.Kill()
	_ = stray.Wait()
	_ = listener.Close()
}
