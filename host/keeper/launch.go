package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/adopt"
	"github.com/zdhost/zdhost/internal/seqpacket"
)

// Descriptors of a launcher: its talk with the keeper, the spec, the lanes.
const (
	launchTalk  = 3
	launchSpec  = 4
	launchLanes = 5
	// highest is where launcher descriptors go that must stay out of the
	// program's way.
	highest = 100
)

// launchReport is what a launcher says: either the filter's notification
// descriptor comes with it, or it says what failed. The talk's end without a
// failure means that the program runs.
type launchReport struct {
	Failed *Error `json:"failed,omitempty"`
}

// Launch is the entry point of the launcher, the process that becomes the
// program. It returns the exit status where it could not.
func Launch() int {
	runtime.LockOSThread() // the filter and the execve belong to this thread
	talk, err := unix.FcntlInt(launchTalk, unix.F_DUPFD_CLOEXEC, highest)
	if err != nil {
		fmt.Fprintln(os.Stderr, "zdhost: the launcher is started by the keeper only")
		return 2
	}
	// The number stays taken until the runtime's poller has its own descriptors:
	// the lanes go to the numbers from here on, and must not meet them.
	conn, err := seqpacket.New(talk)
	if err != nil {
		return 2
	}
	_ = unix.Close(launchTalk)
	failed := launch(conn)
	report, _ := json.Marshal(launchReport{Failed: failed})
	_ = conn.Send(report, nil)
	return 127
}

// launch never returns where it succeeds.
func launch(talk *seqpacket.Conn) *Error {
	fail := func(step string, err error) *Error {
		e := wireError(err)
		return &Error{Step: step, Errno: e.Errno, Text: e.Text}
	}
	spec, err := readSpec()
	if err != nil {
		return fail("reading the order", err)
	}
	env := spec.Env
	if spec.Sockets == "inherit" {
		if env, err = inherit(spec); err != nil {
			return fail("passing sockets", err)
		}
	}
	if err := setLimits(spec.Limits, spec.Cgroup); err != nil {
		return fail("setting limits", err)
	}
	if spec.Sockets == "adopt" {
		if err := watch(spec, talk); err != nil {
			return fail("adopting sockets", err)
		}
	}
	if spec.User != nil {
		if err := become(*spec.User); err != nil {
			return fail("changing the user", err)
		}
	}
	if err := os.Chdir(spec.Dir); err != nil {
		return fail("entering "+spec.Dir, errors.Unwrap(err))
	}
	err = syscall.Exec(spec.Path, spec.Argv, env)
	return fail("executing "+spec.Path, err)
}

func readSpec() (Spawn, error) {
	f := os.NewFile(launchSpec, "order")
	defer f.Close()
	var spec Spawn
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxBytes))
	if err != nil {
		return spec, err
	}
	return spec, json.Unmarshal(b, &spec)
}

// setLimits joins the cgroup, which bounds all processes of the instance
// together, or sets what rlimits there are, for each process by itself.
func setLimits(l Limits, cgroup string) error {
	if cgroup != "" {
		if err := writeValue(cgroup, "cgroup.procs", "0"); err != nil {
			return err
		}
		l.Memory, l.Processes = 0, 0
	}
	for _, r := range []struct {
		what  int
		value uint64
	}{{unix.RLIMIT_NOFILE, l.Files}, {unix.RLIMIT_NPROC, l.Processes}, {unix.RLIMIT_DATA, l.Memory}} {
		if r.value == 0 {
			continue
		}
		// syscall's own function, so that the Go runtime doesn't restore the
		// limit it found at its start when it execs.
		if err := syscall.Setrlimit(r.what, &syscall.Rlimit{Cur: r.value, Max: r.value}); err != nil {
			return err
		}
	}
	return nil
}

// watch installs the filter and hands its notifications to the keeper. With the
// privilege it does without no_new_privs, before the user is changed.
func watch(spec Spawn, talk *seqpacket.Conn) error {
	o := adopt.Options{}
	for _, r := range spec.Rules {
		o.Unlink = o.Unlink || r.Address.Network == "unix"
	}
	o.Privileged = true
	fd, err := adopt.Install(o)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		o.Privileged = false
		fd, err = adopt.Install(o)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	report, err := json.Marshal(launchReport{})
	if err != nil {
		return err
	}
	return talk.Send(report, []int{fd})
}

func become(u User) error {
	groups := make([]int, len(u.Groups))
	for i, g := range u.Groups {
		groups[i] = int(g)
	}
	if os.Geteuid() != 0 && uint32(os.Geteuid()) == u.UID {
		return nil // already so; an ordinary user can't set groups
	}
	if err := syscall.Setgroups(groups); err != nil {
		return err
	}
	if err := syscall.Setgid(int(u.GID)); err != nil {
		return err
	}
	return syscall.Setuid(int(u.UID))
}

// inherit moves the lanes to the descriptors from 3 on, as systemd's socket
// activation passes them (sd_listen_fds(3)).
func inherit(spec Spawn) ([]string, error) {
	n := len(spec.Rules)
	if n > highest-launchLanes {
		return nil, fmt.Errorf("%d sockets are more than can be inherited", n)
	}
	up := make([]int, n)
	for i := range n {
		fd, err := unix.FcntlInt(uintptr(launchLanes+i), unix.F_DUPFD_CLOEXEC, highest)
		if err != nil {
			return nil, err
		}
		up[i] = fd
		_ = unix.Close(launchLanes + i)
	}
	names := make([]string, n)
	for i, r := range spec.Rules {
		if err := unix.Dup3(up[i], 3+i, 0); err != nil {
			return nil, err
		}
		names[i] = r.Listener
	}
	return append(spec.Env[:len(spec.Env):len(spec.Env)],
		"LISTEN_FDS="+strconv.Itoa(n),
		"LISTEN_PID="+strconv.Itoa(os.Getpid()),
		"LISTEN_FDNAMES="+strings.Join(names, ":")), nil
}
