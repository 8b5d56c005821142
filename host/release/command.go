package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ImportCommand records a command line as a release: argv, the working
// directory dir, and the digests of the program and of the files that other
// arguments name. Nothing is copied. The program is looked for in dir first,
// then in PATH; its path is Manifest.Files[0].Path.
func (s *Store) ImportCommand(ctx context.Context, argv []string, dir string) (Release, error) {
	r, err := s.importCommand(ctx, argv, dir)
	if err != nil {
		return Release{}, describe("import command", fmt.Sprintf("%q", strings.Join(argv, " ")), err)
	}
	return r, nil
}

func (s *Store) importCommand(ctx context.Context, argv []string, dir string) (Release, error) {
	m, err := commandManifest(ctx, argv, dir)
	if err != nil {
		return Release{}, err
	}
	unlock, err := s.hold(false)
	if err != nil {
		return Release{}, err
	}
	defer unlock()
	st, err := s.newStage(false)
	if err != nil {
		return Release{}, err
	}
	defer st.discard()
	return s.finish(ctx, st, m, m.Dir)
}

// commandManifest is the manifest of the command as its files are now.
func commandManifest(ctx context.Context, argv []string, dir string) (Manifest, error) {
	if len(argv) == 0 || argv[0] == "" {
		return Manifest{}, errors.New("it names no program")
	}
	if size := len(strings.Join(argv, " ")); size > maxCommand {
		return Manifest{}, fmt.Errorf("it has %d bytes, at most %d are allowed", size, maxCommand)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Manifest{}, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return Manifest{}, fmt.Errorf("its working directory %s is not a directory", dir)
	}
	program, err := findProgram(argv[0], dir)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Version: ManifestVersion, Kind: KindCommand, Command: slices.Clone(argv), Dir: dir}
	paths := []string{program}
	for _, arg := range argv[1:] {
		name := within(dir, arg)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && !slices.Contains(paths, name) {
			paths = append(paths, name)
		}
	}
	for _, name := range paths {
		f, err := hashFile(ctx, name)
		if err != nil {
			return Manifest{}, err
		}
		m.Files = append(m.Files, f)
	}
	return m, m.check()
}

// Changed lists the files of a command release that are not as they were, and
// those that its arguments name only now, each as a command line in the
// release's directory would name it. Nothing has changed where it is empty. A
// directory release never changes: Verify tells of damage.
func (s *Store) Changed(ctx context.Context, d Digest) ([]string, error) {
	r, err := s.load(d)
	if err == nil && r.Manifest.Kind != KindCommand {
		return nil, nil
	}
	var changed []string
	if err == nil {
		changed, err = r.Manifest.changed(ctx, d)
	}
	if err != nil {
		return nil, describe("compare the files of release", d.Short(), err)
	}
	return changed, nil
}

func (m Manifest) changed(ctx context.Context, d Digest) ([]string, error) {
	var changed []string
	for _, was := range m.Files {
		var differ *DifferError
		if err := compareFile(ctx, d, was); errors.As(err, &differ) {
			changed = append(changed, m.display(was.Path))
		} else if err != nil {
			return nil, err
		}
	}
	if len(changed) > 0 {
		return changed, nil
	}
	now, err := commandManifest(ctx, m.Command, m.Dir)
	if err != nil {
		return nil, err
	}
	for _, is := range now.Files { // PATH leads elsewhere, or an argument names a file by now
		if !slices.Contains(m.Files, is) {
			changed = append(changed, m.display(is.Path))
		}
	}
	return changed, nil
}

// display shortens a path below the working directory.
func (m Manifest) display(path string) string {
	if below, ok := strings.CutPrefix(path, strings.TrimSuffix(m.Dir, "/")+"/"); ok {
		return "./" + below
	}
	return path
}

func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

// findProgram resolves a program's name. A file that is there and not executable is
// found too: whether it runs is for its start to show.
func findProgram(name, dir string) (string, error) {
	local := within(dir, name)
	info, err := os.Stat(local)
	found := err == nil && info.Mode().IsRegular()
	if found && (info.Mode()&0o111 != 0 || strings.Contains(name, "/")) {
		return local, nil
	}
	if strings.Contains(name, "/") {
		return "", fmt.Errorf("there is no program %s", local)
	}
	path, err := exec.LookPath(name)
	switch {
	case err == nil && filepath.IsAbs(path):
		return filepath.Clean(path), nil
	case found:
		return local, nil
	}
	return "", fmt.Errorf("there is no program %q in %s or in PATH", name, dir)
}

func hashFile(ctx context.Context, name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	out := File{Path: name, Mode: modeOf(info), Size: info.Size()}
	if out.SHA256, err = pour(ctx, io.Discard, f, name, out.Size, func(int64) {}); err != nil {
		return File{}, err
	}
	if again, err := f.Stat(); err != nil || markOf(again) != markOf(info) {
		return File{}, &ChangedError{name}
	}
	return out, nil
}
