package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Examine runs every check in the order in which a reader wants to know.
func (m Machine) Examine(ctx context.Context) []Finding {
	checks := []struct {
		name string
		run  func(context.Context) Finding
	}{
		{"kernel", m.kernel},
		{"user", m.user},
		{"adoption", m.adoption},
		{"memory of programs", m.yama},
		{"steering", m.steering},
		{"inet_diag", m.inetDiag},
		{"unix_diag", m.unixDiag},
		{"pidfd_getfd", m.fetch},
		{"open files", m.files},
		{"accept queue", m.queue},
		{"tcp_migrate_req", m.migrate},
		{"cgroup", m.cgroup},
		{"state directory", m.stateDir},
	}
	findings := make([]Finding, 0, len(checks))
	for _, check := range checks {
		finding := check.run(ctx)
		finding.Check = check.name
		findings = append(findings, finding)
	}
	return findings
}

func ok(found string) Finding             { return Finding{Level: OK, Found: found} }
func limited(found, means string) Finding { return Finding{Level: Limited, Found: found, Means: means} }
func missing(found, means string) Finding { return Finding{Level: Missing, Found: found, Means: means} }

func (m Machine) kernel(context.Context) Finding {
	release, err := m.Release()
	if err != nil {
		return missing(err.Error(), "the kernel's version is not known")
	}
	major, minor, err := version(release)
	switch {
	case err != nil:
		return missing(err.Error(), "the kernel's version is not known")
	case major < 5 || major == 5 && minor < 10:
		return missing(release, "zdhost needs Linux 5.10 or newer")
	case major == 5 && minor < 19:
		return limited(release, "before Linux 5.19 a signal that comes while a program binds can make its bind fail or start again")
	}
	return ok(release)
}

// version reads the first two numbers of "6.18.44-fc".
func version(release string) (major, minor int, err error) {
	if _, err = fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return 0, 0, fmt.Errorf("%q is no kernel version", release)
	}
	return major, minor, nil
}

func (m Machine) user(context.Context) Finding {
	if m.UID == 0 {
		return ok("root")
	}
	return limited(fmt.Sprintf("user %d", m.UID),
		"services run as this user (user = … needs root), without set-uid programs and file capabilities, and ports below 1024 need CAP_NET_BIND_SERVICE")
}

func (m Machine) adoption(ctx context.Context) Finding {
	found, err := m.Probe(ctx, ProbeAdopt)
	switch {
	case err != nil && strings.Contains(err.Error(), unix.EBUSY.Error()):
		return missing("another user-notification filter is installed above this process",
			"programs can't be adopted here; sockets = \"inherit\" works (a container runtime's seccomp profile with SCMP_ACT_NOTIFY does this)")
	case err != nil:
		return missing(err.Error(), "programs can't be adopted here; sockets = \"inherit\" works")
	case found != probeWhole:
		return limited(found, "it needs Linux 5.19 to be safe from signals")
	}
	return ok("a bind was answered with another socket")
}

func (m Machine) yama(context.Context) Finding {
	text, err := m.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if errors.Is(err, fs.ErrNotExist) {
		return ok("no Yama")
	}
	if err != nil {
		return limited(err.Error(), "whether the keeper may read the addresses that programs bind is not known")
	}
	scope := strings.TrimSpace(string(text))
	found := "ptrace_scope " + scope
	switch {
	case scope == "0" || scope == "1": // 1: an ancestor may, and the keeper is one
		return ok(found)
	case scope == "2" && m.UID == 0:
		return ok(found + ", and this is root")
	case scope == "2":
		return missing(found, "only root can read the addresses that programs bind: adoption needs root or sockets = \"inherit\"")
	}
	return missing(found, "nobody can read the addresses that programs bind: use sockets = \"inherit\"")
}

func (m Machine) steering(context.Context) Finding {
	if err := m.Steering(); err != nil {
		return missing(err.Error(), "connections can't be shared out by weight (SO_ATTACH_REUSEPORT_CBPF): upgrades would lose requests")
	}
	return ok("a group of two lanes was steered")
}

func (m Machine) inetDiag(context.Context) Finding {
	if err := m.Diag(unix.AF_INET); err != nil {
		return limited(err.Error(), "half-open handshakes can't be seen while draining: zdhost waits three seconds instead (module inet_diag, tcp_diag)")
	}
	return ok("answers")
}

