package keeper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups makes a cgroup v2 for each instance that has limits, below a directory
// that was delegated to the keeper (systemd's Delegate=yes, a container's own
// tree). Where there is none, limits are rlimits, as far as those reach.
type cgroups struct {
	root string // of the delegated subtree; empty where there is none
	why  string // there is none
}

// Controllers that limits need.
var controllers = []string{"memory", "cpu", "pids"}

// openCgroups looks for a delegated subtree. own is this process's cgroup below
// mount, as /proc/self/cgroup has it ("0::/…"). To be able to give controllers
// to children, the keeper moves itself into a leaf of its own: cgroups(7), "no
// internal processes".
func openCgroups(mount, procCgroup string) *cgroups {
	none := func(format string, args ...any) *cgroups { return &cgroups{why: fmt.Sprintf(format, args...)} }
	b, err := os.ReadFile(procCgroup)
	if err != nil {
		return none("%v", err)
	}
	own := ""
	for _, line := range strings.Split(string(b), "\n") {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			own = path
		}
	}
	if own == "" {
		return none("this process is in no cgroup v2")
	}
	root := filepath.Join(mount, own)
	have, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return none("no cgroup v2 is mounted at %s", mount)
	}
	for _, c := range controllers {
		if !hasWord(string(have), c) {
			return none("the controller %q is not available in %s", c, root)
		}
	}
	if err := mayDivide(root, own); err != nil {
		return none("%v", err)
	}
	leaf := filepath.Join(root, "keeper")
	if err := makeGroup(leaf); err != nil {
		return none("%s is not delegated: %v", root, err)
	}
	if err := writeValue(leaf, "cgroup.procs", strconv.Itoa(os.Getpid())); err != nil {
		return none("%s is not delegated: %v", root, err)
	}
	if err := writeValue(root, "cgroup.subtree_control", "+"+strings.Join(controllers, " +")); err != nil {
		return none("cannot divide %s: %v", root, err)
	}
	return &cgroups{root: root}
}

// mayDivide says whether the subtree is ours: systemd marks what it delegates
// (systemd's CGROUP_DELEGATION document), and the root of a cgroup namespace
// belongs to whoever is in it. The machine's real root has no cgroup.type.
func mayDivide(root, own string) error {
	if own == "/" {
		if _, err := os.Stat(filepath.Join(root, "cgroup.type")); err != nil {
			return errors.New("this process is in the machine's root cgroup")
		}
		return nil
	}
	mark := make([]byte, 8)
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		if n, err := unix.Getxattr(root, name, mark); err == nil && string(mark[:n]) == "1" {
			return nil
		}
	}
	return fmt.Errorf("%s is not delegated (systemd: Delegate=yes)", root)
}

// group makes the cgroup of one instance and returns its directory, empty where
// limits have to do without.
func (g *cgroups) group(id string, l Limits) (string, error) {
	if g.root == "" || l == (Limits{Files: l.Files}) {
		return "", nil
	}
	dir := filepath.Join(g.root, "i-"+id)
	if err := makeGroup(dir); err != nil {
		return "", fmt.Errorf("cannot make a cgroup: %w", err)
	}
	for _, v := range []struct{ file, value string }{
		{"memory.max", limitText(l.Memory)},
		{"pids.max", limitText(l.Processes)},
		{"cpu.max", cpuText(l.CPUs)},
	} {
		if v.value == "" {
			continue
		}
		if err := writeValue(dir, v.file, v.value); err != nil {
			_ = os.Remove(dir)
			return "", fmt.Errorf("cannot set %s: %w", v.file, err)
		}
	}
	return dir, nil
}

// unenforced names the limits that an instance without a cgroup does not have.
func (g *cgroups) unenforced(l Limits, dir string) string {
	if dir != "" || l.CPUs == 0 {
		return ""
	}
	return "cpus: " + g.why
}

// cpuPeriod is the kernel's default period of cpu.max, in microseconds.
const cpuPeriod = 100_000

func cpuText(cpus float64) string {
	if cpus <= 0 {
		return ""
	}
	return fmt.Sprintf("%d %d", int(cpus*cpuPeriod), cpuPeriod)
}

func limitText(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// endGroup kills what is left in an instance's cgroup and removes it. The kernel
// refuses the removal until the last process is reaped.
func endGroup(dir string) {
	if dir == "" {
		return
	}
	_ = writeValue(dir, "cgroup.kill", "1")
	for range 50 {
		if err := os.Remove(dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func makeGroup(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

func writeValue(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func hasWord(text, word string) bool {
	for _, w := range strings.Fields(text) {
		if w == word {
			return true
		}
	}
	return false
}
