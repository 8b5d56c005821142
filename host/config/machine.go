package config

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// machine is what CheckMachine asks of the operating system.
type machine struct {
	euid        func() int
	addresses   func() ([]netip.Addr, error) // of the interfaces
	lookupUser  func(name string) (*user.User, error)
	lookupGroup func(name string) (*user.Group, error)
	bind        func(*Listener) error // binds and closes again
	holder      func(*Listener) string
}

func thisMachine() machine {
	return machine{
		euid: os.Geteuid, addresses: interfaceAddresses, lookupUser: lookupUser, lookupGroup: lookupGroup,
		bind: probeBind, holder: holderOf,
	}
}

// CheckMachine checks what depends on the machine, as it is now: programs,
// release directories, users and groups exist; addresses are this machine's
// and free. held has the addresses (see Listener.Address) that a running host
// of this state directory holds already; those are taken to be free. It
// returns what it found until ctx ended.
func (c *Config) CheckMachine(ctx context.Context, held []string) []Problem {
	return c.checkMachine(ctx, held, thisMachine())
}

func (c *Config) checkMachine(ctx context.Context, held []string, m machine) []Problem {
	var found findings
	c.checkDirs(&found)
	if group := c.Control.Group; group != "" {
		if _, err := m.lookupGroup(group); err != nil {
			found.add(c.PosOf("control.group"), "control.group", nearestAccount(group, "/etc/group"), "no group %q on this machine", group)
		}
	}
	for i := range c.Listeners {
		if ctx.Err() != nil {
			break
		}
		c.checkAddress(&c.Listeners[i], held, m, &found)
	}
	for i := range c.Services {
		if ctx.Err() != nil {
			break
		}
		c.checkAccount(&c.Services[i], m, &found)
		c.checkProgram(&c.Services[i], &found)
	}
	_ = found.err() // sorts
	return found
}

// checkDirs refuses a state or run directory that is something else.
func (c *Config) checkDirs(found *findings) {
	for _, d := range []struct{ path, dir string }{{"state_dir", c.StateDir}, {"run_dir", c.RunDir}} {
		path, dir := d.path, d.dir
		if info, err := os.Stat(dir); err == nil && !info.IsDir() {
			found.add(c.PosOf(path), path, "", "%q is no directory: %s", path, dir)
		}
	}
}

// checkAccount checks the user and group of a service. Only root may start a
// program as somebody else.
func (c *Config) checkAccount(s *Service, m machine, found *findings) {
	path := "service." + s.Name
	if s.User != "" {
		at := path + ".user"
		u, err := m.lookupUser(s.User)
		switch {
		case err != nil:
			found.add(c.PosOf(at), at, nearestAccount(s.User, "/etc/passwd"), "no user %q on this machine", s.User)
		case m.euid() != 0 && u.Uid != strconv.Itoa(m.euid()):
			found.add(c.PosOf(at), at, "start zdhost as root, or remove \"user\"", "service %q can't run as user %q: zdhost is not root", s.Name, s.User)
		}
	}
	if s.Group != "" {
		at := path + ".group"
		if _, err := m.lookupGroup(s.Group); err != nil {
			found.add(c.PosOf(at), at, nearestAccount(s.Group, "/etc/group"), "no group %q on this machine", s.Group)
		}
	}
}

func lookupUser(name string) (*user.User, error) {
	u, err := user.Lookup(name)
	if _, bad := strconv.ParseUint(name, 10, 31); err != nil && bad == nil {
		return &user.User{Uid: name, Username: name}, nil // a number needs no account
	}
	return u, err
}

func lookupGroup(name string) (*user.Group, error) {
	g, err := user.LookupGroup(name)
	if _, bad := strconv.ParseUint(name, 10, 31); err != nil && bad == nil {
		return &user.Group{Gid: name, Name: name}, nil
	}
	return g, err
}

// nearestAccount returns a hint that names the nearest entry of /etc/passwd or
// /etc/group.
func nearestAccount(name, file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		account, _, _ := strings.Cut(line, ":")
		names = append(names, account)
	}
	return didYouMean(name, names)
}

