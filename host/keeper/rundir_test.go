package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRunDirKeepsWhatIsNotTheKeepers(t *testing.T) {
	d := runDir(filepath.Join(t.TempDir(), "run"))
	if err := d.make(); err != nil {
		t.Fatal(err)
	}
	mine, theirs := filepath.Join(string(d), "1.stdout"), filepath.Join(string(d), "precious")
	if err := errors.Join(unix.Mkfifo(mine, 0o600), os.WriteFile(theirs, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	d.remove()
	if _, err := os.Lstat(mine); !os.IsNotExist(err) {
		t.Errorf("a FIFO is left: %v", err)
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Errorf("a file that was there is gone: %v", err)
	}
	_ = os.Remove(theirs)
	d.remove()
	if _, err := os.Stat(string(d)); !os.IsNotExist(err) {
		t.Errorf("the empty directory is left: %v", err)
	}
}

func TestRunDirIsOpenToOtherUsersWhateverTheUmask(t *testing.T) {
	top := t.TempDir()
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	if err := runDir(filepath.Join(top, "zdhost", "abc")).make(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"zdhost", "zdhost/abc"} {
		if st, err := os.Stat(filepath.Join(top, dir)); err != nil || st.Mode().Perm() != 0o711 {
			t.Errorf("%s: %v, %v", dir, st.Mode(), err)
		}
	}
}

func TestRunDirRefusesWhatOthersHaveLaidOut(t *testing.T) {
	top := t.TempDir()
	if err := os.Chmod(top, os.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Geteuid(), os.Getegid()
	dir := func(name string, mode os.FileMode) string {
		path := filepath.Join(top, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(top, "link")
	if err := os.Symlink(dir("target", 0o755), link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, path string
		uid, gid   int
		want       string // of the refusal
	}{
		{"one's own", dir("own", 0o711), uid, gid, ""},
		{"not there yet", filepath.Join(top, "none", "x"), uid, gid, ""},
		{"a link of one's own", link, uid, gid, ""},
		{"open to all", dir("open", 0o777), uid, gid, "others may write in "},
		{"sticky", dir("sticky", os.ModeSticky|0o777), uid, gid, ""},
		{"open to one's group", dir("group", 0o775), uid, gid, ""},
	} {
		err := trusted(filepath.Join(c.path, "deeper"), c.uid, c.gid)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if uid != 0 {
		t.Skip("only root can give a directory to another user")
	}
	for _, name := range []string{"own", "link"} {
		if err := syscall.Lchown(filepath.Join(top, name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if err := runDir(filepath.Join(top, name, "deeper")).make(); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
			t.Errorf("%s of another user: %v", name, err)
		}
	}
}
