package doctor

import (
	"fmt"
	"io"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Names of probes.
const (
	ProbeAdopt = "adopt" // answer a bind with another socket
	ProbeWait  = "wait"  // stay until standard input ends
)

// What the adopt probe answers.
const (
	probeWhole   = "whole"
	probeSignals = "works, but without WAIT_KILLABLE_RECV"
)

// Probe runs in a process of its own, which must end afterwards: a filter stays on its thread.
func Probe(name string, in io.Reader) (string, error) {
	switch name {
	case ProbeAdopt:
		return probeAdopt()
	case ProbeWait:
		_, err := io.Copy(io.Discard, in)
		return "", err
	}
	return "", fmt.Errorf("cannot probe %q: there is no such probe", name)
}

// probeAdopt binds a socket under a filter on this thread, answers from another thread with a lane
// in its place, and looks whether the lane is there.
func probeAdopt() (string, error) {
	runtime.LockOSThread() // for ever: the filter is on this thread
	lane, port, err := boundSocket()
	if err != nil {
		return "", err
	}
	program, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("cannot make a socket: %w", err)
	}
	notify, whole, err := installFilter()
	if err != nil {
		return "", fmt.Errorf("cannot install a user-notification filter: %w", err)
	}
	answered := make(chan error, 1)
	go func() { answered <- answerOne(notify, lane) }()
	if err := unix.Bind(program, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", fmt.Errorf("cannot bind under the filter: %w", err)
	}
	if err := <-answered; err != nil {
		return "", fmt.Errorf("cannot answer a bind (ADDFD with SETFD): %w", err)
	}
	got, err := unix.Getsockname(program)
	if err != nil {
		return "", fmt.Errorf("cannot tell what the program has: %w", err)
	}
	if address, isInet := got.(*unix.SockaddrInet4); !isInet || address.Port != port {
		return "", fmt.Errorf("the program has %v instead of the lane", got)
	}
	if !whole {
		return probeSignals, nil
	}
	return probeWhole, nil
}

func boundSocket() (fd, port int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, 0, fmt.Errorf("cannot make a socket: %w", err)
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return -1, 0, fmt.Errorf("cannot bind on loopback: %w", err)
	}
	address, err := unix.Getsockname(fd)
	if err != nil {
		return -1, 0, err
	}
	return fd, address.(*unix.SockaddrInet4).Port, nil
}

// installFilter sends this thread's bind calls to the descriptor that it returns; whole says that
// a signal can't disturb them.
func installFilter() (notify int, whole bool, err error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, false, err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 4}, // seccomp_data.arch
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: auditArch},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_BIND},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	fd, errno := seccomp(flags|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program)
	if errno == unix.EINVAL {
		fd, errno = seccomp(flags, &program)
		return fd, false, asError(errno)
	}
	return fd, true, asError(errno)
}

func seccomp(flags uintptr, program *unix.SockFprog) (int, unix.Errno) {
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(program)))
	return int(fd), errno
}

func asError(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// notification, response and addFD are struct seccomp_notif, seccomp_notif_resp and
// seccomp_notif_addfd of linux/seccomp.h.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

type addFD struct {
	id                             uint64
	flags, source, target, fdFlags uint32
}

// answerOne puts the lane over the descriptor of the next bind and lets it return 0. Failing, it
// lets the call through, so that nobody hangs.
func answerOne(notify, lane int) error {
	var call notification
	if err := ioctl(notify, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call)); err != nil {
		return err
	}
	over := addFD{
		id: call.id, flags: unix.SECCOMP_ADDFD_FLAG_SETFD,
		source: uint32(lane), target: uint32(call.args[0]), fdFlags: unix.O_CLOEXEC,
	}
	failed := ioctl(notify, unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&over))
	answer := response{id: call.id}
	if failed != nil {
		answer.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	}
	if err := ioctl(notify, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer)); err != nil {
		return err
	}
	return failed
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
		if errno != unix.EINTR {
			return asError(errno)
		}
	}
}
