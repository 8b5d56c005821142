package listener

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// reservation is a source address that nobody else can connect from while it is held, also after the socket that
// connected from it was closed.
type reservation struct {
	source    netip.AddrPort
	duplicate int
}

// reserve binds the socket to the target's own address and a port that the kernel chooses.
func reserve(s socket, target netip.AddrPort) (reservation, error) {
	if err := s.bind(netip.AddrPortFrom(target.Addr(), 0)); err != nil {
		return reservation{}, err
	}
	source, err := s.local()
	if err != nil {
		return reservation{}, err
	}
	duplicate, err := unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return reservation{}, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	return reservation{source: source, duplicate: duplicate}, nil
}

func (r reservation) release() error {
	return os.NewSyscallError("close", unix.Close(r.duplicate))
}

// maxUnixPath is the length of sun_path without its NUL.
const maxUnixPath = 107

// shortPath returns a name for a socket file that fits into sun_path, good until release is called.
func shortPath(path string) (short string, release func(), err error) {
	if len(path) <= maxUnixPath {
		return path, func() {}, nil
	}
	directory, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", directory, filepath.Base(path)), func() { unix.Close(directory) }, nil
}
