package config

import (
	"fmt"
	"path/filepath"
)

// crossCheck finds what is wrong between values that are right by themselves.
// Values that were reported before are missing, and no reason for a second
// complaint.
func (c *Config) crossCheck(found *findings) {
	if len(c.Services) == 0 && !c.given("service") && len(*found) == 0 {
		found.add(c.PosOf(""), "service", `write service "NAME" { command = ["./PROGRAM"] }`, "the configuration has no service")
	}
	if len(c.RunDir) > MaxRunDir {
		found.add(c.PosOf("run_dir"), "run_dir", `for example: run_dir = "/run/zdhost"`,
			"\"run_dir\" is %d bytes long; at most %d leave room for a socket's name", len(filepath.Dir(c.RunDir)), maxRunDirGiven)
	}
	c.checkListeners(found)
	owner := map[string]string{} // listener → service
	for i := range c.Services {
		s := &c.Services[i]
		c.checkServiceListeners(s, owner, found)
		c.checkService(s, found)
	}
}

func (c *Config) checkListeners(found *findings) {
	for i := range c.Listeners {
		l := &c.Listeners[i]
		path := "listener." + l.Name
		if mode := path + ".mode"; l.Network != Unix && l.Address != "" && c.given(mode) {
			found.add(c.PosOf(mode), mode, "remove it", "\"mode\" of listener %q is for unix sockets only", l.Name)
		}
		for j := range i {
			o := &c.Listeners[j]
			if l.Address == "" || o.Address == "" || !l.Overlaps(o) {
				continue
			}
			hint := "one of them is enough: a service may have several listeners, a listener one service"
			words := "has the address of"
			if l.Address != o.Address {
				words = fmt.Sprintf("(%s) overlaps with %s of", l.Address, o.Address)
			}
			found.add(c.PosOf(path+".address"), path+".address", hint, "listener %q %s listener %q (%s)",
				l.Name, words, o.Name, c.PosOf("listener."+o.Name+".address"))
			break
		}
	}
}

func (c *Config) checkServiceListeners(s *Service, owner map[string]string, found *findings) {
	path := "service." + s.Name + ".listeners"
	var names []string
	for _, l := range c.Listeners {
		names = append(names, l.Name)
	}
	for i, name := range s.Listeners {
		at := fmt.Sprintf("%s.%d", path, i)
		switch {
		case c.Listener(name) == nil:
			hint := didYouMean(name, names)
			if hint == "" {
				hint = fmt.Sprintf("write listener %q { address = … }", name)
			}
			found.add(c.PosOf(at), at, hint, "service %q names listener %q, which is not there", s.Name, name)
		case owner[name] == s.Name:
			found.add(c.PosOf(at), at, "", "service %q names listener %q twice", s.Name, name)
		case owner[name] != "":
			found.add(c.PosOf(at), at, "", "service %q names listener %q, which is service %q's", s.Name, name, owner[name])
		default:
			owner[name] = s.Name
		}
	}
	if s.Sockets == Inherit && len(s.Listeners) == 0 && !c.given(path) {
		at := "service." + s.Name + ".sockets"
		hint := `name some: listeners = ["web"]`
		if len(names) > 0 {
			hint = fmt.Sprintf("name some: listeners = [%q]", names[0])
		}
		found.add(c.PosOf(at), at, hint, "service %q inherits its sockets, but names no listeners", s.Name)
	}
}

func (c *Config) checkService(s *Service, found *findings) {
	path := "service." + s.Name
	command := path + ".command"
	if c.given(command) && !found.has(command) && (len(s.Command) == 0 || s.Command[0] == "") {
		found.add(c.PosOf(command), command, `for example: command = ["./shop", "--verbose"]`, "\"command\" of service %q names no program", s.Name)
	}
	if s.Health != nil && s.Health.HTTP == "" && len(s.Health.Exec) == 0 && !found.has(path+".health.http", path+".health.exec") {
		at := path + ".health"
		found.add(c.PosOf(at), at, `for example: http = "/healthz"`, "health of service %q has neither \"http\" nor \"exec\"", s.Name)
	}
	if r := s.Restart; r.Backoff > r.MaxBackoff && !found.has(path+".restart.backoff", path+".restart.max_backoff") {
		at := path + ".restart.backoff"
		found.add(c.PosOf(at), at, "", "\"backoff\" of service %q (%s) is longer than \"max_backoff\" (%s)", s.Name, r.Backoff, r.MaxBackoff)
	}
	for _, name := range s.EnvInherit {
		if at := path + ".env_inherit"; !envName.MatchString(name) || isOwnEnv(name) {
			found.add(c.PosOf(at), at, "", "\"env_inherit\" of service %q can't have %q", s.Name, name)
		}
	}
}
