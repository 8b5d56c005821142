package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// runDir is the directory of the sockets and FIFOs. Programs of any user pass
// through it and may not list it.
type runDir string

const runDirMode = 0o711

// make makes the directory and those above it that are missing, whatever the
// umask is. Below a directory in which everybody may write it refuses what is
// somebody else's.
func (d runDir) make() error {
	path := filepath.Clean(string(d))
	if err := trusted(path, os.Geteuid(), os.Getegid()); err != nil {
		return fmt.Errorf("cannot make the run directory %s: %w", path, err)
	}
	if err := makeAll(path); err != nil {
		return fmt.Errorf("cannot make the run directory %s: %w", path, err)
	}
	if err := trusted(path, os.Geteuid(), os.Getegid()); err != nil { // what came in between
		return fmt.Errorf("cannot make the run directory %s: %w", path, err)
	}
	return nil
}

func makeAll(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return syscall.ENOTDIR
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeAll(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, runDirMode); err != nil {
		return err
	}
	return os.Chmod(path, runDirMode) // the umask may have taken bits
}

// remove takes away the sockets and FIFOs in it, and the directory if nothing
// else is there: what it finds else is not the keeper's.
func (d runDir) remove() {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Type() == fs.ModeSocket || e.Type() == fs.ModeNamedPipe {
			_ = os.Remove(filepath.Join(string(d), e.Name()))
		}
	}
	_ = os.Remove(string(d))
}

// removeSockets removes the files that are sockets.
func removeSockets(paths []string) {
	for _, path := range paths {
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			_ = os.Remove(path)
		}
	}
}

// maxLinks is how many symbolic links the kernel follows in one path.
const maxLinks = 40

// trusted follows an absolute path. From the first directory on in which
// everybody may write, each component must be the user's own or root's, and
// nobody else may write in it unless it is sticky. What doesn't exist is fine.
func trusted(path string, uid, gid int) error {
	shared := false
	at, rest, links := "/", strings.Split(strings.Trim(path, "/"), "/"), 0
	for len(rest) > 0 {
		name := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("cannot tell the owner of %s", name)
		}
		if shared && owner.Uid != 0 && int(owner.Uid) != uid {
			return fmt.Errorf("%s belongs to user %d, and others may write in the directory above it", name, owner.Uid)
		}
		if info.Mode().Type() == fs.ModeSymlink {
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			if links++; links > maxLinks {
				return syscall.ELOOP
			}
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = append(strings.Split(strings.Trim(filepath.Clean(target), "/"), "/"), rest...)
			continue
		}
		strangers := info.Mode().Perm()&0o002 != 0 || info.Mode().Perm()&0o020 != 0 && owner.Gid != 0 && int(owner.Gid) != gid
		if shared && strangers && info.Mode()&fs.ModeSticky == 0 {
			return fmt.Errorf("others may write in %s", name)
		}
		shared = shared || info.Mode().Perm()&0o002 != 0
		at = name
	}
	return nil
}
