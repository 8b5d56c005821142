package config

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "30s": 30 * time.Second, "100ms": 100 * time.Millisecond, "1h30m": 90 * time.Minute,
		"30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute, "0d": -1, "": -1, "30": -1, "-1s": -1, "+1s": -1,
		"1w": -1, "1d-2h": -1, "d": -1, "99999d9999999h": -1, "NaNs": -1, "1 s": -1, "9999999h": -1,
	} {
		got, err := parseDuration(text)
		if want == -1 && err == nil || want != -1 && (err != nil || got != want) {
			t.Errorf("%q: got %s, %v", text, got, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "512MiB": 512 << 20, "1.5GiB": 3 << 29, "2GB": 2e9, "10 kB": 10_000, "10KB": 10_000, "3B": 3, "1TiB": 1 << 40,
		"": -1, "MiB": -1, "-1": -1, "1mib": -1, "1M": -1, "1e3": -1, "99999999999TiB": -1,
	} {
		got, hint, err := parseSize(text)
		if want == -1 && err == nil || want != -1 && (err != nil || got != want) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
		if text == "1mib" && hint != `did you mean "1MiB"?` {
			t.Errorf("%q: hint %s", text, hint)
		}
	}
}

func TestParseRateSignalMode(t *testing.T) {
	if r, err := parseRate("5 in 1m"); err != nil || r != (Rate{5, time.Minute}) {
		t.Errorf("got %v, %v", r, err)
	}
	for _, bad := range []string{"", "5", "0 in 1m", "5 in 0s", "5 in", "x in 1m", "5 in 1x", "5 per 1m"} {
		if _, err := parseRate(bad); err == nil {
			t.Errorf("the rate %q was taken", bad)
		}
	}
	for text, want := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "term": syscall.SIGTERM, "USR2": syscall.SIGUSR2, "SIGKILL": 0, "SIGSTOP": 0, "15": 0, "": 0} {
		got, _, err := parseSignal(text)
		if got != want && err == nil || (want == 0) != (err != nil) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for text, ok := range map[string]bool{"0660": true, "660": true, "0888": false, "1777": false, "": false, "rw": false} {
		if _, err := parseMode(text); (err == nil) != ok {
			t.Errorf("the mode %q: %v", text, err)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:80": "127.0.0.1:80", ":80": ":80", "localhost:80": "127.0.0.1:80", "[::]:80": "[::]:80", "0.0.0.0:80": "0.0.0.0:80",
		"tcp::80": ":80", "udp::53": "udp::53", "udp:[::1]:53": "udp:[::1]:53", "[::ffff:10.0.0.1]:80": "10.0.0.1:80",
		"[fe80::1%lo]:80": "[fe80::1%lo]:80", "unix:a/../b.sock": "unix:/srv/b.sock", "unix:/run/x": "unix:/run/x",
		"unix:/" + strings.Repeat("a", 106): "unix:/" + strings.Repeat("a", 106), "unix:/" + strings.Repeat("a", 107): "",
		"": "", "80": "", ":0": "", ":65536": "", ":http": "", "::1:80": "", "unix:": "", "1.2.3:80": "", "host:80": "", ":-1": "",
		":99999999999999999999": "", "[127.0.0.1:80": "",
	} {
		l, err := parseAddress(text, "/srv")
		if want == "" {
			if err == nil {
				t.Errorf("%q was taken as %+v", text, l)
			}
			continue
		}
		if err != nil || l.Address != want {
			t.Errorf("%q: got %q, %v", text, l.Address, err)
		}
		if again, err := parseAddress(l.Address, "/elsewhere"); err != nil || again != l {
			t.Errorf("%q: its normal form means %+v, %v", text, again, err)
		}
	}
}

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{":80", ":80", true}, {":80", "127.0.0.1:80", true}, {":80", "[::]:80", true}, {":80", "[::1]:80", true},
		{"0.0.0.0:80", "[::]:80", false}, {"0.0.0.0:80", "127.0.0.1:80", true}, {"[::]:80", "127.0.0.1:80", false},
		{"127.0.0.1:80", "127.0.0.2:80", false}, {":80", ":81", false}, {":80", "udp::80", false}, {"unix:a", "unix:/srv/a", true}, {"unix:a", "unix:b", false},
	} {
		a, _ := parseAddress(c.a, "/srv")
		b, _ := parseAddress(c.b, "/srv")
		if a.Overlaps(&b) != c.want || b.Overlaps(&a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"command", "listeners", "instances", "max_age", "web"}
	for word, want := range map[string]string{
		"comand": "command", "commnad": "command", "Command": "command", "max-age": "max_age", "INSTANCES": "instances", "listener": "listeners", "wbe": "web", "wep": "web",
		"xyz": "", "": "", "environment": "", strings.Repeat("x", 500): "",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestRunDir(t *testing.T) {
	if got := runDir("", "/var/lib/zdhost"); got != "/var/lib/zdhost/run" {
		t.Errorf("got %s", got)
	}
	long := "/" + strings.Repeat("a", 90)
	got := runDir("", long)
	if len(got) > MaxRunDir || got == runDir("", long+"b") || got != runDir("", long) {
		t.Errorf("the run directory of a long path is %s", got)
	}
	// What is given is never the keeper's own, which it removes.
	got = runDir("/run", "/var/lib/zdhost")
	if filepath.Dir(got) != "/run" || got == runDir("/run", "/srv/zdhost") {
		t.Errorf("the run directory below /run is %s", got)
	}
	if longest := "/" + strings.Repeat("r", maxRunDirGiven-1); len(runDir(longest, long)) != MaxRunDir {
		t.Errorf("the longest run directory is %s", runDir(longest, long))
	}
}
