package promises

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/zdhost/zdhost/host/control"
)

// script writes a program that is a file of its own: naive, as the named release.
func (g *ground) script(name, address, release string) {
	g.t.Helper()
	path := g.write(name, fmt.Sprintf("#!/bin/sh\nexec %s -address %s -release %s\n", built.naive, address, release))
	if err := os.Chmod(path, 0o755); err != nil {
		g.t.Fatal(err)
	}
}

// answers is the release that answers a new connection.
func (g *ground) answers(address string) string {
	g.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := client.Get("http://" + address + "/")
	if err != nil {
		g.t.Fatal(err)
	}
	defer r.Body.Close()
	line, _ := bufio.NewReader(r.Body).ReadString('\n')
	return strings.TrimSpace(line)
}

// scripted runs ./web.sh and then ./other.sh, first as it is and then edited; the digests are those of other.sh.
func scripted(t *testing.T) (h *host, address, first, edited string) {
	t.Helper()
	g := newGround(t, nil)
	address = freeAddress(t)
	g.script("web.sh", address, "v1")
	g.script("other.sh", address, "v2")
	h = g.configured(configuration{address: address, command: []string{"./web.sh"}}.String())
	first = h.mustUpgrade(web, []string{"./other.sh"}, atOnce()).To
	g.script("other.sh", address, "v3")
	edited = h.mustUpgrade(web, []string{"./other.sh"}, atOnce()).To
	return h, address, first, edited
}

// TestKinds_RollbackOfAnEditedCommand: a command's files are not kept, so that a return to what they were is refused
// where they are no longer that; once they are again, it is taken.
func TestKinds_RollbackOfAnEditedCommand(t *testing.T) {
	h, address, first, edited := scripted(t)
	for _, args := range [][]string{{"rollback", web}, {"rollback", web, "--to", first}, {"upgrade", web, first}} {
		s := h.cli(args[0], args[1:]...)
		if s.code == 0 || !strings.Contains(s.errout, "have changed since: ./other.sh") || !strings.Contains(s.errout, "hint: ") {
			t.Errorf("%v: %v", args, s)
		}
	}
	if now := h.service(web); now.Release != edited || h.answers(address) != "v3" {
		t.Errorf("%s serves, want %s", now.Release, edited)
	}
	h.script("other.sh", address, "v2")
	if s := h.cli("rollback", web); s.code != 0 {
		t.Fatalf("cannot roll back to files that are as they were: %v", s)
	}
	if now := h.service(web); now.Release != first || h.answers(address) != "v2" {
		t.Errorf("%s serves, want %s", now.Release, first)
	}
}

// TestKinds_UpgradeToACommandByDigest: the digest of a command, or a part of it, stands for that command.
func TestKinds_UpgradeToACommandByDigest(t *testing.T) {
	h, address, _, edited := scripted(t)
	h.mustUpgrade(web, []string{"./web.sh"}, atOnce())
	for _, name := range []string{edited, edited[:len("sha256:")+8], strings.TrimPrefix(edited, "sha256:")[:8]} {
		if s := h.cli("upgrade", web, name, "--set", "bake=0s"); s.code != 0 {
			t.Fatalf("%s: %v", name, s)
		}
		if now := h.service(web); now.Release != edited || h.answers(address) != "v3" {
			t.Errorf("%s: %v of %s serves", name, now.Command, now.Release)
		}
		h.mustUpgrade(web, []string{"./web.sh"}, atOnce())
	}
	for _, args := range [][]string{{edited[:len("sha256:")+3]}, {edited, "--", "./web.sh"}} {
		if s := h.cli("upgrade", append([]string{web}, args...)...); s.code != 2 {
			t.Errorf("%v: %v", args, s)
		}
	}
}

// TestKinds_RestartOfAnEditedCommand: a restart, a reload and a start after a stop are to what is there now, and say so.
func TestKinds_RestartOfAnEditedCommand(t *testing.T) {
	h, address, first, edited := scripted(t)
	h.script("other.sh", address, "v2")
	ctx := t.Context()
	o, err := h.client.Restart(ctx, control.RestartRequest{Service: web, Set: atOnce()}, func(control.RolloutEvent) {})
	if err != nil || o.From != edited || o.To != first || h.answers(address) != "v2" {
		t.Errorf("the restart went from %s to %s: %v", o.From, o.To, err)
	}
	h.script("other.sh", address, "v3")
	h.write("zdhost.hcl", configuration{address: address, command: []string{"./web.sh"}, service: `env = { LOG = "info" }`}.String())
	if s := h.cli("reload", web); s.code != 0 {
		t.Fatal(s)
	}
	h.await("the reload has ended", patience, func() bool { return h.history()[0].Kind == "reload" && h.history()[0].Outcome != "" })
	if last := h.history()[0]; last.To != edited || h.answers(address) != "v3" {
		t.Errorf("the reload went to %s, want %s: %+v", last.To, edited, last)
	}
	h.script("other.sh", address, "v2")
	if code := h.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	again := h.up("-c", h.path("zdhost.hcl"))
	if now := again.service(web); now.Release != first || h.answers(address) != "v2" {
		t.Errorf("%s serves after a new start, want %s", now.Release, first)
	}
}

