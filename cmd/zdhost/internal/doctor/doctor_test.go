package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary play the probes.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "probe" {
		out, err := Probe(os.Args[2], os.Stdin)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(out)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// healthy is a machine on which nothing is wrong.
func healthy() Machine {
	files := map[string]string{
		"/proc/sys/kernel/yama/ptrace_scope": "1\n",
		"/proc/sys/net/core/somaxconn":       "4096\n",
		"/proc/sys/net/ipv4/tcp_migrate_req": "0\n",
		"/proc/self/cgroup":                  "0::/system.slice/zdhost.service\n",
		"/sys/fs/cgroup/cgroup.controllers":  "cpu io memory pids\n",
	}
	return Machine{
		StateDir: "/var/lib/zdhost",
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
		Release:    func() (string, error) { return "6.1.0-13-amd64", nil },
		OpenFiles:  func() (uint64, uint64, error) { return 1024, 1 << 20, nil },
		Filesystem: func(string) (int64, error) { return unix.EXT4_SUPER_MAGIC, nil },
		Steering:   func() error { return nil },
		Diag:       func(uint8) error { return nil },
		Writable:   func(string) bool { return true },
		Probe:      func(context.Context, string) (string, error) { return probeWhole, nil },
		Fetch:      func(context.Context) error { return nil },
	}
}

func TestHealthyMachine(t *testing.T) {
	findings := healthy().Examine(context.Background())
	for _, f := range findings {
		if f.Level != OK || f.Check == "" || f.Found == "" {
			t.Errorf("%+v", f)
		}
	}
	if !Healthy(findings) {
		t.Error("not healthy")
	}
}

func TestEachCheckFindsWhatIsWrong(t *testing.T) {
	file := func(path, text string) func(*Machine) {
		return func(m *Machine) {
			read := m.ReadFile
			m.ReadFile = func(asked string) ([]byte, error) {
				if asked != path {
					return read(asked)
				}
				if text == "" {
					return nil, fs.ErrNotExist
				}
				return []byte(text), nil
			}
		}
	}
	const yama = "/proc/sys/kernel/yama/ptrace_scope"
	broken := errors.New("broken")
	tests := []struct {
		name  string
		check string
		level Level
		spoil func(*Machine)
	}{
		{"too old", "kernel", Missing, func(m *Machine) { m.Release = func() (string, error) { return "5.9.16", nil } }},
		{"old", "kernel", Limited, func(m *Machine) { m.Release = func() (string, error) { return "5.10.0-28", nil } }},
		{"just new enough", "kernel", OK, func(m *Machine) { m.Release = func() (string, error) { return "5.19.0", nil } }},
		{"no version", "kernel", Missing, func(m *Machine) { m.Release = func() (string, error) { return "linux", nil } }},
		{"not root", "user", Limited, func(m *Machine) { m.UID = 1000 }},
		{"another filter", "adoption", Missing, func(m *Machine) {
			m.Probe = func(context.Context, string) (string, error) {
				return "", errors.New("cannot install a user-notification filter: device or resource busy")
			}
		}},
		{"no filters", "adoption", Missing, func(m *Machine) {
			m.Probe = func(context.Context, string) (string, error) { return "", broken }
		}},
		{"signals", "adoption", Limited, func(m *Machine) {
			m.Probe = func(context.Context, string) (string, error) { return probeSignals, nil }
		}},
		{"no Yama", "memory of programs", OK, file(yama, "")},
		{"Yama 2 as root", "memory of programs", OK, file(yama, "2\n")},
		{"Yama 2", "memory of programs", Missing, func(m *Machine) { m.UID = 7; file(yama, "2\n")(m) }},
		{"Yama 3", "memory of programs", Missing, file(yama, "3\n")},
		{"no steering", "steering", Missing, func(m *Machine) { m.Steering = func() error { return broken } }},
		{"no inet_diag", "inet_diag", Limited, func(m *Machine) { m.Diag = func(uint8) error { return broken } }},
		{"no unix_diag", "unix_diag", Limited, func(m *Machine) { m.Diag = func(uint8) error { return broken } }},
		{"no pidfd_getfd", "pidfd_getfd", Limited, func(m *Machine) { m.Fetch = func(context.Context) error { return broken } }},
		{"few files", "open files", Limited, func(m *Machine) {
			m.OpenFiles = func() (uint64, uint64, error) { return 1024, 1024, nil }
		}},
		{"short queues", "accept queue", Limited, file("/proc/sys/net/core/somaxconn", "128\n")},
		{"old kernel's migrate", "tcp_migrate_req", OK, file("/proc/sys/net/ipv4/tcp_migrate_req", "")},
		{"cgroup v1", "cgroup", Limited, file("/proc/self/cgroup", "4:memory:/x\n")},
		{"cgroup not ours", "cgroup", Limited, func(m *Machine) {
			m.Writable = func(path string) bool { return !strings.HasPrefix(path, "/sys") }
		}},
		{"no memory controller", "cgroup", Limited, file("/sys/fs/cgroup/cgroup.controllers", "cpu\n")},
		{"tmpfs", "state directory", Limited, func(m *Machine) {
			m.Filesystem = func(string) (int64, error) { return unix.TMPFS_MAGIC, nil }
		}},
		{"read-only", "state directory", Missing, func(m *Machine) {
			m.Writable = func(path string) bool { return strings.HasPrefix(path, "/sys") }
		}},
		{"yet to be made", "state directory", OK, func(m *Machine) {
			m.Filesystem = func(path string) (int64, error) {
				if path == "/var/lib/zdhost" {
					return 0, unix.ENOENT
				}
				return unix.EXT4_SUPER_MAGIC, nil
			}
		}},
	}
	for _, test := range tests {
		m := healthy()
		test.spoil(&m)
		findings := m.Examine(context.Background())
		for _, f := range findings {
			switch {
			case f.Check == test.check && f.Level != test.level:
				t.Errorf("%s: %+v, want %s", test.name, f, test.level)
			case f.Check == test.check && (f.Level == OK) != (f.Means == ""):
				t.Errorf("%s: %+v: what it means is said exactly when it is not ok", test.name, f)
			}
		}
		if Healthy(findings) != (test.level != Missing) {
			t.Errorf("%s: Healthy is %t", test.name, Healthy(findings))
		}
	}
}

func TestWithoutACgroupMemoryIsLimitedByProcess(t *testing.T) {
	m := healthy()
	m.Writable = func(path string) bool { return !strings.HasPrefix(path, "/sys") }
	if f := m.cgroup(t.Context()); !strings.Contains(f.Means, "RLIMIT_DATA") || !strings.Contains(f.Means, "cpus is not kept") {
		t.Errorf("%+v", f)
	}
}

// TestThisMachine runs the real probes. What they find depends on the machine; that they find
// something within their time does not.
func TestThisMachine(t *testing.T) {
	begun := time.Now()
	m := ThisMachine(t.TempDir(), "/proc/self/exe", "probe")
	findings := m.Examine(context.Background())
	for _, f := range findings {
		t.Logf("%s %s: %s %s", f.Level, f.Check, f.Found, f.Means)
		if f.Found == "" {
			t.Errorf("%s found nothing", f.Check)
		}
	}
	if time.Since(begun) > 2*probeTimeout {
		t.Errorf("took %v", time.Since(begun))
	}
	var text bytes.Buffer
	if err := Write(&text, findings); err != nil || strings.Count(text.String(), "\n") < len(findings) {
		t.Errorf("%v:\n%s", err, text.String())
	}
}

func TestProbeThatHangsIsKilled(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := runProbe(ctx, []string{"/proc/self/exe", "probe"}, "nonsense"); err == nil || !strings.Contains(err.Error(), "no such probe") {
		t.Errorf("unknown probe: %v", err)
	}
	if _, err := runProbe(ctx, []string{"/bin/sleep"}, "60"); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("hanging probe: %v", err)
	}
}

func TestDiagError(t *testing.T) {
	if err := diagError(make([]byte, 3)); err == nil {
		t.Error("a short answer is no answer")
	}
	refused := make([]byte, 20)
	refused[4], refused[16] = unix.NLMSG_ERROR, 0xfe
	refused[17], refused[18], refused[19] = 0xff, 0xff, 0xff
	if err := diagError(refused); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
}
