package promises

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// wrongConfiguration is a file that check and run refuse. In text and says, FREE is an address that is free, TAKEN one
// that this test holds, SERVER a program that is there.
type wrongConfiguration struct {
	name string
	file string // default: zdhost.hcl
	text string
	line int
	says []string // the reason and the hint
}

var wrongConfigurations = []wrongConfiguration{
	{"unknown key", "", "service \"web\" {\n  command  = [\"SERVER\"]\n  listners = []\n}\n", 3,
		[]string{`unknown key "listners"`, `did you mean "listeners"`}},
	{"unknown key in YAML", "zdhost.yaml", "service:\n  web:\n    command: [SERVER]\n    listners: []\n", 4,
		[]string{`unknown key "listners"`, `did you mean "listeners"`}},
	{"unknown key in TOML", "zdhost.toml", "[service.web]\ncommand = [\"SERVER\"]\nlistners = []\n", 3,
		[]string{`unknown key "listners"`, `did you mean "listeners"`}},
	{"unknown key in JSON", "zdhost.json", "{\"service\": {\"web\": {\n  \"command\": [\"SERVER\"],\n  \"listners\": []\n}}}\n", 3,
		[]string{`unknown key "listners"`, `did you mean "listeners"`}},
	{"unknown block", "", "service \"web\" {\n  command = [\"SERVER\"]\n  reedy {\n  }\n}\n", 3,
		[]string{`"reedy"`, `did you mean "ready"`}},
	{"wrong type", "", "service \"web\" {\n  command   = [\"SERVER\"]\n  instances = \"many\"\n}\n", 3,
		[]string{`"instances"`, "whole number", "hint:"}},
	{"no duration", "", "service \"web\" {\n  command = [\"SERVER\"]\n  ready {\n    timeout = \"soon\"\n  }\n}\n", 4,
		[]string{`"timeout"`, "hint:"}},
	{"syntax", "", "service \"web\" {\n  command = [\"SERVER\"\n}\n", 3, nil},
	{"two listeners on one address", "",
		"listener \"a\" {\n  address = \"FREE\"\n}\nlistener \"b\" {\n  address = \"FREE\"\n}\nservice \"web\" {\n  command = [\"SERVER\"]\n  listeners = [\"a\", \"b\"]\n}\n", 5,
		[]string{`listener "b"`, `listener "a"`, ":2:", "hint:"}},
	{"address in use", "", "listener \"a\" {\n  address = \"TAKEN\"\n}\nservice \"web\" {\n  command = [\"SERVER\"]\n  listeners = [\"a\"]\n}\n", 2,
		[]string{"TAKEN", "in use by", "pid " + strconv.Itoa(os.Getpid()), "hint:"}},
	{"address not ours", "", "listener \"a\" {\n  address = \"192.0.2.77:1\"\n}\nservice \"web\" {\n  command = [\"SERVER\"]\n  listeners = [\"a\"]\n}\n", 2,
		[]string{"192.0.2.77:1", "not this machine's", "127.0.0.1"}},
	{"no such listener", "", "listener \"front\" {\n  address = \"FREE\"\n}\nservice \"web\" {\n  command   = [\"SERVER\"]\n  listeners = [\"frnt\"]\n}\n", 6,
		[]string{`"frnt"`, `did you mean "front"`}},
	{"missing release", "", "service \"web\" {\n  command = [\"./server\"]\n  release = \"./releases/v2\"\n}\n", 3,
		[]string{"releases/v2", "no such file", "v1"}},
	{"missing program", "", "service \"web\" {\n  command = [\"./plan\"]\n}\n", 2, []string{"plan: no such file", "did you mean", "/plain\""}},
	{"missing program in PATH", "", "service \"web\" {\n  command = [\"slepp\"]\n}\n", 2, []string{`"slepp"`, "PATH", `did you mean "sleep"`}},
	{"program not executable", "", "service \"web\" {\n  command = [\"./plain\"]\n}\n", 2, []string{"not executable", "chmod +x"}},
	{"service named twice", "", "service \"web\" {\n  command = [\"SERVER\"]\n}\nservice \"web\" {\n  command = [\"SERVER\"]\n}\n", 4,
		[]string{`service "web"`, "twice", ":1:"}},
	{"service called host", "", "service \"host\" {\n  command = [\"SERVER\"]\n}\n", 1, []string{`"host"`}},
	{"unknown user", "", "service \"web\" {\n  command = [\"SERVER\"]\n  user    = \"nobdy\"\n}\n", 3, []string{`"nobdy"`, `did you mean "nobody"`}},
}

// TestBadInput_Configuration: check and run say what is wrong and where, end with 2, and leave nothing behind.
func TestBadInput_Configuration(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range wrongConfigurations {
		t.Run(c.name, func(t *testing.T) {
			g := newGround(t, nil)
			g.write("plain", "")
			if err := os.MkdirAll(g.path("releases/v1"), 0o755); err != nil {
				t.Fatal(err)
			}
			fill := strings.NewReplacer("FREE", freeAddress(t), "TAKEN", taken.Addr().String(), "SERVER", built.naive)
			file := c.file
			if file == "" {
				file = "zdhost.hcl"
			}
			path := g.write(file, fill.Replace(c.text))
			for _, verb := range []string{"check", "run"} {
				s := g.cli(verb, "-c", path)
				if s.code != 2 {
					t.Errorf("%s: want exit code 2: %v", verb, s)
				}
				for _, want := range append([]string{path + ":" + strconv.Itoa(c.line)}, c.says...) {
					if want = fill.Replace(want); !strings.Contains(s.errout, want) {
						t.Errorf("%s doesn't say %q: %v", verb, want, s)
					}
				}
			}
			if _, err := os.Stat(filepath.Join(g.state(), "run")); err == nil {
				t.Error("a run directory was made")
			}
		})
	}
}

