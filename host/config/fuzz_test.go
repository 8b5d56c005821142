package config

import (
	"context"
	"os"
	"testing"

	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/configformats/yaml"
)

// FuzzAssemble: no tree, however strange, makes the checks panic, and what they
// take is whole.
func FuzzAssemble(f *testing.F) {
	example, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	for _, seed := range []string{
		"service: {a: {command: [x]}}", "service: {a: {command: [x], strategy: {bluegreen: {weight: 5}}}}",
		"service: {a: {command: [x], config: {source: [{file: {path: x}}, 1, [], {}]}}}", "listener: {a: {address: ':1'}, b: {address: ':1'}}\nservice: {c: {command: [x], listeners: [a]}}",
		"strategy: 1\nservice: [a]", "service: {a: {command: [x], strategy: {}}}", "service: {'': {}}\nlog: {level: x}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		tree, diagnostics := yaml.Format{}.Parse(context.Background(), "x", src)
		if pluginapi.HasErrors(diagnostics) {
			return
		}
		c, found, err := assemble(tree, "/srv", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range found {
			if p.Message == "" || p.Pos.File != "x" {
				t.Errorf("a problem without words or place: %+v", p)
			}
		}
		if len(found) > 0 {
			return
		}
		if len(c.Services) == 0 {
			t.Error("taken without a service")
		}
		for _, s := range c.Services {
			if len(s.Command) == 0 || s.Instances < 1 || s.Strategy.Name == "" || s.Ready.Timeout == 0 || s.Drain.Signal == 0 {
				t.Errorf("an incomplete service was taken: %+v", s)
			}
		}
		for _, l := range c.Listeners {
			if l.Address == "" || l.Backlog < 1 {
				t.Errorf("an incomplete listener was taken: %+v", l)
			}
		}
	})
}
