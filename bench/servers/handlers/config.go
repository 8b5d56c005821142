package handlers

import (
	"cmp"
	"flag"
	"net"
	"os"
	"strings"
)

// Config is what every Go test server is told.
type Config struct {
	Address      string // host:port, or unix:PATH
	Release      string // the name it answers with
	ExecutionLog string // file to append executed POSTs to; empty: none
}

// Flags defines -address and -release in fs, with ADDRESS, RELEASE and EXECUTION_LOG of the environment as
// defaults. The result is complete after fs.Parse.
func Flags(fs *flag.FlagSet) *Config {
	c := &Config{ExecutionLog: os.Getenv("EXECUTION_LOG")}
	fs.StringVar(&c.Address, "address", cmp.Or(os.Getenv("ADDRESS"), "127.0.0.1:8080"), "`host:port` or unix:PATH to listen on")
	fs.StringVar(&c.Release, "release", cmp.Or(os.Getenv("RELEASE"), "unnamed"), "`name` to answer with")
	return c
}

// Listen binds the address as ordinary programs do, with net.Listen.
func (c *Config) Listen() (net.Listener, error) {
	if path, ok := strings.CutPrefix(c.Address, "unix:"); ok {
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", c.Address)
}
