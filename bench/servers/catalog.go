package servers

import (
	"context"
	"fmt"
	"os/exec"
)

// Site is where, as what and under which name a server is to run.
type Site struct {
	Dir          string // an existing directory of its own, for sources, binaries and temporary files
	Address      string // host:port; naive and shop take unix:PATH too
	Release      string // the name it answers with
	ExecutionLog string // absolute path of the log of executed POSTs; empty: none
}

// Command is how to start a prepared server. It stays in the foreground.
type Command struct {
	Argv []string // Argv[0] is an absolute path
	Env  []string // to be added to the environment
	Dir  string   // working directory
}

// Server is one entry of the catalogue.
type Server struct {
	Name             string
	KeepsConnections bool // serves more than one request over a connection
	ReadsBodies      bool // reads the body of a POST before it answers

	needs   []program
	prepare func(context.Context, Site, tools) (Command, error)
}

// program is an installed program that a server needs, and where to look for it, in order.
type program struct {
	name string
	at   []string
}

// tools are the absolute paths of programs by name.
type tools map[string]string

// All is the whole catalogue.
func All() []Server {
	golang := program{"go", []string{"go"}}
	// A python3 that comes first in PATH may be a wrapper that starts another process.
	python := program{"python3", []string{"/usr/bin/python3", "python3"}}
	gunicorn := program{"gunicorn", []string{"/usr/bin/gunicorn", "gunicorn"}}
	return []Server{
		{Name: "naive", KeepsConnections: true, ReadsBodies: true, needs: []program{golang}, prepare: prepareGo("naive")},
		{Name: "shop", KeepsConnections: true, ReadsBodies: true, needs: []program{golang}, prepare: prepareGo("shop")},
		{Name: "python", KeepsConnections: true, ReadsBodies: true, needs: []program{python}, prepare: preparePython},
		{Name: "node", KeepsConnections: true, ReadsBodies: true, needs: []program{{"node", []string{"node"}}}, prepare: prepareNode},
		{Name: "nginx", KeepsConnections: true, needs: []program{{"nginx", []string{"nginx", "/usr/sbin/nginx"}}}, prepare: prepareNginx},
		{Name: "gunicorn", ReadsBodies: true, needs: []program{gunicorn}, prepare: prepareGunicorn},
		{Name: "jdk", KeepsConnections: true, ReadsBodies: true,
			needs: []program{{"javac", []string{"javac"}}, {"java", []string{"java"}}}, prepare: prepareJDK},
	}
}

// Named returns one entry of the catalogue.
func Named(name string) (Server, error) {
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
	}
	return Server{}, fmt.Errorf("cannot find server %q: not in the catalogue", name)
}

// Missing names the first program that the server needs and that isn't installed; "" if it can be prepared.
func (s Server) Missing() string {
	_, missing := s.find()
	return missing
}

// Prepare writes what the server needs into site.Dir and returns how to start it.
func (s Server) Prepare(ctx context.Context, site Site) (Command, error) {
	found, missing := s.find()
	if missing != "" {
		return Command{}, fmt.Errorf("cannot prepare %s: %s is not installed", s.Name, missing)
	}
	c, err := s.prepare(ctx, site, found)
	if err != nil {
		return Command{}, fmt.Errorf("cannot prepare %s: %w", s.Name, err)
	}
	c.Dir = site.Dir
	c.Env = append(c.Env, "RELEASE="+site.Release)
	if site.ExecutionLog != "" {
		c.Env = append(c.Env, "EXECUTION_LOG="+site.ExecutionLog)
	}
	return c, nil
}

// find looks for what the server needs.
func (s Server) find() (found tools, missing string) {
	found = tools{}
	for _, p := range s.needs {
		for _, candidate := range p.at {
			if path, err := exec.LookPath(candidate); err == nil {
				found[p.name] = path
				break
			}
		}
		if found[p.name] == "" {
			return nil, p.name
		}
	}
	return found, ""
}
