package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every architecture that Go has for Linux.
const tick = 10 * time.Millisecond

// procStat is what /proc/PID/stat tells of a process.
type procStat struct {
	pid, parent int
	cpu         time.Duration // user and system time of all its threads
}

// parseProcStat reads one line; the command in parentheses may contain anything.
func parseProcStat(text string) (procStat, error) {
	bad := fmt.Errorf("cannot parse %q as /proc/PID/stat", text)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return procStat{}, bad
	}
	pid, err := strconv.Atoi(strings.TrimSpace(text[:open]))
	fields := strings.Fields(text[end+1:]) // from field 3 on, see proc(5)
	if err != nil || len(fields) < 13 {
		return procStat{}, bad
	}
	parent, err1 := strconv.Atoi(fields[4-3])
	user, err2 := strconv.ParseInt(fields[14-3], 10, 64)
	system, err3 := strconv.ParseInt(fields[15-3], 10, 64)
	if errors.Join(err1, err2, err3) != nil {
		return procStat{}, bad
	}
	return procStat{pid: pid, parent: parent, cpu: time.Duration(user+system) * tick}, nil
}

// readProcStats reads those of all processes. One that ends meanwhile is left out.
func readProcStats() ([]procStat, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("cannot read /proc: %w", err)
	}
	var stats []procStat
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		s, err := parseProcStat(string(bytes.TrimSpace(text)))
		if err != nil {
			return nil, err
		}
		stats = append(stats, s)
	}
	return stats, nil
}

// tree picks a process and all its descendants, parents first.
func tree(stats []procStat, root int) []procStat {
	var found []procStat
	children := map[int][]procStat{}
	for _, s := range stats {
		children[s.parent] = append(children[s.parent], s)
		if s.pid == root {
			found = append(found, s)
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

// cpuOf is the CPU time that the trees of processes below some roots have used.
func cpuOf(roots []int) (time.Duration, error) {
	stats, err := readProcStats()
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, root := range roots {
		for _, s := range tree(stats, root) {
			total += s.cpu
		}
	}
	return total, nil
}

// runTime is how long the threads of a process have run, to the nanosecond. It is exact only while no thread ends,
// as in a Go program at rest.
func runTime(pid int) (time.Duration, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(paths) == 0 {
		return 0, fmt.Errorf("cannot read the run time of process %d: no schedstat", pid)
	}
	var total time.Duration
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot parse %q as schedstat", text)
		}
		total += time.Duration(n)
	}
	return total, nil
}
