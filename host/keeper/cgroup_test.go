package keeper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree lays out what a delegated cgroup looks like from inside its namespace.
func tree(t *testing.T, files map[string]string) (mount, proc string) {
	t.Helper()
	mount = t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(mount, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mount, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	proc = filepath.Join(t.TempDir(), "cgroup")
	if err := os.WriteFile(proc, []byte("1:cpu:/\n0::/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return mount, proc
}

func TestLimitsGoIntoACgroupWhereOneIsDelegated(t *testing.T) {
	mount, proc := tree(t, map[string]string{
		"cgroup.controllers": "cpuset cpu io memory pids\n", "cgroup.type": "domain\n",
		"cgroup.subtree_control": "", "keeper/cgroup.procs": "",
		"i-a/memory.max": "", "i-a/cpu.max": "", "i-a/pids.max": "",
	})
	g := openCgroups(mount, proc)
	if g.root != mount {
		t.Fatalf("not taken: %s", g.why)
	}
	dir, err := g.group("a", Limits{Memory: 512 << 20, CPUs: 1.5})
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"memory.max": "536870912", "cpu.max": "150000 100000", "pids.max": "",
		"../cgroup.subtree_control": "+memory +cpu +pids",
	} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, want %q (%v)", file, got, want, err)
		}
	}
	if u := g.unenforced(Limits{CPUs: 1}, dir); u != "" {
		t.Errorf("unenforced: %s", u)
	}
}

func TestCgroupsThatAreNotOursAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"real root":     {map[string]string{"cgroup.controllers": "cpu memory pids"}, "root cgroup"},
		"no controller": {map[string]string{"cgroup.controllers": "cpu pids", "cgroup.type": "domain"}, "memory"},
		"no v2":         {nil, "no cgroup v2 is mounted"},
	} {
		mount, proc := tree(t, c.files)
		g := openCgroups(mount, proc)
		if g.root != "" || !strings.Contains(g.why, c.want) {
			t.Errorf("%s: root %q, why %q", name, g.root, g.why)
		}
		if dir, err := g.group("a", Limits{Memory: 1}); dir != "" || err != nil {
			t.Errorf("%s: %q %v", name, dir, err)
		}
		if u := g.unenforced(Limits{CPUs: 1}, ""); u == "" {
			t.Errorf("%s: a limit that nothing enforces isn't named", name)
		}
		if _, err := os.Stat(filepath.Join(mount, "keeper")); err == nil {
			t.Errorf("%s: something was made", name)
		}
	}
}