// TestKinds_RollbackToAPath: a directory that ran names its release.
func TestKinds_RollbackToAPath(t *testing.T) {
	g := newGround(t, nil)
	address := freeAddress(t)
	first, second, never := g.releaseDirectory("r1", "v1", address), g.releaseDirectory("r2", "v2", address), g.releaseDirectory("r3", "v3", address)
	h := g.configured(configuration{address: address, command: []string{"./server"}, release: first}.String())
	before := h.service(web)
	for range 2 {
		if s := h.cli("upgrade", web, second, "--set", "bake=0s", "--set", "warm=0s"); s.code != 0 {
			t.Fatal(s)
		}
		if s := h.cli("rollback", web, "--to", first); s.code != 0 {
			t.Fatal(s)
		}
		if now := h.service(web); now.Release != before.Release {
			t.Errorf("%s serves, want %s", now.Release, before.Release)
		}
	}
	if s := h.cli("rollback", web, "--to", never); s.code != 2 || !strings.Contains(s.errout, "it never ran that") {
		t.Error(s)
	}
	if s := h.cli("rollback", web, "--to", g.path("nowhere/")); s.code != 2 || !strings.Contains(s.errout, "cannot roll back web: there is no release at ") {
		t.Error(s)
	}
}

// TestKinds_ReleaseWithoutItsProgram: what is missing is said of the release as it was named, and what is in it.
func TestKinds_ReleaseWithoutItsProgram(t *testing.T) {
	g := newGround(t, nil)
	address := freeAddress(t)
	first, second := g.releaseDirectory("r1", "v1", address), g.releaseDirectory("r2", "v2", address)
	h := g.configured(configuration{address: address, command: []string{"./server"}, release: first}.String())
	if err := os.Rename(second+"/server", second+"/serve"); err != nil {
		t.Fatal(err)
	}
	s := h.cli("upgrade", web, second)
	if s.code != 2 || !strings.Contains(s.errout, "cannot upgrade web: there is no program ./server in "+second+"\nhint: in it there is serve") {
		t.Errorf("%v", s)
	}
}

// TestKinds_ReleaseAndDirectory: programs, that of the ready check too, come from the release; dir is where they work.
func TestKinds_ReleaseAndDirectory(t *testing.T) {
	g := newGround(t, nil)
	address := freeAddress(t)
	first, second := g.releaseDirectory("r1", "v1", address), g.releaseDirectory("r2", "v2", address)
	for _, dir := range []string{first, second} {
		if err := os.WriteFile(dir+"/fine", []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h := g.configured(configuration{
		address: address, command: []string{"./server"}, release: first,
		service: fmt.Sprintf("dir = %q\n  ready {\n    exec = [\"fine\"]\n  }", g.dir),
	}.String())
	if s := h.cli("upgrade", web, second, "--set", "bake=0s", "--set", "warm=0s"); s.code != 0 {
		t.Fatal(s)
	}
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", h.service(web).Instances[0].PID))
	if err != nil || cwd != g.dir || h.answers(address) != "v2" {
		t.Errorf("it works in %s, want %s: %v", cwd, g.dir, err)
	}
}

// TestKinds_PassingStates: what a rollout waits for only for a moment is not shown, nor what nobody can know yet.
func TestKinds_PassingStates(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	s := h.cli("upgrade", append([]string{web, "--detach", "--set", "weight=50", "--set", "bake=0s", "--"}, o.release("v2")...)...)
	if s.code != 0 || strings.Contains(s.out, "unknown") || !strings.Contains(s.out, "zdhost rollout watch web") {
		t.Errorf("%v", s)
	}
	h.await("the rollout is held", patience, func() bool { return h.service(web).State == control.ServiceHeld })
	queued := h.cli("upgrade", append([]string{web, "--detach", "--if-busy", "queue", "--set", "bake=0s", "--"}, o.release("v3")...)...)
	if queued.code != 0 || !strings.Contains(queued.out, "web: waits for the rollout that is under way") {
		t.Errorf("%v", queued)
	}
	if s := h.cli("rollout", "promote", web); s.code != 0 || strings.Contains(s.errout, "hook") {
		t.Errorf("%v", s)
	}
	h.await("what was queued serves", patience, func() bool { return h.service(web).Rollout == nil && h.answers(o.address) == "v3" })
}

// TestKinds_ReloadSaysWhatChanged: the blocks by name, and in a service the keys.
func TestKinds_ReloadSaysWhatChanged(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	more := fmt.Sprintf("listener \"spare\" {\n  address = %q\n}\n", freeAddress(t))
	g.write("zdhost.hcl", more+configuration{address: o.address, command: o.release("v1"), service: "env = { LOG = \"x\" }\n  instances = 2"}.String())
	s := h.cli("reload", "host", "--detach")
	if s.code != 0 || !strings.Contains(s.out, "service web: changed (instances, env), needs a rollout\n") || !strings.Contains(s.out, "listener spare: added 127.0.0.1:") {
		t.Errorf("%v", s)
	}
	g.write("zdhost.hcl", configuration{address: o.address, command: o.release("v1"), service: "env = { LOG = \"x\" }\n  instances = 2"}.String())
	if s := h.cli("reload", "host"); s.code != 0 || !strings.Contains(s.out, "listener spare: removed 127.0.0.1:") {
		t.Errorf("%v", s)
	}
}
