package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSocketIsPrivateAndLeavesNothingBehind(t *testing.T) {
	dir := stateDir(t)
	listener, err := Listen(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, SocketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket: %v, %v", info, err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNewerSocketSurvivesTheOlderListener(t *testing.T) {
	dir := stateDir(t)
	older, err := Listen(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := Listen(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Close()
	if err := older.Close(); err != nil {
		t.Fatal(err)
	}
	dial(t, dir)
}

func TestLongStateDirIsPointedAt(t *testing.T) {
	run := stateDir(t)
	long := filepath.Join(stateDir(t), strings.Repeat("d", 90))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(long, "", nil); err == nil || !strings.Contains(err.Error(), "there is no run_dir") {
		t.Errorf("without run_dir: %v", err)
	}
	listener, err := Listen(long, run, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if path, err := SocketPath(long); err != nil || path != filepath.Join(run, SocketName) {
		t.Errorf("SocketPath = %q, %v", path, err)
	}
	dial(t, long)
}

func TestPointerGoesWhenThePathIsShortAgain(t *testing.T) {
	dir := stateDir(t)
	pointer := filepath.Join(dir, pointerName)
	if err := os.WriteFile(pointer, []byte("/elsewhere/control.sock\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := os.Stat(pointer); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the pointer is still there: %v", err)
	}
	dial(t, dir)
}

func TestDialWithoutHost(t *testing.T) {
	begun := time.Now()
	_, err := Dial(deadline(t), stateDir(t))
	if !HasCode(err, NoHost) || !strings.HasSuffix(err.Error(), "no host answers") {
		t.Errorf("got %v", err)
	}
	if time.Since(begun) > hostPause/2 {
		t.Error("waited though there is no socket")
	}
}

func TestDialWaitsForAHostThatIsStartedAgain(t *testing.T) {
	dir := stateDir(t)
	leaveStaleSocket(t, dir)
	dialled := make(chan error, 1)
	go func() {
		client, err := Dial(deadline(t), dir)
		if err == nil {
			client.Close()
		}
		dialled <- err
	}()
	select {
	case err := <-dialled:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(4 * retryEvery):
	}
	start(t, dir, &fakeBackend{})
	if err := <-dialled; err != nil {
		t.Error(err)
	}
}

func TestDialGivesUpOnAStaleSocket(t *testing.T) {
	dir := stateDir(t)
	leaveStaleSocket(t, dir)
	if _, err := Dial(deadline(t), dir); !HasCode(err, NoHost) {
		t.Errorf("got %v", err)
	}
}

// leaveStaleSocket leaves what a killed host leaves.
func leaveStaleSocket(t *testing.T, dir string) {
	t.Helper()
	listener, err := Listen(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.(*socket).UnixListener.Close(); err != nil {
		t.Fatal(err)
	}
}
