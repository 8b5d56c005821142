package promises

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// built has what TestMain compiles: zdhost, and the Go servers of the catalogue.
var built struct {
	zdhost, naive, shop, bad string
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	os.Exit(testAll(m))
}

// testAll builds, runs the tests and removes what was built.
func testAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "zdb")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot test promises:", err)
		return 1
	}
	return m.Run()
}

// build compiles everything into a directory that every user may look into.
func build(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for _, b := range []struct {
		to   *string
		name string
		path string
	}{
		{&built.zdhost, "zdhost", "cmd/zdhost"},
		{&built.naive, "naive", "bench/servers/naive"},
		{&built.shop, "shop", "bench/servers/shop"},
		{&built.bad, "bad", "bench/servers/bad"},
	} {
		*b.to = filepath.Join(dir, b.name)
		args, cgo := []string{"build", "-o", *b.to}, "CGO_ENABLED=0"
		if os.Getenv("ZDHOST_RACE") != "" && b.to == &built.zdhost {
			args, cgo = append(args, "-race"), "CGO_ENABLED=1" // the detector speaks on standard error, where cleanUp looks
		}
		cmd := exec.Command("go", append(args, "github.com/zdhost/zdhost/"+b.path)...)
		cmd.Env = append(os.Environ(), cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build %s: %w\n%s", b.path, err, out)
		}
	}
	return nil
}
