package architecture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// importRule says what of the module a package may reach, directly or through
// others. A pattern that ends in "..." covers what is below it as well. The rule
// with the longest pattern counts.
type importRule struct {
	of  string
	may []string
	// bare packages reach nothing of others but golang.org/x/sys, so that who
	// takes them takes no dependency along.
	bare bool
	why  string
}

// values are the packages that hold what others exchange.
var values = []string{"host/rollout", "pluginapi/...", "policy/..."}

func with(more ...string) []string { return append(more, values...) }

var importRules = []importRule{
	{of: "host/keeper", may: []string{"host/adopt", "internal/..."}, bare: true,
		why: "the keeper outlives every host: what it imports can't be upgraded without it"},
	{of: "host/adopt", bare: true, why: "it runs inside the keeper"},
	{of: "internal/seqpacket", bare: true, why: "it runs inside the keeper"},
	{of: "internal/procfs", bare: true, why: "it runs inside the keeper"},
	{of: "zdapp/...", may: []string{"zdapp/..."}, bare: true,
		why: "other people's programs import it: it brings nothing along"},
	{of: "pluginapi/...", may: []string{"pluginapi/..."}, bare: true,
		why: "a contract depends on neither side"},
	{of: "policy/...", may: []string{"policy/..."}, bare: true,
		why: "a question and its answer depend on nobody who asks"},
	{of: "plugins/...", may: []string{"pluginapi/...", "plugins/..."},
		why: "a bundled plugin has no privilege that a stranger's lacks"},

	{of: "host/config", may: with("plugins/configformats/..."), why: beside},
	{of: "host/control", may: with(), why: beside},
	{of: "host/inetdiag", bare: true, why: beside},
	{of: "host/instance", may: with("zdapp/workload"), why: beside},
	{of: "host/journal", bare: true, why: beside},
	{of: "host/listener", may: with("host/inetdiag", "host/traffic"), why: beside},
	{of: "host/release", bare: true, why: beside},
	{of: "host/rollout", may: []string{"pluginapi/..."}, bare: true, why: "a state machine that needs nothing can be tested without anything"},
	{of: "host/traffic", why: "weights to a program, and nothing else"},
	{of: "host", may: []string{"host/...", "internal/...", "pluginapi/...", "policy/...", "zdapp/workload", "plugins/configformats/..."},
		why: "strategies and other plugins are given to the host, which knows none by name"},

	{of: "cmd/...", may: []string{"..."}, why: "the binary puts everything together"},
	{of: "internal/architecture", why: "it has tests only"},
	{of: "bench/...", may: []string{"bench/...", "zdapp/...", "host/control"},
		why: "what measures zdhost stands outside of it and speaks to it as a user does"},
	{of: "bench/peers", may: []string{"bench/...", "host/control", "host/inetdiag", "host/listener", "host/traffic"},
		why: "it measures a change of weights by itself, and everything else from outside"},
	{of: "examples/...", may: []string{"zdapp/...", "pluginapi/...", "examples/..."},
		why: "an example may use what a reader may import"},
}

const beside = "packages beside each other under host know nothing of one another; package host puts them together"

// pure packages have no I/O: time, names and answers come in as values.
var pure = []string{"host/rollout", "host/traffic", "pluginapi", "plugins/strategies/bluegreen"}

var impure = []string{"os", "os/exec", "os/signal", "net", "net/http", "log", "log/slog", "syscall", "golang.org/x/sys/unix"}

func matches(pattern, path string) bool {
	below, tree := strings.CutSuffix(pattern, "...")
	if !tree {
		return path == pattern
	}
	below = strings.TrimSuffix(below, "/")
	return below == "" || path == below || strings.HasPrefix(path, below+"/")
}

func ruleFor(path string) (importRule, bool) {
	var best importRule
	found := false
	for _, r := range importRules {
		if matches(r.of, path) && (!found || len(r.of) > len(best.of)) {
			best, found = r, true
		}
	}
	return best, found
}

// importViolations says what is wrong with the imports of the module's packages.
func importViolations(all map[string]goPackage) []string {
	var wrong []string
	for _, importPath := range slices.Sorted(maps.Keys(all)) {
		path, mine := ours(importPath)
		if !mine {
			continue
		}
		rule, ok := ruleFor(path)
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s has no rule: say in importRules what it may import, and why", path))
			continue
		}
		for _, dep := range all[importPath].Deps {
			if !rule.allows(all, dep) {
				wrong = append(wrong, fmt.Sprintf("%s must not reach %s: %s", path, strings.TrimPrefix(dep, module+"/"), rule.why))
			}
		}
		if slices.Contains(pure, path) {
			for _, dep := range all[importPath].Imports {
				if slices.Contains(impure, dep) {
					wrong = append(wrong, fmt.Sprintf("%s must not import %s: it is pure", path, dep))
				}
			}
		}
	}
	return wrong
}

func (r importRule) allows(all map[string]goPackage, dep string) bool {
	if path, mine := ours(dep); mine {
		return matches(r.of, path) || slices.ContainsFunc(r.may, func(p string) bool { return matches(p, path) })
	}
	// What the standard library carries along has no module either.
	p, known := all[dep]
	return !r.bare || known && (p.Standard || p.Module != nil && p.Module.Path == "golang.org/x/sys")
}

func TestImports(t *testing.T) {
	for _, v := range importViolations(mustPackages(t)) {
		t.Error(v)
	}
}

// TestImportsAreSeen is the negative control of TestImports.
func TestImportsAreSeen(t *testing.T) {
	hcl := "github.com/hashicorp/hcl/v2"
	for name, p := range map[string]goPackage{
		"keeper must not reach host":             {ImportPath: module + "/host/keeper", Deps: []string{module + "/host"}},
		"keeper must not reach hcl":              {ImportPath: module + "/host/keeper", Deps: []string{hcl}},
		"zdapp must not reach journal":           {ImportPath: module + "/zdapp", Deps: []string{module + "/host/journal"}},
		"pluginapi must not reach hcl":           {ImportPath: module + "/pluginapi", Deps: []string{hcl}},
		"plugins/stores/x must not reach policy": {ImportPath: module + "/plugins/stores/x", Deps: []string{module + "/policy"}},
		"journal must not reach release":         {ImportPath: module + "/host/journal", Deps: []string{module + "/host/release"}},
		"host must not reach strategies":         {ImportPath: module + "/host", Deps: []string{module + "/plugins/strategies/bluegreen"}},
		"rollout must not import os":             {ImportPath: module + "/host/rollout", Imports: []string{"os"}},
		"new has no rule":                        {ImportPath: module + "/host/new"},
	} {
		all := map[string]goPackage{p.ImportPath: p, hcl: {ImportPath: hcl, Module: &struct{ Path string }{hcl}}}
		if got := importViolations(all); len(got) != 1 {
			t.Errorf("%s: %q, not one violation", name, got)
		}
	}
}
