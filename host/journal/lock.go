package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// acquireLock takes the writer's lock of dir and writes our PID into it. The
// lock is the open file: it ends with the process, however that ends. On a file
// system that is mounted read-only the lock is taken without the PID.
func acquireLock(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	writable := err == nil
	if errors.Is(err, unix.EROFS) {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock journal: %w", err)
	}
	err = control(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, &LockedError{Dir: dir, PID: readPID(f)}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock journal %s: %w", dir, err)
	}
	if writable {
		// The PID is for people: a disk too full for it must not keep the host from starting.
		_ = f.Truncate(0)
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return f, nil
}

// releaseLock leaves no PID behind that no longer holds the lock.
func releaseLock(f *os.File) error {
	_ = f.Truncate(0)
	return f.Close()
}

func readPID(f *os.File) int {
	b, _ := io.ReadAll(io.LimitReader(f, 32))
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
