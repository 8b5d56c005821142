package zdapp

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstInherited is the descriptor at which passed sockets begin.
const firstInherited = 3

// Listeners returns the listening sockets that this process inherited (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES), by
// name. The first call takes them and unsets the variables, so that children don't take them, too; later calls, and
// [App.Run], get the same ones. Without inherited sockets the map is empty.
//
// A socket without a name of its own is called "fd3", "fd4" and so on. Descriptors that are no listening stream
// sockets are left open and are not in the map.
func Listeners() (map[string]net.Listener, error) { return inherited() }

// inherited reads the environment once: what a process inherits, it inherits once.
var inherited = sync.OnceValues(func() (map[string]net.Listener, error) {
	count, pid, names := os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, fmt.Errorf("cannot take inherited listeners: %w", err)
		}
	}
	if count == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 1<<20 {
		return nil, fmt.Errorf("cannot take inherited listeners: LISTEN_FDS is %q", count)
	}
	return takeInherited(n, inheritedNames(n, names))
})

// inheritedNames returns a name for each of n descriptors; no name occurs twice.
func inheritedNames(n int, list string) []string {
	given := strings.Split(list, ":")
	names := make([]string, n)
	seen := make(map[string]bool, n)
	for i := range names {
		names[i] = "fd" + strconv.Itoa(firstInherited+i)
		if i < len(given) && given[i] != "" && given[i] != "unknown" && !seen[given[i]] {
			names[i] = given[i]
		}
		seen[names[i]] = true
	}
	return names
}

func takeInherited(n int, names []string) (map[string]net.Listener, error) {
	listeners := make(map[string]net.Listener, n)
	for i := range n {
		fd := firstInherited + i
		unix.CloseOnExec(fd)
		if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening == 0 {
			continue
		}
		l, err := laneOf(fd, names[i])
		if err != nil {
			return nil, fmt.Errorf("cannot take inherited listener %q: %w", names[i], err)
		}
		listeners[names[i]] = l
	}
	return listeners, nil
}

// laneOf turns the descriptor of a listening socket into a listener. It closes the descriptor.
func laneOf(fd int, name string) (lane, error) {
	file, err := fileOf(fd, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	if l, ok := l.(lane); ok {
		return l, nil
	}
	_ = l.Close()
	return nil, fmt.Errorf("a %s listener can't be paused", l.Addr().Network())
}

// fileOf makes a file of a socket that others hold, too. The socket is non-blocking first: a file that had to switch
// it would switch it back, for all its holders, when net takes the descriptor.
func fileOf(fd int, name string) (*os.File, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name), nil
}
