package promises

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/zdhost/zdhost/bench/servers"
)

// offer is one server at one address: the command line of each of its releases.
type offer struct {
	g       *ground
	server  string
	address string
	made    map[string][]string
}

// offers returns the server of the catalogue with that name, or skips the test where it can't be had; in CI only the
// JDK may be missing.
func (g *ground) offers(server, address string) *offer {
	g.t.Helper()
	s, err := servers.Named(server)
	if err != nil {
		g.t.Fatal(err)
	}
	if missing := s.Missing(); missing != "" {
		if os.Getenv("CI") != "" && server != "jdk" { // .ci/install should have brought it: a promise must not go untested unseen
			g.t.Fatalf("%s is not installed", missing)
		}
		g.t.Skipf("%s is not installed", missing)
	}
	return &offer{g: g, server: server, address: address, made: map[string][]string{}}
}

// executions is the log of executed POSTs, one for all releases.
func (g *ground) executions() string { return g.path("executions") }

// release is the command line of a release. It names the environment too, so that it runs anywhere.
func (o *offer) release(name string) []string {
	o.g.t.Helper()
	if o.made[name] == nil {
		o.made[name] = o.make(name)
	}
	return o.made[name]
}

func (o *offer) make(name string) []string {
	o.g.t.Helper()
	env := []string{"/usr/bin/env", "RELEASE=" + name, "EXECUTION_LOG=" + o.g.executions()}
	switch o.server {
	case "naive":
		return append(env, built.naive, "-address", o.address)
	case "shop":
		return append(env, built.shop, "-address", o.address)
	}
	s, err := servers.Named(o.server)
	if err != nil {
		o.g.t.Fatal(err)
	}
	dir := o.g.path(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		o.g.t.Fatal(err)
	}
	c, err := s.Prepare(o.g.t.Context(), servers.Site{Dir: dir, Address: o.address, Release: name, ExecutionLog: o.g.executions()})
	if err != nil {
		o.g.t.Fatal(err)
	}
	o.g.give(dir)
	return append(append([]string{"/usr/bin/env", "-C", dir}, c.Env...), c.Argv...)
}

// freeAddress is a port of 127.0.0.1 that nobody had a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// portOf is the port of host:port.
func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// nobody is an ordinary user. Only root can be somebody else.
func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run a host as another user")
	}
	if info, err := os.Stat(filepath.Dir(built.zdhost)); err != nil || info.Mode().Perm()&0o005 != 0o005 {
		t.Skipf("an ordinary user can't reach %s", built.zdhost)
	}
	const uid, gid = 65534, 65534
	return &syscall.Credential{Uid: uid, Gid: gid}
}
