package config

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// load writes an HCL configuration beside the files that the test has made.
func load(t *testing.T, dir, text string) *Config {
	t.Helper()
	path := filepath.Join(dir, "zdhost.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// complaints returns the messages of problems, with the directory cut off.
func complaints(dir string, problems []Problem) string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, strings.ReplaceAll(p.String(), dir+"/", ""))
	}
	return strings.Join(lines, "\n")
}

func TestCheckMachinePrograms(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"v1", "v1/sub", "bin"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"v1/shop": 0o755, "v1/data": 0o644, "bin/tool": 0o755, "v1/env": 0o644, "packed.zdr": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", filepath.Join(dir, "bin"))
	for _, c := range []struct{ name, service, want string }{
		{"in the release", `command = ["./shop"]` + "\n" + `release = "v1"`, ""},
		{"bare in the release", `command = ["shop"]` + "\n" + `release = "v1"`, ""},
		{"in PATH", `command = ["tool"]` + "\n" + `release = "v1"`, ""},
		{"in the service's PATH", `command = ["shop"]` + "\n" + `env = { PATH = "` + dir + `/v1" }`, ""},
		{"absolute", `command = ["` + dir + `/v1/shop"]`, ""},
		{"packed", `command = ["./any"]` + "\n" + `release = "packed.zdr"`, ""},
		{"in dir", `command = ["./shop"]` + "\n" + `dir = "v1"`, ""},
		{"missing", `command = ["./shpo"]` + "\n" + `release = "v1"`,
			"zdhost.hcl:2:12: program of service \"s\": v1/shpo: no such file or directory\nhint: did you mean \"v1/shop\"?"},
		{"missing in PATH", `command = ["tol"]` + "\n" + `release = "v1"`,
			"zdhost.hcl:2:12: program of service \"s\": \"tol\" is neither in v1 nor in PATH\nhint: did you mean \"tool\"?"},
		{"not executable", `command = ["./data"]` + "\n" + `release = "v1"`,
			"zdhost.hcl:2:12: program of service \"s\": v1/data is not executable\nhint: chmod +x v1/data"},
		{"a directory", `command = ["./sub"]` + "\n" + `release = "v1"`,
			"zdhost.hcl:2:12: program of service \"s\": v1/sub is a directory"},
		{"checks", `command = ["./shop"]` + "\n" + `release = "v1"` + "\n" + `ready {` + "\n" + `exec = ["./shop", "x"]` + "\n}\n" + `health {` + "\n" + `exec = ["tool"]` + "\n}", ""},
		{"missing ready check", `command = ["./shop"]` + "\n" + `release = "v1"` + "\n" + `ready {` + "\n" + `exec = ["./shpo", "x"]` + "\n}",
			"zdhost.hcl:5:9: ready check of service \"s\": v1/shpo: no such file or directory\nhint: did you mean \"v1/shop\"?"},
		{"missing health check", `command = ["./shop"]` + "\n" + `release = "v1"` + "\n" + `health {` + "\n" + `exec = ["tol"]` + "\n}",
			"zdhost.hcl:5:9: health check of service \"s\": \"tol\" is neither in v1 nor in PATH\nhint: did you mean \"tool\"?"},
		{"no release", `command = ["./shop"]` + "\n" + `release = "./vv1"`,
			"zdhost.hcl:3:11: release vv1 of service \"s\": no such file or directory\nhint: did you mean \"v1\"?"},
		{"no dir", `command = ["./shop"]` + "\n" + `release = "v1"` + "\n" + `dir = "bim"`,
			"zdhost.hcl:4:7: directory bim of service \"s\": no such file or directory\nhint: did you mean \"bin\"?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := load(t, dir, "service \"s\" {\n"+c.service+"\n}\n")
			if got := complaints(dir, cfg.CheckMachine(context.Background(), nil)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestCheckMachineAccounts(t *testing.T) {
	dir := t.TempDir()
	c := load(t, dir, `control {
  group = "rooot"
}
service "a" {
  command = ["/bin/sh"]
  user    = "rooot"
  group   = "no-such-group-here"
}
service "b" {
  command = ["/bin/sh"]
  user    = "root"
}
service "c" {
  command = ["/bin/sh"]
  user    = "12345"
}
`)
	m := thisMachine()
	m.euid = func() int { return 0 }
	asRoot := `zdhost.hcl:2:11: no group "rooot" on this machine
hint: did you mean "root"?
zdhost.hcl:6:13: no user "rooot" on this machine
hint: did you mean "root"?
zdhost.hcl:7:13: no group "no-such-group-here" on this machine`
	if got := complaints(dir, c.checkMachine(context.Background(), nil, m)); got != asRoot {
		t.Errorf("got  %s\nwant %s", got, asRoot)
	}
	m.euid = func() int { return 12345 }
	asUser := asRoot + `
zdhost.hcl:11:13: service "b" can't run as user "root": zdhost is not root
hint: start zdhost as root, or remove "user"`
	if got := complaints(dir, c.checkMachine(context.Background(), nil, m)); got != asUser {
		t.Errorf("got  %s\nwant %s", got, asUser)
	}
}

// TestCheckMachineAddresses binds real sockets on loopback and looks whether
// their holder, this process, is found.
func TestCheckMachineAddresses(t *testing.T) {
	dir := t.TempDir()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	self := fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(comm)), os.Getpid())
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	unixListener, err := net.Listen("unix", filepath.Join(dir, "live.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unixListener.Close()
	stale, err := net.Listen("unix", filepath.Join(dir, "stale.sock"))
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tcpPort := tcp.Addr().(*net.TCPAddr).Port
	udpPort := udp.LocalAddr().(*net.UDPAddr).Port
	inUse := func(address string) string {
		return "zdhost.hcl:2:13: address " + address + " of listener \"l\" is in use by " + self + "\nhint: stop it, or choose another address"
	}
	for _, c := range []struct {
		address, want string
		held          []string
	}{
		{address: tcp.Addr().String(), want: inUse(tcp.Addr().String())},
		{address: tcp.Addr().String(), held: []string{tcp.Addr().String()}},
		{address: fmt.Sprintf(":%d", tcpPort), want: inUse(fmt.Sprintf(":%d", tcpPort))},
		{address: fmt.Sprintf("0.0.0.0:%d", tcpPort), want: inUse(fmt.Sprintf("0.0.0.0:%d", tcpPort))},
		{address: fmt.Sprintf("0.0.0.0:%d", tcpPort), held: []string{fmt.Sprintf("[::]:%d", tcpPort)}},
		{address: fmt.Sprintf("udp:127.0.0.1:%d", udpPort), want: inUse(fmt.Sprintf("udp:127.0.0.1:%d", udpPort))},
		{address: "unix:live.sock", want: inUse("unix:live.sock")},
		{address: "unix:live.sock", held: []string{"unix:" + dir + "/live.sock"}},
		{address: "unix:stale.sock"},
		{address: "unix:new.sock"},
		{address: "unix:file", want: "zdhost.hcl:2:13: address unix:file of listener \"l\" can't be bound: a file that is no socket is there"},
		{address: "unix:no/dir.sock", want: "zdhost.hcl:2:13: address unix:no/dir.sock of listener \"l\" is in a directory that is not there"},
		{address: "192.0.2.1:8080", want: "zdhost.hcl:2:13: address 192.0.2.1:8080 of listener \"l\" is not this machine's\nhint: this machine has 192.0.3.7, 127.0.0.1, 10.0.0.1"},
	} {
		t.Run(c.address, func(t *testing.T) {
			cfg := load(t, dir, "listener \"l\" {\n  address = \""+c.address+"\"\n}\nservice \"s\" {\n  command = [\"/bin/sh\"]\n}\n")
			m := thisMachine()
			m.addresses = func() ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.3.7")}, nil
			}
			if got := complaints(dir, cfg.checkMachine(context.Background(), c.held, m)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	if own, err := interfaceAddresses(); err != nil || len(own) == 0 {
		t.Errorf("this machine's addresses: %v, %v", own, err)
	}
}

// TestFreeAddressStaysFree: a check leaves nothing bound.
func TestFreeAddressStaysFree(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp.Close()
	c := load(t, t.TempDir(), `listener "t" {
  address = "`+tcp.Addr().String()+`"
}
listener "u" {
  address = "udp:`+udp.LocalAddr().String()+`"
}
service "s" {
  command = ["/bin/sh"]
}
`)
	for range 3 {
		if problems := c.CheckMachine(context.Background(), nil); len(problems) > 0 {
			t.Fatal(problems)
		}
	}
	if tcp, err = net.Listen("tcp", tcp.Addr().String()); err != nil {
		t.Fatal(err)
	}
	tcp.Close()
}

func TestLookupNumbers(t *testing.T) {
	if u, err := lookupUser("12345"); err != nil || u.Uid != "12345" {
		t.Errorf("got %v, %v", u, err)
	}
	if g, err := lookupGroup("12345"); err != nil || g.Gid != "12345" {
		t.Errorf("got %v, %v", g, err)
	}
	if _, err := lookupUser("no such user"); err == nil {
		t.Error("a user that is not there was found")
	}
}
