package release

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disk is each step that writes. Tests replace its functions.
type disk struct {
	mkdir    func(root *os.Root, path string) error
	create   func(root *os.Root, path string) (*os.File, error)
	write    func(f *os.File, b []byte) (int, error)
	clone    func(to, from *os.File) error // shares the blocks, where the file system can
	symlink  func(root *os.Root, target, path string) error
	chmod    func(root *os.Root, path string, mode os.FileMode) error
	sync     func(f *os.File) error
	syncAll  func(dir string) error // the whole file system of dir
	rename   func(from, to string) error
	exchange func(a, b string) error // swaps two directories in one step
}

func realDisk() disk {
	return disk{
		mkdir: func(root *os.Root, path string) error { return root.MkdirAll(path, 0o755) },
		create: func(root *os.Root, path string) (*os.File, error) {
			return root.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		},
		write:    (*os.File).Write,
		clone:    clone,
		symlink:  func(root *os.Root, target, path string) error { return root.Symlink(target, path) },
		chmod:    func(root *os.Root, path string, mode os.FileMode) error { return root.Chmod(path, mode) },
		sync:     (*os.File).Sync,
		syncAll:  syncAll,
		rename:   os.Rename,
		exchange: exchange,
	}
}

// fileWriter writes to a file through the disk.
type fileWriter struct {
	disk disk
	file *os.File
}

func (w fileWriter) Write(b []byte) (int, error) { return w.disk.write(w.file, b) }

// syncPath makes the file or directory at path, below root, durable.
func (d disk) syncPath(root *os.Root, path string) error {
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.sync(f)
}

// writeFile makes a new file at path, below root, that holds b, durably.
func (d disk) writeFile(root *os.Root, path string, b []byte, mode os.FileMode) error {
	f, err := d.create(root, path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := d.write(f, b); err != nil {
		return err
	}
	if err := d.chmod(root, path, mode); err != nil {
		return err
	}
	return d.sync(f)
}

func clone(to, from *os.File) error {
	return withFD(to, func(toFD int) error {
		return withFD(from, func(fromFD int) error { return unix.IoctlFileClone(toFD, fromFD) })
	})
}

func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return withFD(f, unix.Syncfs)
}

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// withFD runs fn on the descriptor, which stays open meanwhile.
func withFD(f *os.File, fn func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var fnErr error
	if err := raw.Control(func(fd uintptr) { fnErr = fn(int(fd)) }); err != nil {
		return err
	}
	return fnErr
}

// removeTree removes dir, its read-only directories included.
func removeTree(dir string) error {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700) //nolint:gosec // nobody else writes there
		}
		return err
	})
	return os.RemoveAll(dir)
}
