package adopt

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Notification is one call of the program that waits for its answer.
type Notification struct {
	ID  uint64
	TID int // the thread that made the call
	NR  int32
	Arg [6]uint64
}

// Sizes of the kernel's structures as this package lays them out; a kernel may
// use more and says how much (SECCOMP_GET_NOTIF_SIZES).
const (
	notifSize = 80
	respSize  = 24
)

const (
	ioctlRecv    = 0xc0502100
	ioctlSend    = 0xc0182101
	ioctlIDValid = 0x40082102
	ioctlAddFD   = 0x40182103

	respContinue = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
	addFDSet     = 1 // SECCOMP_ADDFD_FLAG_SETFD
)

// ErrGone reports that the thread whose call was notified no longer waits: it
// died or was interrupted. There is nothing to answer.
var ErrGone = errors.New("the call is no longer waiting")

var sizes = sync.OnceValues(func() (struct{ notif, resp, data uint16 }, error) {
	var s struct{ notif, resp, data uint16 }
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_NOTIF_SIZES, 0, uintptr(unsafe.Pointer(&s)))
	if errno != 0 {
		return s, fmt.Errorf("cannot ask for notification sizes: %w", errno)
	}
	if s.notif < notifSize || s.resp < respSize {
		return s, fmt.Errorf("cannot use the kernel's notifications: %d and %d bytes", s.notif, s.resp)
	}
	return s, nil
})

// Receive takes the next notification from fd. It returns ErrGone where the
// caller vanished between poll and receive.
func Receive(fd int) (Notification, error) {
	s, err := sizes()
	if err != nil {
		return Notification{}, err
	}
	buf := make([]uint64, (int(s.notif)+7)/8) // zeroed, as the kernel demands
	if err := ioctl(fd, ioctlRecv, unsafe.Pointer(&buf[0])); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return Notification{}, ErrGone
		}
		return Notification{}, fmt.Errorf("cannot receive a notification: %w", err)
	}
	n := Notification{ID: buf[0], TID: int(int32(buf[1])), NR: int32(buf[2])}
	// u64 id; u32 pid, flags; then seccomp_data: int nr, u32 arch, u64 ip, u64 args[6].
	copy(n.Arg[:], buf[4:10])
	return n, nil
}

// Valid reports whether the call still waits. What was read from the program
// before a Valid that says yes was the program's.
func Valid(fd int, id uint64) bool {
	return ioctl(fd, ioctlIDValid, unsafe.Pointer(&id)) == nil
}

// Answer ends the call with a return value of 0, or with errno if it isn't 0.
func Answer(fd int, id uint64, errno unix.Errno) error {
	return respond(fd, id, errno, 0)
}

// Continue lets the call go through as if nobody had asked.
func Continue(fd int, id uint64) error { return respond(fd, id, 0, respContinue) }

// respond is struct seccomp_notif_resp: u64 id, s64 val, s32 error, u32 flags.
func respond(fd int, id uint64, errno unix.Errno, flags uint32) error {
	s, err := sizes()
	if err != nil {
		return err
	}
	buf := make([]uint64, (int(s.resp)+7)/8)
	buf[0] = id
	buf[2] = uint64(uint32(-int32(errno))) | uint64(flags)<<32
	if err := ioctl(fd, ioctlSend, unsafe.Pointer(&buf[0])); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return ErrGone
		}
		return fmt.Errorf("cannot answer a notification: %w", err)
	}
	return nil
}

// place puts src over the program's descriptor target, with close-on-exec as
// the program had it.
func place(fd int, id uint64, src, target int, cloexec bool) error {
	arg := struct {
		id                            uint64
		flags, src, target, fileFlags uint32
	}{id: id, flags: addFDSet, src: uint32(src), target: uint32(target)}
	if cloexec {
		arg.fileFlags = unix.O_CLOEXEC
	}
	for {
		err := ioctl(fd, ioctlAddFD, unsafe.Pointer(&arg))
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOENT):
			return ErrGone
		default:
			return fmt.Errorf("cannot place a lane in the program: %w", err)
		}
	}
}

// ioctl needs the raw call since x/sys has no wrapper for these requests.
func ioctl(fd int, req uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}
