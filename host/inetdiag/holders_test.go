package inetdiag

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestHoldersFollowDescriptors(t *testing.T) {
	l := listen(t, "tcp4", "127.0.0.1:0", nil)
	inode := inodeOf(t, l)
	mine, err := SocketInodes(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := mine[inode]; !ok {
		t.Fatalf("own inodes %v lack %d", mine, inode)
	}

	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("cat")
	child.ExtraFiles = []*os.File{file}
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pid := child.Process.Pid
	file.Close()

	held := func() []int {
		holding, err := Holders(inode, 1<<32-2)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(holding.Unreadable, os.Getpid()) || slices.Contains(holding.Unreadable, pid) {
			t.Fatalf("own processes are unreadable: %v", holding.Unreadable)
		}
		if len(holding.ByInode) > 1 {
			t.Fatalf("an inode that nobody holds is listed: %v", holding.ByInode)
		}
		return holding.ByInode[inode]
	}
	both := []int{os.Getpid(), pid}
	slices.Sort(both)
	if got := held(); !slices.Equal(got, both) {
		t.Errorf("holders are %v, want %v", got, both)
	}
	l.Close()
	if got := held(); !slices.Equal(got, []int{pid}) {
		t.Errorf("holders are %v, want %d", got, pid)
	}
	stdin.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := held(); got != nil {
		t.Errorf("holders of a closed socket are %v", got)
	}
	if _, err := SocketInodes(pid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process that is gone gives %v", err)
	}
}

func TestHoldersNameUnreadableProcesses(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may look into every process")
	}
	_, err := SocketInodes(1)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "process 1") {
		t.Errorf("process 1 gives %v", err)
	}
	holding, err := Holders()
	if err != nil || !slices.Contains(holding.Unreadable, 1) {
		t.Errorf("unreadable are %v, error %v", holding.Unreadable, err)
	}
}

func TestSocketInode(t *testing.T) {
	for target, want := range map[string]uint64{"socket:[12345]": 12345, "pipe:[12345]": 0, "/tmp/socket:[1]": 0, "socket:[x]": 0} {
		if got, _ := socketInode(target); got != want {
			t.Errorf("%s has inode %d, want %d", target, got, want)
		}
	}
}
