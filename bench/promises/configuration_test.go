package promises

import (
	"fmt"
	"strings"
)

// configuration is a host with one service on one listener, in HCL.
type configuration struct {
	address string
	sockets string // default: adopt
	command []string
	release string // a directory; default: none
	service string // more lines of the service's block
}

// web is the only service of a configuration.
const web = "web"

func (c configuration) String() string {
	sockets := c.sockets
	if sockets == "" {
		sockets = "adopt"
	}
	release := ""
	if c.release != "" {
		release = fmt.Sprintf("release = %q", c.release)
	}
	return fmt.Sprintf(`listener "front" {
  address = %q
}

service %q {
  command   = [%s]
  listeners = ["front"]
  sockets   = %q
  %s
  %s
}
`, c.address, web, quoted(c.command), sockets, release, c.service)
}

// quoted is the items of a list in HCL.
func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(q, ", ")
}
