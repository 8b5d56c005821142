package adopt

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Options says what the filter watches.
type Options struct {
	// Unlink also sends unlink and unlinkat, for a service with a Unix-socket
	// listener, whose path belongs to zdhost.
	Unlink bool
	// Privileged installs without no_new_privs, so that set-uid programs and
	// file capabilities go on working. It needs CAP_SYS_ADMIN.
	Privileged bool
}

// Install puts the filter on the calling thread and returns its notification
// descriptor, which is close-on-exec. The caller must have locked its goroutine
// to the thread and must go on to execve from it.
func Install(o Options) (int, error) {
	if !o.Privileged {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return -1, fmt.Errorf("cannot set no_new_privs: %w", err)
		}
	}
	prog := filter(o)
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	// Each flag that an old kernel does not know is dropped in turn: without
	// WAIT_KILLABLE_RECV (5.19) a signal may restart a call, without
	// SPEC_ALLOW the program is slower; both are survivable.
	base := uintptr(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	for _, flags := range []uintptr{
		base | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW | flagWaitKillable,
		base | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		base,
	} {
		fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
		if errno == 0 {
			return int(fd), nil
		}
		if !errors.Is(errno, unix.EINVAL) {
			return -1, fmt.Errorf("cannot install the seccomp filter: %w", errno)
		}
	}
	return -1, fmt.Errorf("cannot install the seccomp filter: %w", unix.EINVAL)
}

const flagWaitKillable = 1 << 5 // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

// Offsets in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
	offArg1   = 16 + 8 // low half of args[1], little endian
)

// filter builds the program. A call of another architecture passes, so does
// shutdown(SHUT_WR), which is common on connections and harmless to a lane.
func filter(o Options) []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atLst = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	watched := []uint32{unix.SYS_BIND, unix.SYS_LISTEN}
	if o.Unlink {
		watched = append(watched, unlinkNumbers...)
	}
	n := len(watched)
	prog := []unix.SockFilter{
		{Code: load, K: offArch},
		{Code: equal, K: auditArch, Jt: 1},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
		{Code: load, K: offNumber},
		{Code: atLst, K: x32Bit, Jt: uint8(n + 3)}, // → allow
	}
	for i, nr := range watched {
		prog = append(prog, unix.SockFilter{Code: equal, K: nr, Jt: uint8(n - i - 1 + 4)}) // → notify
	}
	return append(prog,
		unix.SockFilter{Code: equal, K: unix.SYS_SHUTDOWN, Jf: 2}, // else → allow
		unix.SockFilter{Code: load, K: offArg1},
		unix.SockFilter{Code: equal, K: unix.SHUT_WR, Jf: 1}, // else → notify
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_USER_NOTIF},
	)
}
