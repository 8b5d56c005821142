package promises

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leaveWithin is how long what a host has killed may take to be gone.
const leaveWithin = 5 * time.Second

// checkNothingLeft fails the test if a process or a socket file of this directory is left, and ends such processes.
func (g *ground) checkNothingLeft() {
	g.t.Helper()
	left := g.processes()
	for deadline := time.Now().Add(leaveWithin); len(left) > 0 && time.Now().Before(deadline); left = g.processes() {
		<-time.After(pollStep)
	}
	for _, p := range left {
		g.t.Errorf("a process is left: %s", p)
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	for _, path := range g.sockets() {
		g.t.Errorf("a socket file is left: %s", path)
	}
}

// process is one that belongs to a test.
type process struct {
	pid         int
	commandLine string
}

func (p process) String() string { return fmt.Sprintf("%d %s", p.pid, p.commandLine) }

// processes lists those whose environment or command line names this directory: zdhost's own and every instance.
func (g *ground) processes() []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		g.t.Fatal(err)
	}
	mark := []byte(g.dir + "/")
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		commandLine, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		environment, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if bytes.Contains(commandLine, mark) || bytes.Contains(environment, mark) {
			found = append(found, process{pid, strings.ReplaceAll(string(commandLine), "\x00", " ")})
		}
	}
	return found
}

// sockets lists the socket files under the directory.
func (g *ground) sockets() []string {
	var found []string
	_ = filepath.WalkDir(g.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type()&fs.ModeSocket != 0 {
			found = append(found, path)
		}
		return nil
	})
	slices.Sort(found)
	return found
}
