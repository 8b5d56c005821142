package instance

import (
	"fmt"
	"slices"
	"strings"
)

// readiness is what an instance must show before it may get work. It is pure:
// the driver tells it what happened.
type readiness struct {
	required  []Port // addresses it must listen on
	adopts    bool   // listening is seen; else the sockets are given and listen already
	needsWord bool   // READY=1 or the workload API's ready
	needsPort bool   // its check is asked over a port, whichever it is
	checks    int    // probes and checks that must pass

	listening map[string]bool // ports it called listen on
	elsewhere []string        // addresses it listens on that nobody asked for
	refusals  []string
	said      bool
	passed    bool
	lastCheck string // what the last check said
}

// Port is an address that a program serves, by its listener's name.
type Port struct {
	Name    string
	Address string // for people
}

// mayCheck says that probing makes sense: what can be seen from outside is done.
func (r *readiness) mayCheck() bool {
	return len(r.deaf()) == 0 && (!r.needsWord || r.said) && !r.nowhere()
}

// nowhere says that there is no port to ask yet.
func (r *readiness) nowhere() bool {
	return r.needsPort && len(r.required) == 0 && len(r.listening) == 0
}

func (r *readiness) ready() bool { return r.mayCheck() && (r.checks == 0 || r.passed) }

// deaf lists the required ports where it doesn't listen yet.
func (r *readiness) deaf() []Port {
	if !r.adopts {
		return nil
	}
	var d []Port
	for _, p := range r.required {
		if !r.listening[p.Name] {
			d = append(d, p)
		}
	}
	return d
}

// missing says in words what keeps it from being ready.
func (r *readiness) missing() string {
	var parts []string
	if deaf := r.deaf(); len(deaf) > 0 {
		var addresses []string
		for _, p := range deaf {
			addresses = append(addresses, p.Address)
		}
		s := "it does not listen on " + strings.Join(addresses, ", ")
		if len(r.elsewhere) > 0 {
			s += "; it listens on " + strings.Join(r.elsewhere, ", ")
		}
		parts = append(parts, s)
	} else if r.needsWord && !r.said {
		parts = append(parts, "it has not said READY=1")
	} else if r.nowhere() {
		parts = append(parts, "it listens nowhere, and its check needs a port")
	} else if r.checks > 0 && !r.passed {
		s := "its check has not passed"
		if r.lastCheck != "" {
			s += ": " + r.lastCheck
		}
		parts = append(parts, s)
	}
	parts = append(parts, r.refusals...)
	if len(parts) == 0 {
		return "nothing is missing"
	}
	return strings.Join(parts, "; ")
}

// listens notes a listen call, of a required port or of another address.
func (r *readiness) listens(port, address string) {
	r.listening[port] = true
	for _, p := range r.required {
		if p.Name == port {
			return
		}
	}
	r.listensElsewhere(address)
}

// listensElsewhere notes an address that nobody asked for.
func (r *readiness) listensElsewhere(address string) {
	asked := slices.ContainsFunc(r.required, func(p Port) bool { return p.Address == address })
	if !asked && !slices.Contains(r.elsewhere, address) {
		r.elsewhere = append(r.elsewhere, address)
	}
}

func (r *readiness) refused(asked, listener, reason string) {
	text := fmt.Sprintf("its bind of %s was refused (listener %s): %s", asked, listener, reason)
	if !slices.Contains(r.refusals, text) {
		r.refusals = append(r.refusals, text)
	}
}