func interfaceAddresses() ([]netip.Addr, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("cannot list addresses: %w", err)
	}
	var all []netip.Addr
	for _, n := range nets {
		if prefix, err := netip.ParsePrefix(n.String()); err == nil {
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return all, nil
}

// checkProgram checks that a service's release and programs are there.
func (c *Config) checkProgram(s *Service, found *findings) {
	path := "service." + s.Name
	dir := c.Dir
	if s.Release != "" {
		at := path + ".release"
		info, err := os.Stat(s.Release)
		switch {
		case err != nil:
			found.add(c.PosOf(at), at, nearestFile(s.Release), "release %s of service %q: %s", s.Release, s.Name, reason(err))
			return
		case info.Mode().IsRegular():
			return // a packed release: its program is seen when it is unpacked
		case !info.IsDir():
			found.add(c.PosOf(at), at, "", "release %s of service %q is neither a directory nor a packed release", s.Release, s.Name)
			return
		}
		dir = s.Release
	}
	if s.Dir != "" {
		at := path + ".dir"
		if info, err := os.Stat(s.Dir); err != nil {
			found.add(c.PosOf(at), at, nearestFile(s.Dir), "directory %s of service %q: %s", s.Dir, s.Name, reason(err))
		} else if !info.IsDir() {
			found.add(c.PosOf(at), at, "", "%s of service %q is no directory", s.Dir, s.Name)
		}
		if s.Release == "" {
			dir = s.Dir
		}
	}
	c.checkCommand(path+".command", "program of", s, s.Command, dir, s.searchPath(), found)
	own := filepath.SplitList(os.Getenv("PATH")) // the host runs the checks
	c.checkCommand(path+".ready.exec", "ready check of", s, s.Ready.Exec, dir, own, found)
	if s.Health != nil {
		c.checkCommand(path+".health.exec", "health check of", s, s.Health.Exec, dir, own, found)
	}
}

// checkCommand checks that the program of a command line, if there is one, is
// there.
func (c *Config) checkCommand(at, what string, s *Service, argv []string, dir string, path []string, found *findings) {
	if len(argv) == 0 {
		return
	}
	if hint, err := findProgram(argv[0], dir, path); err != nil {
		at += ".0"
		found.add(c.PosOf(at), at, hint, "%s service %q: %s", what, s.Name, err)
	}
}

// searchPath returns the PATH that the service's program is looked for in.
func (s *Service) searchPath() []string {
	path, ok := s.Env["PATH"]
	if !ok {
		path = os.Getenv("PATH")
	}
	return filepath.SplitList(path)
}

// findProgram looks for a program in the release's directory first, then, if
// it is a bare name, in the search path.
func findProgram(name, dir string, path []string) (hint string, err error) {
	file := name
	if !filepath.IsAbs(name) {
		file = filepath.Join(dir, name)
	}
	bare := !strings.ContainsRune(name, filepath.Separator)
	info, err := os.Stat(file)
	if err != nil && bare {
		return searchProgram(name, dir, path)
	}
	if err != nil {
		return nearestFile(file), fmt.Errorf("%s: %s", file, reason(err))
	}
	return executable(file, info)
}

func executable(file string, info fs.FileInfo) (hint string, err error) {
	switch {
	case info.IsDir():
		return "", fmt.Errorf("%s is a directory", file)
	case info.Mode()&0o111 == 0:
		return "chmod +x " + file, fmt.Errorf("%s is not executable", file)
	}
	return "", nil
}

func searchProgram(name, dir string, path []string) (hint string, err error) {
	var names []string
	for _, d := range append([]string{dir}, path...) {
		file := filepath.Join(d, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return "", nil
		}
		entries, err := os.ReadDir(d)
		if err != nil {
			continue
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	return didYouMean(name, names), fmt.Errorf("%q is neither in %s nor in PATH", name, dir)
}
