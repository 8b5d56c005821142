package doctor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const probeTimeout = 5 * time.Second

// Machine is what the checks look at. The zero functions are not allowed; [ThisMachine] fills them
// in, tests replace them.
type Machine struct {
	StateDir   string // of the host that is to run, need not exist
	UID        int
	ReadFile   func(path string) ([]byte, error)
	Release    func() (string, error) // uname -r
	OpenFiles  func() (soft, hard uint64, err error)
	Filesystem func(path string) (magic int64, err error)
	Steering   func() error // steer a group of two sockets
	Diag       func(family uint8) error
	Writable   func(path string) bool
	// Probe runs [Probe] in a process of its own; its output is what Probe returned.
	Probe func(ctx context.Context, name string) (string, error)
	// Fetch takes a descriptor from a process of ours that does not expect it.
	Fetch func(ctx context.Context) error
}

// ThisMachine looks at the real machine. command is how this binary is told to run a probe; the
// probe's name follows.
func ThisMachine(stateDir string, command ...string) Machine {
	return Machine{
		StateDir:   stateDir,
		UID:        os.Geteuid(),
		ReadFile:   os.ReadFile,
		Release:    kernelRelease,
		OpenFiles:  openFiles,
		Filesystem: filesystem,
		Steering:   trySteering,
		Diag:       tryDiag,
		Writable:   func(path string) bool { return unix.Access(path, unix.W_OK) == nil },
		Probe:      func(ctx context.Context, name string) (string, error) { return runProbe(ctx, command, name) },
		Fetch:      func(ctx context.Context) error { return tryFetch(ctx, command) },
	}
}

func kernelRelease() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(name.Release[:]), nil
}

func openFiles() (soft, hard uint64, err error) {
	var limit unix.Rlimit
	err = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	return limit.Cur, limit.Max, err
}

func filesystem(path string) (int64, error) {
	var stat unix.Statfs_t
	err := unix.Statfs(path, &stat)
	return int64(stat.Type), err
}

func probeCommand(ctx context.Context, command []string, name string) *exec.Cmd {
	args := append(append([]string{}, command[1:]...), name)
	probe := exec.CommandContext(ctx, command[0], args...)
	probe.WaitDelay = time.Second
	return probe
}

func runProbe(ctx context.Context, command []string, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var out, problem strings.Builder
	probe := probeCommand(ctx, command, name)
	probe.Stdout, probe.Stderr = &out, &problem
	err := probe.Run()
	switch {
	case ctx.Err() != nil:
		return "", errors.New("the probe did not end in time")
	case err != nil && problem.Len() > 0:
		return "", errors.New(strings.TrimSpace(problem.String()))
	case err != nil:
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

// tryFetch does what a keeper does that was started after the death of another one and of its host.
func tryFetch(ctx context.Context, command []string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	probe := probeCommand(ctx, command, ProbeWait)
	in, err := probe.StdinPipe()
	if err != nil {
		return err
	}
	if err := probe.Start(); err != nil {
		return err
	}
	defer func() {
		_ = in.Close() // ends the probe
		_ = probe.Wait()
	}()
	pidfd, err := unix.PidfdOpen(probe.Process.Pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, 0, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
