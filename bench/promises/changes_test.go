package promises

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/host/control"
)

// TestChanges_ReportCountsWhatASignalCut: a program that dies of its drain signal takes the request with it that was
// under way at the end of the drain timeout. The report says so when the generation is gone, whatever came after.
func TestChanges_ReportCountsWhatASignalCut(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("python", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1"), service: "drain {\n    timeout = \"2s\"\n  }"}.String())
	slow := drive(t, load.Options{Address: o.address, Mode: load.NewConn, Path: "/slow?d=20s", Clients: 1, Exchanges: 1, Timeout: 30 * time.Second})
	g.await("the request is in flight", patience, func() bool { return g.connections(o.address) == 1 })
	first := h.mustUpgrade(web, o.release("v2"), atOnce())
	if first.Report.Final || *first.Report.Lost != 0 {
		t.Errorf("at the commit: %+v", first.Report)
	}
	h.mustUpgrade(web, o.release("v3"), noBake())
	if r := slow.wait(); r.Failed != 1 {
		t.Fatalf("the request did not fail: %v", r)
	}
	g.await("the report is final", patience, func() bool {
		e := h.history()[1]
		return e.Rollout == first.Rollout && e.Report != nil && e.Report.Final
	})
	if r := h.history()[1].Report; *r.Cut != 1 || *r.Lost != 1 {
		t.Errorf("cut %d, lost %d, want 1 and 1", *r.Cut, *r.Lost)
	}
}

// TestChanges_RollbackTakesBackWhatBakes: rollback during an upgrade is done when that is taken back; another release
// than the one before can't be meant by it.
func TestChanges_RollbackTakesBackWhatBakes(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	before := h.service(web)
	clients := g.flow(newConnections(o.address))
	if s := h.cli("upgrade", append([]string{web, "--detach", "--set", "bake=60s", "--"}, o.release("v2")...)...); s.code != 0 {
		t.Fatal(s)
	}
	g.await("it bakes", patience, func() bool { r := h.service(web).Rollout; return r != nil && r.State == "baking" })
	if s := h.cli("rollback", web, "--to", "deadbeef"); s.code == 0 || h.service(web).Rollout == nil {
		t.Errorf("rolled back to what never ran: %v", s)
	}
	if s := h.cli("rollback", web); s.code != 0 {
		t.Errorf("cannot roll back: %v", s)
	}
	clients.more(g, 20)
	wantNoneFailed(t, clients.end())
	if now := h.service(web); now.Generation != before.Generation || now.Last.Ended != control.EndedAborted {
		t.Errorf("generation %d serves, the last rollout is %+v", now.Generation, now.Last)
	}
}

// TestChanges_IfBusy: a second upgrade is refused, waits, or takes the place of the first, as it wants.
func TestChanges_IfBusy(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	clients := g.flow(newConnections(o.address))
	bakes := func(release, bake string) {
		t.Helper()
		if s := h.cli("upgrade", append([]string{web, "--detach", "--set", "bake=" + bake, "--"}, o.release(release)...)...); s.code != 0 {
			t.Fatal(s)
		}
		g.await("it bakes", patience, func() bool { r := h.service(web).Rollout; return r != nil && r.State == "baking" })
	}
	bakes("v2", "60s")
	if s := h.cli("upgrade", append([]string{web, "--"}, o.release("v3")...)...); s.code != 1 || !strings.Contains(s.errout, "--if-busy") {
		t.Errorf("a second upgrade was not refused: %v", s)
	}
	if s := h.cli("upgrade", append([]string{web, "--if-busy", "supersede", "--set", "bake=0s", "--"}, o.release("v3")...)...); s.code != 0 {
		t.Errorf("it did not supersede: %v", s)
	}
	if e := h.history(); e[0].Outcome != control.EndedCommitted || e[1].Outcome != control.EndedAborted || !strings.Contains(e[1].Reason, "superseded") {
		t.Errorf("the history is %+v", e[:2])
	}
	bakes("v4", "2s")
	if s := h.cli("restart", web, "--if-busy", "queue", "--set", "bake=0s"); s.code != 0 {
		t.Errorf("cannot restart: %v", s)
	}
	now := h.history()
	if now[0].Kind != "restart" || now[0].To != now[1].To || now[1].Outcome != control.EndedCommitted {
		t.Errorf("a restart that waited restarted something else: %+v", now[:2])
	}
	clients.more(g, 20)
	r := clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1", "v2", "v3", "v4")
}

// TestChanges_UpgradeWhereNothingServes: a service whose first release is no good is mended by an upgrade.
func TestChanges_UpgradeWhereNothingServes(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.start("-c", g.write("zdhost.hcl", configuration{address: o.address, command: []string{built.bad, "-mode", "exit"}}.String()))
	g.await("the host is there", comeUp, func() bool { h.mustRun(); return strings.Contains(g.cli("status").out, "degraded") })
	if s := g.cli("upgrade", append([]string{web, "--if-busy", "supersede", "--"}, o.release("v1")...)...); s.code != 0 {
		t.Fatalf("cannot upgrade: %v", s)
	}
	r := run(t, newConnectionsOnce(o.address))
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1")
}