func (m Machine) unixDiag(context.Context) Finding {
	if err := m.Diag(unix.AF_UNIX); err != nil {
		return limited(err.Error(), "queues of unix sockets can't be seen (module unix_diag)")
	}
	return ok("answers")
}

func (m Machine) fetch(ctx context.Context) Finding {
	if err := m.Fetch(ctx); err != nil {
		return limited(err.Error(), "if keeper and host both die at once, their sockets can't be taken back from the instances")
	}
	return ok("a descriptor was taken from another process")
}

func (m Machine) files(context.Context) Finding {
	soft, hard, err := m.OpenFiles()
	if err != nil {
		return limited(err.Error(), "the limit of open files is not known")
	}
	found := fmt.Sprintf("%d, at most %d", soft, hard)
	if hard < 4096 {
		return limited(found, "few connections for each instance: raise RLIMIT_NOFILE (LimitNOFILE= in the unit)")
	}
	return ok(found)
}

func (m Machine) queue(context.Context) Finding {
	const wanted = 4096
	n, err := m.number("/proc/sys/net/core/somaxconn")
	switch {
	case err != nil:
		return limited(err.Error(), "how long an accept queue may be is not known")
	case n < wanted:
		return limited(fmt.Sprintf("somaxconn %d", n),
			fmt.Sprintf("queues hold %d connections instead of %d while nobody accepts: sysctl net.core.somaxconn=%d", n, wanted, wanted))
	}
	return ok(fmt.Sprintf("somaxconn %d", n))
}

func (m Machine) migrate(context.Context) Finding {
	n, err := m.number("/proc/sys/net/ipv4/tcp_migrate_req")
	if err != nil {
		return ok("not there; zdhost closes no lane, so nothing needs it")
	}
	return ok(fmt.Sprintf("%d; zdhost closes no lane, so nothing needs it", n))
}

func (m Machine) number(path string) (int, error) {
	text, err := m.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func (m Machine) cgroup(context.Context) Finding {
	const without = "limits { memory, processes } bind each process for itself (RLIMIT_DATA, RLIMIT_NPROC) instead of an instance as a whole, " +
		"cpus is not kept, and what leaves an instance's process group can outlive it"
	membership, err := m.ReadFile("/proc/self/cgroup")
	if err != nil {
		return limited(err.Error(), without)
	}
	_, path, found := bytes.Cut(append([]byte("\n"), membership...), []byte("\n0::"))
	controllers, err := m.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if !found || err != nil {
		return limited("no cgroup v2", without)
	}
	line, _, _ := bytes.Cut(path, []byte("\n"))
	dir := filepath.Join("/sys/fs/cgroup", string(line))
	switch {
	case !m.Writable(dir):
		return limited(dir+" is not ours", without+" (Delegate=yes in the unit)")
	case !bytes.Contains(controllers, []byte("memory")):
		return limited("no memory controller", without)
	}
	return ok(dir)
}

// passing says what is wrong with a filesystem (statfs(2)) as the state directory's; empty if
// nothing is.
func passing(magic int64) string {
	switch magic {
	case unix.TMPFS_MAGIC:
		return "tmpfs: after a reboot nothing is known of releases and history"
	case unix.RAMFS_MAGIC:
		return "ramfs: after a reboot nothing is known of releases and history"
	case unix.NFS_SUPER_MAGIC:
		return "NFS: a write that was confirmed can be lost"
	case unix.SMB_SUPER_MAGIC:
		return "SMB: a write that was confirmed can be lost"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay: in a container this ends with the container, unless it is a volume"
	}
	return ""
}

func (m Machine) stateDir(context.Context) Finding {
	dir := m.StateDir
	for {
		magic, err := m.Filesystem(dir)
		switch parent := filepath.Dir(dir); {
		case errors.Is(err, os.ErrNotExist) && parent != dir:
			dir = parent
			continue
		case err != nil:
			return missing(fmt.Sprintf("%s: %v", m.StateDir, err), "there is no place for the journal")
		case !m.Writable(dir):
			return missing(dir+" can't be written", "there is no place for the journal: name another with --state-dir")
		case passing(magic) != "":
			return limited(m.StateDir, passing(magic))
		}
		return ok(m.StateDir)
	}
}
