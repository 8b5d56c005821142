package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/zdhost/zdhost"
)

// goPackage is what the go command says of a package. Deps are all that it
// imports, directly or not, its tests left out.
type goPackage struct {
	ImportPath string
	Name       string
	Dir        string
	Standard   bool
	DepOnly    bool
	Module     *struct{ Path string }
	Imports    []string
	Deps       []string
}

// ours returns the path within the module, and whether the package is of it.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// packages asks the go command once for the module's packages and all that they
// import, by import path.
var packages = sync.OnceValues(func() (map[string]goPackage, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Name,Dir,Standard,DepOnly,Module,Imports,Deps", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list packages: %w\n%s", err, stderr.Bytes())
	}
	all := map[string]goPackage{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("cannot read what go list says: %w", err)
		}
		all[p.ImportPath] = p
	}
})

func mustPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// eachFile calls f with every file of the repository that people write: what git
// ignores, and git's own, is left out. Paths are relative to the root.
func eachFile(t *testing.T, f func(path string, text []byte)) {
	t.Helper()
	ignored := map[string]bool{".git": true, "bin": true, ".zdhost": true, "bench/results": true}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if ignored[filepath.ToSlash(name)] || e.IsDir() && e.Name() == "rapid" {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's or a test's, gone already
		}
		if err == nil && !bytes.ContainsRune(text, 0) {
			f(filepath.ToSlash(name), text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
