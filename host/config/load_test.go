package config

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zdhost/zdhost/plugins/configformats/hcl"
)

// checkExample reads "key = example" as HCL and checks it against the key.
func checkExample(t *testing.T, k *Key, at string) {
	t.Helper()
	tree, diagnostics := hcl.Format{}.Parse(context.Background(), at, []byte(k.Name+" = "+k.Example+"\n"))
	var found findings
	found.addDiagnostics(diagnostics)
	s := newTestShaper(&found)
	s.block(&tree.Root, []Key{*k}, scope{})
	if err := found.err(); err != nil {
		t.Errorf("%s: its example is wrong: %v", at, err)
	}
}

var extensionsUnderTest = []string{"hcl", "yaml", "toml", "json"}

// TestFullExample: the whole of the documented configuration means the same in
// every format: the same merged values, unsupported parts included, and the
// same typed Config.
func TestFullExample(t *testing.T) {
	var first *Config
	var firstValues string
	for _, ext := range extensionsUnderTest {
		path := filepath.Join("testdata", "full."+ext)
		src, problem := read(path)
		if problem != nil {
			t.Fatal(problem)
		}
		tree, diagnostics := formatOf(path).Parse(context.Background(), path, src)
		if len(diagnostics) > 0 {
			t.Fatal(diagnostics)
		}
		var found findings
		s := newTestShaper(&found)
		given := s.block(&tree.Root, Schema(), scope{})
		if len(found) > 0 {
			t.Fatal(found.err())
		}
		merged, err := merge(defaults(Schema(), given, s.dir), given)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(merged, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/full.golden.json", text)
		c, unsupported, err := assemble(tree, "/srv", nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(unsupported) != 6 {
			t.Errorf("%s: %d unsupported uses, want 6: %v", ext, len(unsupported), unsupported)
		}
		c.positions = nil
		if first == nil {
			first, firstValues = c, string(text)
			continue
		}
		if string(text) != firstValues || !reflect.DeepEqual(c, first) {
			t.Errorf("%s means something else:\n%+v\n%+v", ext, c, first)
		}
	}
}

func newTestShaper(found *findings) *shaper {
	return &shaper{dir: "/srv", found: found, positions: positions{}, order: map[string][]string{}}
}

// golden compares with a file; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("differs from %s:\n%s", file, got)
	}
}

// write makes a configuration in a directory of its own and goes there, so
// that positions name the file without a directory.
func write(t *testing.T, name, text string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const small = `listener "web" {
  address = ":8080"
}
service "my.shop" {
  command   = ["./shop", "-v"]
  listeners = ["web"]
  env       = { SECRET = "hunter2" }
  strategy "bluegreen" {
    bake   = "1d"
    weight = 12.5
  }
}
service "worker" {
  command = ["./worker"]
  drain {
    timeout = "auto"
    signal  = "quit"
  }
}
`

func TestLoadDefaults(t *testing.T) {
	path := write(t, "zdhost.hcl", small)
	dir, _ := os.Getwd()
	c, err := Load(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]any{
		"file":        {c.File, filepath.Join(dir, "zdhost.hcl")},
		"state_dir":   {c.StateDir, filepath.Join(dir, ".zdhost")},
		"keep":        {c.Releases, Releases{Keep: 5, MaxAge: 30 * 24 * time.Hour}},
		"log":         {c.Log, Log{Format: "auto", Level: "info"}},
		"listener":    {c.Listeners, []Listener{{Name: "web", Address: ":8080", Network: TCP, Port: 8080, Families: Families{true, true}, Backlog: 4096}}},
		"order":       {[]string{c.Services[0].Name, c.Services[1].Name}, []string{"my.shop", "worker"}},
		"sockets":     {c.Services[0].Sockets, Adopt},
		"instances":   {c.Services[0].Instances, 1},
		"env":         {c.Services[0].Env, map[string]string{"SECRET": "hunter2"}},
		"ready":       {c.Services[0].Ready, Ready{Timeout: 30 * time.Second, Interval: 100 * time.Millisecond}},
		"health":      {c.Services[0].Health == nil, true},
		"restart":     {c.Services[0].Restart, Restart{100 * time.Millisecond, 30 * time.Second, Rate{5, time.Minute}}},
		"strategy":    {string(c.Services[0].Strategy.Settings), `{"bake":"24h0m0s","weight":12.5}`},
		"no strategy": {c.Services[1].Strategy.Name + string(c.Services[1].Strategy.Settings), "bluegreen{}"},
		"drain":       {c.Services[1].Drain, Drain{10 * time.Minute, true, 5 * time.Second, 3, 10 * time.Minute}},
		"pos":         {c.PosOf("service.my.shop.command.1").String(), "zdhost.hcl:5:26"},
		"pos block":   {c.PosOf("service.worker.drain").String(), "zdhost.hcl:15:3"},
		"pos default": {c.PosOf("service.worker.drain.settle").String(), "zdhost.hcl:15:3"},
		"pos nowhere": {c.PosOf("log.level").String(), "zdhost.hcl"},
		"lookup":      {c.Service("worker").Name + c.Listener("web").Name, "workerweb"},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: got %+v, want %+v", what, pair[0], pair[1])
		}
	}
	if c.Service("x") != nil || c.Listener("x") != nil {
		t.Error("found what is not there")
	}
}

