package config

import (
	"strings"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// Config is a whole configuration: checked, with defaults, paths absolute.
// Nobody changes it after Load.
type Config struct {
	File      string // the file it was loaded from, absolute; empty without one
	Dir       string // the file's directory, absolute; the working directory without one
	StateDir  string
	RunDir    string // where sockets live: this host's own; at most MaxRunDir bytes
	Control   Control
	Log       Log
	Releases  Releases
	Listeners []Listener // in the file's order
	Services  []Service  // in the file's order

	positions positions
	source    []byte
}

// Source is what the file held, for Parse; nil without a file. It may have
// secrets.
func (c *Config) Source() []byte { return c.source }

// Control says who may speak to the host.
type Control struct {
	Group string // empty: the host's own user and root only
}

// Log is how zdhost itself logs.
type Log struct {
	Format string // auto, text or json
	Level  string // debug, info, warn or error
}

// Releases says how long unused releases are kept.
type Releases struct {
	Keep   int           // that each service ran last, whatever their age
	MaxAge time.Duration // of those beyond Keep
}

// Listener returns the listener of that name, or nil.
func (c *Config) Listener(name string) *Listener {
	for i := range c.Listeners {
		if c.Listeners[i].Name == name {
			return &c.Listeners[i]
		}
	}
	return nil
}

// Service returns the service of that name, or nil.
func (c *Config) Service(name string) *Service {
	for i := range c.Services {
		if c.Services[i].Name == name {
			return &c.Services[i]
		}
	}
	return nil
}

// PosOf returns where the value at a dotted path, such as
// "service.shop.command" or "service.shop.listeners.0", was written. For a
// value that nobody wrote it returns the place of the nearest block around it,
// and the zero Pos where there is none.
func (c *Config) PosOf(path string) pluginapi.Pos {
	for {
		if p, ok := c.positions[path]; ok {
			return p
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return c.positions[""]
		}
		path = path[:i]
	}
}

// given tells whether the value at a path was written, in the file or as an
// override.
func (c *Config) given(path string) bool {
	_, ok := c.positions[path]
	return ok
}

// positions has the place of each value and block by its dotted path, and that
// of the whole file under "".
type positions map[string]pluginapi.Pos
