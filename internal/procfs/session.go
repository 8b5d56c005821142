package procfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Session lists the living processes of a session, its leader included. mark, if
// not empty, is a "NAME=value" by which a process that made a session of its own
// is recognised, where its environment can be read.
func Session(leader int, mark string) []int {
	return list(func(pid, session int) bool { return session == leader || mark != "" && hasVariable(pid, mark) })
}

// Strays lists those of Session(leader, mark) that left the session. To read an
// environment may take for ever: it waits for the memory of a process, which may
// wait for a file system.
func Strays(leader int, mark string) []int {
	if mark == "" {
		return nil
	}
	return list(func(pid, session int) bool { return session != leader && hasVariable(pid, mark) })
}

// list names the living processes for which belongs says so.
func list(belongs func(pid, session int) bool) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		session, zombie, ok := stat(pid)
		if ok && !zombie && belongs(pid, session) {
			found = append(found, pid)
		}
	}
	return found
}

func hasVariable(pid int, mark string) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && strings.Contains("\x00"+string(env), "\x00"+mark+"\x00")
}

// stat reads the session and the state out of /proc/PID/stat, whose second
// field may contain anything in parentheses.
func stat(pid int) (session int, zombie, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false, false
	}
	i := strings.LastIndexByte(string(b), ')')
	if i < 0 {
		return 0, false, false
	}
	fields := strings.Fields(string(b[i+1:]))
	if len(fields) < 4 {
		return 0, false, false
	}
	session, err = strconv.Atoi(fields[3])
	return session, fields[0] == "Z", err == nil
}