func TestOverrides(t *testing.T) {
	path := write(t, "zdhost.hcl", small)
	dir, _ := os.Getwd()
	c, err := Load(context.Background(), path,
		Override{"state_dir", "other"},
		Override{"service.my.shop.instances", "3"},
		Override{"service.my.shop.env.LOG", "debug"},
		Override{"service.my.shop.command", `["./shop", "-q"]`},
		Override{"service.worker.env_inherit", "LANG_X"},
		Override{"service.worker.health.http", "/up"},
		Override{"listener.web.sticky", "true"},
		Override{"service.my.shop.instances", "4"})
	if err != nil {
		t.Fatal(err)
	}
	shop := c.Services[0]
	if c.StateDir != filepath.Join(dir, "other") || shop.Instances != 4 || shop.Command[1] != "-q" || !c.Listeners[0].Sticky {
		t.Errorf("overrides are not taken: %+v", c)
	}
	if shop.Env["LOG"] != "debug" || shop.Env["SECRET"] != "hunter2" {
		t.Error("env is not merged key by key")
	}
	if w := c.Services[1]; w.EnvInherit[0] != "LANG_X" || w.Health == nil || w.Health.HTTP != "/up" || w.Health.Failures != 3 {
		t.Errorf("overrides of the worker are not taken: %+v", w)
	}
	if got := c.PosOf("service.my.shop.instances").String(); got != "override of service.my.shop.instances" {
		t.Errorf("an override's place is %q", got)
	}
	for _, bad := range []struct {
		o    Override
		want string
	}{
		{Override{"service.my.shop.instanses", "1"}, "override of service.my.shop.instanses: unknown key \"instanses\"\nhint: did you mean \"instances\"?"},
		{Override{"service.my.shp.instances", "1"}, "override of service.my.shp.instances: no service \"my\""},
		{Override{"service.wurker.instances", "1"}, "override of service.wurker.instances: no service \"wurker\"\nhint: did you mean \"worker\"?"},
		{Override{"service.worker.instances", "two"}, "override of service.worker.instances: \"instances\" of service \"worker\" must be a whole number, not a string\nhint: for example: instances = 1"},
		{Override{"service.worker", "x"}, "override of service.worker: \"service.worker\" is a block, not a value\nhint: name one of its keys"},
		{Override{"service.worker.strategy.bluegreen.bake", "1s"}, "override of service.worker.strategy.bluegreen.bake: \"strategy\" can't be overridden\nhint: change the file"},
		{Override{"state_dir.x", "1"}, "override of state_dir.x: \"state_dir\" is no block"},
		{Override{"service.worker.env.LISTEN_FDS", "hunter2"}, "override of service.worker.env.LISTEN_FDS: \"LISTEN_FDS\" in \"env\" of service \"worker\" is set by zdhost itself\nhint: remove it"},
	} {
		if _, err := Load(context.Background(), path, bad.o); err == nil || err.Error() != bad.want {
			t.Errorf("got  %v\nwant %s", err, bad.want)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	if _, err := Find(dir); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	for i, ext := range extensionsUnderTest {
		path := filepath.Join(dir, "zdhost."+ext)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Find(dir)
		if i == 0 && (err != nil || got != path) {
			t.Errorf("got %q, %v", got, err)
		}
		if i > 0 && err == nil {
			t.Error("two configurations, and one was chosen")
		}
	}
}

func TestFromCommand(t *testing.T) {
	for program, want := range map[string]string{
		"python3": "python3", "/usr/bin/python3.12": "python3", "./shop-1.2.3": "shop", "shop_v2": "shop",
		"server.py": "server", "./My_App.sh": "my_app", "host": "host-service", "./üü": "service", "node": "node",
		"app.v2.jar": "app", "7zip": "7zip", "gunicorn": "gunicorn", "nginx": "nginx",
	} {
		c, err := FromCommand("", []string{program, "-x"})
		if err != nil {
			t.Fatal(err)
		}
		s := c.Services[0]
		if s.Name != want {
			t.Errorf("%s: named %q, want %q", program, s.Name, want)
		}
		if s.Sockets != Adopt || len(c.Listeners) > 0 || s.Instances != 1 || s.Strategy.Name != "bluegreen" || s.Command[1] != "-x" {
			t.Errorf("%s: wrong defaults: %+v", program, s)
		}
	}
	if c, err := FromCommand("web", []string{"x"}, Override{"state_dir", "/s"}, Override{"service.web.instances", "2"}); err != nil || c.Services[0].Name != "web" || c.Services[0].Instances != 2 || c.StateDir != "/s" {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, name := range []string{"host", "A b", strings.Repeat("a", 64)} {
		if _, err := FromCommand(name, []string{"x"}); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
	if _, err := FromCommand("", nil); err == nil {
		t.Error("no program was taken")
	}
}
