package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
)

func TestAccepted_IsWhatWasTaken(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "zdhost.hcl")
	load := func(text string) *config.Config {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if _, err := Accepted(t.Context(), state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing was accepted: error %v", err)
	}
	whole := accepted{}.with(load("service \"a\" {\n  command = [\"./one\"]\n  dir = \"place\"\n}\nservice \"b\" {\n  command = [\"two\"]\n}\n"), control.HostTarget)
	both := whole.with(load("service \"a\" {\n  command = [\"A\"]\n}\nservice \"b\" {\n  command = [\"B\"]\n}\n"), "b")
	if len(whole.Services) != 0 {
		t.Error("the part of a service changed what was accepted before")
	}
	if err := both.save(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Accepted(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := c.Service("a"), c.Service("b"); a.Command[0] != "./one" || b.Command[0] != "B" || a.Dir != filepath.Join(dir, "place") {
		t.Errorf("a is %+v, b is %+v", a, b)
	}
	if info, err := os.Stat(acceptedPath(state)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}