// TestBadInput_SecondRun: the second host on a state directory says who holds it, and the first goes on.
func TestBadInput_SecondRun(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	s := g.cli("run", "-c", g.path("zdhost.hcl"))
	if pid := strconv.Itoa(h.status().Host.KeeperPID); s.code == 0 || !strings.Contains(s.errout, pid) {
		t.Errorf("want it to name process %s: %v", pid, s)
	}
	for _, want := range []string{g.state(), "hint:"} {
		if !strings.Contains(s.errout, want) {
			t.Errorf("it doesn't say %q: %v", want, s)
		}
	}
	wantNoneFailed(t, run(t, newConnectionsOnce(o.address)))
}

// TestBadInput_FirstStart: a program named on the command line that does not come up ends zdhost with its reason and
// its last words.
func TestBadInput_FirstStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name    string
		program func(*ground) []string
		says    []string
	}{
		{"exits", func(*ground) []string { return []string{built.bad, "-mode", "exit"} }, []string{"exit code 3", "shard"}},
		{"address in use", func(*ground) []string { return []string{built.naive, "-address", taken.Addr().String()} },
			[]string{taken.Addr().String(), "in use"}},
		{"no such program", func(*ground) []string { return []string{"./nothing"} }, []string{"nothing", "no such file"}},
		{"no program", func(g *ground) []string {
			path := g.write("garbage", "\x7fELF but not really")
			if err := os.Chmod(path, 0o755); err != nil {
				g.t.Fatal(err)
			}
			return []string{path}
		}, []string{"exec format error"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGround(t, nil)
			h := g.start(append([]string{"--"}, c.program(g)...)...)
			if code := h.wait(comeUp); code == 0 {
				t.Error("exit code 0")
			}
			for _, want := range c.says {
				if !strings.Contains(h.output.String(), want) {
					t.Errorf("it doesn't say %q:\n%s", want, h.output)
				}
			}
		})
	}
}

// TestBadInput_ConfiguredStart: a configured service that does not come up is no reason to end; it is tried again, and
// said.
func TestBadInput_ConfiguredStart(t *testing.T) {
	g := newGround(t, nil)
	h := g.start("-c", g.write("zdhost.hcl", configuration{address: freeAddress(t), command: []string{built.bad, "-mode", "exit"}}.String()))
	g.await("status shows why", comeUp, func() bool {
		h.mustRun()
		s := g.cli("status")
		return s.code == 0 && strings.Contains(s.out, "degraded") && strings.Contains(s.out, "exit code 3")
	})
	if code := h.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

// TestBadInput_Commands: wrong words change nothing and say what would be right.
func TestBadInput_Commands(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	before := h.service(web)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"upgrade", "wep", "--", "x"}, "web"},
		{[]string{"upgrade", web, "./nothing"}, "there is no release at ./nothing"},
		{[]string{"upgrade", web, "--set", "bake", "--", built.naive}, "bake"},
		{[]string{"upgrade", web, "--set", "bake=soon", "--", built.naive}, "not a duration"},
		{[]string{"upgrade", web, "--set", "backe=1s", "--", built.naive}, "backe"},
		{[]string{"upgrade", web, "--set", "weight=120", "--", built.naive}, "weight"},
		{[]string{"upgrade", web, "--strategy", "blue", "--", built.naive}, "bluegreen"},
		{[]string{"upgrade", web, "--if-busy", "perhaps", "--", built.naive}, "supersede"},
		{[]string{"upgrade", web, "--"}, "no program"},
		{[]string{"rollback", web, "--to", "sha256:0000"}, "never ran"},
		{[]string{"upgrad", web}, "upgrade"},
	} {
		s := g.cli(c.args[0], c.args[1:]...)
		if s.code != 2 || !strings.Contains(s.errout, c.says) {
			t.Errorf("zdhost %s: want exit code 2 and %q: %v", strings.Join(c.args, " "), c.says, s)
		}
	}
	if s := g.cli("rollout", "promote", web); s.code == 0 || !strings.Contains(s.errout, "none is under way") {
		t.Errorf("promote without a rollout: %v", s)
	}
	if s := g.cli("rollback", web); s.code == 0 || !strings.Contains(s.errout, "no earlier release") {
		t.Errorf("rollback without a past: %v", s)
	}
	now := h.service(web)
	if now.Generation != before.Generation || now.Instances[0].PID != before.Instances[0].PID {
		t.Errorf("something was changed: %+v, was %+v", now, before)
	}
	if s := g.plain("status", "--state-dir", g.path("elsewhere")); s.code != 7 {
		t.Errorf("status without a host: want exit code 7: %v", s)
	}
}

// TestBadInput_StubbornInstance: what ignores the drain signal is killed at the end of its timeout, its whole group.
func TestBadInput_StubbornInstance(t *testing.T) {
	g := newGround(t, nil)
	address := freeAddress(t)
	command := []string{"/bin/sh", "-c", "trap '' TERM; " + built.bad + " -mode ignore-term -address " + address + " & wait; wait"}
	h := g.configured(configuration{address: address, command: command, service: "drain {\n    timeout = \"1s\"\n  }"}.String())
	began := time.Now()
	if code := h.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > goDown/2 {
		t.Errorf("it took %v", took)
	}
	if h.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		t.Error("zdhost was killed")
	}
}
