package instance

import (
	"slices"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	own := []string{
		"PATH=/own", "HOME=/root", "LANG=C", "LC_ALL=de", "TZ=UTC", "USER=root", "LOGNAME=root",
		"SECRET=1", "WANTED=2", "NOTIFY_SOCKET=/systemd", "LISTEN_FDS=3", "broken", "EMPTY=",
	}
	id := Identity{Service: "shop", Release: "sha256:1", Instance: "shop-1", Generation: 7}
	full := Identity{Service: "shop", Instance: "shop-1", NotifySocket: "/n", WorkloadSocket: "/w", WatchdogUSec: 5000, User: "web", Home: "/srv"}
	for _, c := range []struct {
		name   string
		id     Identity
		own    []string
		more   []string
		set    map[string]string
		want   string // has all of these
		absent string // has none of these names
	}{
		{"the usual few", id, own, nil, nil,
			"PATH=/own HOME=/root LANG=C LC_ALL=de TZ=UTC USER=root ZDHOST_SERVICE=shop ZDHOST_RELEASE=sha256:1 ZDHOST_INSTANCE=shop-1 ZDHOST_GENERATION=7",
			"SECRET WANTED NOTIFY_SOCKET LISTEN_FDS ZDHOST_SOCKET WATCHDOG_USEC broken EMPTY"},
		{"asked for", id, own, []string{"WANTED", "EMPTY", "NONE"}, nil, "WANTED=2 EMPTY=", "SECRET NONE"},
		{"the service's win over ours", id, own, []string{"WANTED"}, map[string]string{"WANTED": "3", "PATH": "/its", "HOME": "/its"}, "WANTED=3 PATH=/its HOME=/its", "SECRET"},
		{"without PATH in ours", id, nil, nil, nil, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME"},
		{"the user's win over ours", full, own, nil, nil, "USER=web LOGNAME=web HOME=/srv", ""},
		{"the service's win over the user's", full, own, nil, map[string]string{"HOME": "/its"}, "USER=web HOME=/its", ""},
		{"who it is wins over all", full, own, []string{"NOTIFY_SOCKET"}, map[string]string{"ZDHOST_SERVICE": "lie", "NOTIFY_SOCKET": "/lie", "ZDHOST_SOCKET": "/lie"},
			"ZDHOST_SERVICE=shop NOTIFY_SOCKET=/n ZDHOST_SOCKET=/w WATCHDOG_USEC=5000", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := Environment(c.id, c.own, c.more, c.set)
			if !slices.IsSorted(env) {
				t.Errorf("it is not in order: %q", env)
			}
			names := map[string]int{}
			for _, kv := range env {
				name, _, _ := strings.Cut(kv, "=")
				names[name]++
			}
			for name, n := range names {
				if n != 1 {
					t.Errorf("%s is there %d times", name, n)
				}
			}
			for _, kv := range strings.Fields(c.want) {
				if !slices.Contains(env, kv) {
					t.Errorf("%s is missing in %q", kv, env)
				}
			}
			for _, name := range strings.Fields(c.absent) {
				if names[name] != 0 {
					t.Errorf("%s is there", name)
				}
			}
		})
	}
}
