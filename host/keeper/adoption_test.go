package keeper

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/adopt"
)

func TestZonesAreComparedByIndex(t *testing.T) {
	lo, err := zoneIndex("lo")
	if err != nil || lo != 1 {
		t.Skipf("lo is %d: %v", lo, err)
	}
	for _, c := range []struct {
		rule, asked string
		want        int
	}{
		{"fe80::1%lo", "fe80::1%1", 3},
		{"fe80::1%1", "fe80::1%1", 3},
		{"fe80::1%lo", "fe80::1%2", 0},
		{"fe80::1%lo", "fe80::1", 0},
		{"fe80::1%lo", "fe80::2%1", 0},
		{"fe80::1%lo", "::", 2},
		{"::", "fe80::1%1", 1},
	} {
		asked := adopt.Bind{Family: unix.AF_INET6, Type: unix.SOCK_STREAM, Addr: netip.AddrPortFrom(netip.MustParseAddr(c.asked), 80)}
		if got := closeness(Address{Network: "tcp", Host: c.rule, Port: 80}, asked); got != c.want {
			t.Errorf("%s for %s: %d, want %d", c.rule, c.asked, got, c.want)
		}
	}
}

// deaf is a directory in which every look-up waits until the test ends.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no FUSE here: ", err)
	}
	dir := t.TempDir()
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", fd, os.Getuid(), os.Getgid())
	if err := unix.Mount("deaf", dir, "fuse", 0, options); err != nil {
		_ = unix.Close(fd)
		t.Skip("no FUSE here: ", err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fd) // ends the waiting
		_ = unix.Unmount(dir, unix.MNT_DETACH)
	})
	return dir
}

func TestPathsWhereNothingAnswersAreLeftAlone(t *testing.T) {
	path := filepath.Join(deaf(t), "dir", "other.sock")
	rule := Rule{Address: Address{Network: "unix", Path: filepath.Join(t.TempDir(), "a.sock")}}
	b := book{k: newBench(t, 1).Keeper, c: &child{spec: Spawn{Rules: []Rule{rule}}}}
	done := make(chan bool)
	go func() {
		_, matches := b.match(adopt.Bind{Family: unix.AF_UNIX, Type: unix.SOCK_STREAM, Path: path})
		done <- matches || b.KeepsPath(path)
	}()
	select {
	case ours := <-done:
		if ours {
			t.Error("the path is taken for the rule's")
		}
	case <-time.After(10 * time.Second):
		t.Error("the loop waits for the program's directory")
	}
}

func TestPathsAreComparedWithoutTheirLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	rule := Rule{Address: Address{Network: "unix", Path: filepath.Join(dir, "a.sock")}}
	b := book{k: newBench(t, 1).Keeper, c: &child{spec: Spawn{Rules: []Rule{rule}}}}
	if !b.KeepsPath(filepath.Join(dir, "link", "link", "a.sock")) {
		t.Error("the listener's path is not known through a link")
	}
	if b.KeepsPath(filepath.Join(dir, "link", "b.sock")) {
		t.Error("another path is kept")
	}
}
