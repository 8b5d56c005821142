package architecture

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// homes says which packages may import a module. Tests may import any module
// that go.mod names.
var homes = map[string][]string{
	"github.com/hashicorp/hcl/v2":         {"plugins/configformats/hcl"},
	"github.com/knadh/koanf/v2":           {"host/config"},
	"github.com/mattn/go-isatty":          {"cmd/zdhost"},
	"github.com/pelletier/go-toml/v2":     {"plugins/configformats/toml"},
	"github.com/prometheus/client_golang": {"host"},
	"github.com/rogpeppe/go-internal":     nil,
	"github.com/spf13/cobra":              {"cmd/zdhost"},
	"github.com/spf13/pflag":              {"cmd/zdhost"},
	"github.com/zclconf/go-cty":           {"plugins/configformats/hcl"},
	"go.yaml.in/yaml/v3":                  {"plugins/configformats/yaml"},
	"golang.org/x/net":                    {"host/listener", "host/traffic"},
	"golang.org/x/sys":                    {"..."},
	"golang.org/x/tools":                  nil,
	"pgregory.net/rapid":                  nil,
}

const dependenciesADR = "docs/adr/0002-dependencies.md"

// TestDependenciesAreDecided wants a home and a reason for every module that
// go.mod requires directly.
func TestDependenciesAreDecided(t *testing.T) {
	record, err := os.ReadFile(filepath.Join(root, dependenciesADR))
	if err != nil {
		t.Fatal(err)
	}
	direct := directRequirements(t)
	for _, m := range direct {
		if _, ok := homes[m]; !ok {
			t.Errorf("%s has no home: say in homes which packages may import it", m)
		}
		if !strings.Contains(string(record), "`"+m+"`") {
			t.Errorf("%s has no reason: write it into %s", m, dependenciesADR)
		}
	}
	for m := range homes {
		if !slices.Contains(direct, m) {
			t.Errorf("%s has a home, but go.mod doesn't require it", m)
		}
	}
}

func TestDependenciesStayAtHome(t *testing.T) {
	all := mustPackages(t)
	for importPath, p := range all {
		path, mine := ours(importPath)
		if !mine {
			continue
		}
		for _, dep := range p.Imports {
			d := all[dep]
			if d.Module == nil || d.Module.Path == module {
				continue
			}
			if !slices.ContainsFunc(homes[d.Module.Path], func(home string) bool { return matches(home, path) || strings.HasPrefix(path, home+"/internal/") }) {
				t.Errorf("%s imports %s, whose home is %q", path, dep, homes[d.Module.Path])
			}
		}
	}
}

func directRequirements(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	return direct
}