// TestChanges_ReloadRollsBack: a configuration whose rollout fails is taken back for that service: the command says
// so, what ran serves, and a restart has the configuration of before.
func TestChanges_ReloadRollsBack(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	text := configuration{address: o.address, command: o.release("v1"), service: "ready {\n    timeout = \"1s\"\n  }"}
	h := g.configured(text.String())
	before := h.service(web)
	clients := g.flow(newConnections(o.address))
	bad := text
	bad.command = []string{built.bad, "-mode", "exit"}
	g.write("zdhost.hcl", bad.String())
	if s := h.cli("reload", "host"); s.code != 4 || !strings.Contains(s.errout, "exit code 3") {
		t.Errorf("want exit code 4 and why: %v", s)
	}
	h.wantServes(before)
	if s := h.cli("restart", web, "--set", "bake=0s"); s.code != 0 {
		t.Errorf("cannot restart: %v", s)
	}
	clients.more(g, 20)
	r := clients.end()
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1")
}

// TestChanges_ListenersOnReload: an address can't get another name, and what a removed service served is refused,
// not left to wait, until somebody serves it again.
func TestChanges_ListenersOnReload(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	stays := fmt.Sprintf("service \"stays\" {\n  command = [%s]\n}\n", quoted(g.offers("naive", freeAddress(t)).release("s")))
	text := stays + configuration{address: o.address, command: o.release("v1")}.String()
	h := g.configured(text)
	g.write("zdhost.hcl", strings.ReplaceAll(text, `"front"`, `"face"`))
	if s := h.cli("reload", "host"); s.code != 2 || !strings.Contains(s.errout, "front") || !strings.Contains(s.errout, o.address) {
		t.Errorf("a listener was renamed: %v", s)
	}
	without, _, _ := strings.Cut(text, `service "web"`)
	g.write("zdhost.hcl", without)
	if s := h.cli("reload", "host"); s.code != 0 {
		t.Fatalf("cannot remove the service: %v", s)
	}
	g.await("clients are refused", patience, func() bool {
		c, err := net.DialTimeout("tcp", o.address, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	g.write("zdhost.hcl", text)
	if s := h.cli("reload", "host"); s.code != 0 {
		t.Fatalf("cannot add the service again: %v", s)
	}
	g.await("it serves again", patience, func() bool { return h.service(web).State == control.ServiceRunning })
	wantNoneFailed(t, run(t, newConnectionsOnce(o.address)))
}

// TestChanges_RenamedService: a service that goes by another name from now on hands its listener over without loss.
func TestChanges_RenamedService(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	text := configuration{address: o.address, command: o.release("v1")}.String()
	h := g.configured(text)
	clients := g.flow(newConnections(o.address))
	g.write("zdhost.hcl", strings.ReplaceAll(text, `service "web"`, `service "shop"`))
	if s := h.cli("reload", "host"); s.code != 0 {
		t.Fatalf("cannot rename the service: %v", s)
	}
	g.await("the new one serves", patience, func() bool {
		all := h.status().Services
		return len(all) == 1 && all[0].Name == "shop" && all[0].State == control.ServiceRunning
	})
	clients.more(g, 50)
	wantNoneFailed(t, clients.end())
}

// TestChanges_ChecksAndPIDFile: a check runs as the program does, and the pid file names who serves.
func TestChanges_ChecksAndPIDFile(t *testing.T) {
	if nobody(t) == nil {
		t.Skip("only root can run programs as somebody else")
	}
	g := newGround(t, nil)
	if err := errors.Join(os.Chmod(g.dir, 0o755), os.Mkdir(g.path("out"), 0o755), os.Chmod(g.path("out"), 0o777),
		os.WriteFile(g.executions(), nil, 0o600), os.Chown(g.executions(), 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1"), service: fmt.Sprintf(`user     = "nobody"
  pid_file = %q
  ready {
    exec = ["/bin/sh", "-c", "echo $(id -u) $ZDHOST_SERVICE >%s"]
  }`, g.path("pid"), g.path("out/checked"))}.String())
	if b, err := os.ReadFile(g.path("out/checked")); err != nil || string(b) != "65534 web\n" {
		t.Errorf("the check ran as %q, error %v", b, err)
	}
	names := func(pid int) bool {
		b, _ := os.ReadFile(g.path("pid"))
		return strings.TrimSpace(string(b)) == strconv.Itoa(pid)
	}
	first := h.service(web).Instances[0].PID
	if !names(first) {
		t.Error("the pid file does not name the first instance")
	}
	if o := h.upgrade(web, []string{built.bad, "-mode", "exit"}, nil); o.Ended != control.EndedRolledBack || !names(first) {
		t.Errorf("after a bad candidate (%s) the pid file names another", o.Ended)
	}
	h.mustUpgrade(web, o.release("v2"), noBake())
	if names(first) {
		t.Error("the pid file names the old one")
	}
	if s := h.cli("rollback", web); s.code != 0 || !names(first) {
		t.Errorf("the pid file does not follow the rollback: %v", s)
	}
	if code := h.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(g.path("pid")); err == nil {
		t.Error("the pid file is left")
	}
}
