package config

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestChanged(t *testing.T) {
	a := Service{Name: "shop", Instances: 1, Env: map[string]string{"LOG": "info"}, Health: &Health{HTTP: "/"}, Ready: Ready{Timeout: time.Second}}
	b := a
	b.Health = &Health{HTTP: "/"}
	if got := Changed(a, b); got != nil {
		t.Errorf("equal services differ in %q", got)
	}
	b.Env, b.Instances, b.PIDFile, b.Ready.Timeout = map[string]string{"LOG": "debug"}, 2, "/run/pid", time.Minute
	if got, want := Changed(a, b), []string{"instances", "env", "ready", "pid_file"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every field of a service has a name, which is a key of the schema.
func TestChangedKnowsEveryKey(t *testing.T) {
	var keys []string
	for _, k := range serviceKeys() {
		keys = append(keys, k.Name)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Service]()) {
		if name := serviceKeyNames[f.Name]; name != "name" && !slices.Contains(keys, name) {
			t.Errorf("field %s is called %q, which is no key", f.Name, name)
		}
	}
}
