package journal

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disk is what a bad disk makes fail. Tests replace its functions.
type disk struct {
	writeAt  func(f *os.File, b []byte, off int64) (int, error)
	truncate func(f *os.File, size int64) error
	sync     func(f *os.File) error // fdatasync
	rename   func(from, to string) error
	syncDir  func(dir string) error
}

func realDisk() disk {
	return disk{
		writeAt:  (*os.File).WriteAt,
		truncate: (*os.File).Truncate,
		sync:     fdatasync,
		rename:   os.Rename,
		syncDir:  syncDir,
	}
}

// place makes the file at path hold b, whole or not at all, and durable when it
// returns nil. A failed fsync is a *syncError. The caller closes the file, which
// is open for reading and writing.
func (d disk) place(path string, b []byte) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPattern)
	if err != nil {
		return nil, err
	}
	if err := d.fillAndMove(f, path, b); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return f, nil
}

func (d disk) fillAndMove(f *os.File, path string, b []byte) error {
	if _, err := d.writeAt(f, b, 0); err != nil {
		return err
	}
	if err := d.sync(f); err != nil {
		return &syncError{path, err}
	}
	if err := d.rename(f.Name(), path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := d.syncDir(dir); err != nil {
		return &syncError{dir, err}
	}
	return nil
}

// placeFile is place without the open file.
func (d disk) placeFile(path string, b []byte) error {
	f, err := d.place(path, b)
	if err != nil {
		return err
	}
	return f.Close()
}

// tempPattern names files that are not in their place yet; the next Open
// removes those that a crash left.
const tempPattern = "new-*.tmp"

// sweepTemps removes what interrupted calls of place left in dir.
func sweepTemps(dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, tempPattern))
	for _, name := range names {
		os.Remove(name)
	}
}

func fdatasync(f *os.File) error {
	return control(f, func(fd int) error {
		for {
			if err := unix.Fdatasync(fd); err != unix.EINTR {
				return err
			}
		}
	})
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// control runs fn on the descriptor, which stays open meanwhile.
func control(f *os.File, fn func(fd int) error) error {
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
