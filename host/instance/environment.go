package instance

import (
	"slices"
	"strconv"
	"strings"
)

// Identity is what a program is told of itself.
type Identity struct {
	Service, Release, Instance string
	Generation                 uint64
	NotifySocket               string
	WorkloadSocket             string
	WatchdogUSec               int64
	User                       string // of the program, for HOME, USER and LOGNAME; empty: ours
	Home                       string
}

// inherited are the variables of zdhost's own that every program gets.
var inherited = []string{"PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME"}

// Environment builds a program's environment: the few variables of zdhost's own,
// those that the service asks for, the service's, and who the program is. Later
// ones win. Without PATH in ours a usual one is set.
func Environment(id Identity, own []string, more []string, set map[string]string) []string {
	vars := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, kv := range own {
		k, v, ok := strings.Cut(kv, "=")
		if ok && (slices.Contains(inherited, k) || strings.HasPrefix(k, "LC_") || slices.Contains(more, k)) {
			vars[k] = v
		}
	}
	if id.User != "" {
		vars["USER"], vars["LOGNAME"], vars["HOME"] = id.User, id.User, id.Home
	}
	for k, v := range set {
		vars[k] = v
	}
	vars["ZDHOST_SERVICE"] = id.Service
	vars["ZDHOST_RELEASE"] = id.Release
	vars["ZDHOST_INSTANCE"] = id.Instance
	vars["ZDHOST_GENERATION"] = strconv.FormatUint(id.Generation, 10)
	if id.NotifySocket != "" {
		vars["NOTIFY_SOCKET"] = id.NotifySocket
	}
	if id.WorkloadSocket != "" {
		vars["ZDHOST_SOCKET"] = id.WorkloadSocket
	}
	if id.WatchdogUSec > 0 {
		vars["WATCHDOG_USEC"] = strconv.FormatInt(id.WatchdogUSec, 10)
	}
	env := make([]string, 0, len(vars))
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	return env
}
