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
		if ok && !zombie && (session == leader || mark != "" && hasVariable(pid, mark)) {
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
