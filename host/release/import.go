package release

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Import takes the directory or the packed release at path into the store and
// returns it. Content that is there already is not stored twice: it becomes the
// newest release. progress, if not nil, is told the bytes done and in all, from
// the calling goroutine.
func (s *Store) Import(ctx context.Context, path string, progress func(done, total int64)) (Release, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	info, err := os.Stat(path)
	if err != nil {
		return Release{}, describe("import", path, bare(err))
	}
	var r Release
	switch {
	case info.IsDir():
		r, err = s.importWith(ctx, path, func(st *stage) (Manifest, error) { return s.copyTree(ctx, st, path, progress) })
	case info.Mode().IsRegular():
		r, err = s.importWith(ctx, path, func(st *stage) (Manifest, error) { return unpackInto(ctx, st, path, progress) })
	default:
		err = errors.New("it is neither a directory nor a packed release")
	}
	if err != nil {
		return Release{}, describe("import", path, err)
	}
	return r, nil
}

// importWith stages what fill writes, and commits it.
func (s *Store) importWith(ctx context.Context, source string, fill func(*stage) (Manifest, error)) (Release, error) {
	abs, err := filepath.Abs(source)
	if err != nil {
		return Release{}, err
	}
	unlock, err := s.hold(false)
	if err != nil {
		return Release{}, err
	}
	defer unlock()
	st, err := s.newStage(true)
	if err != nil {
		return Release{}, err
	}
	defer st.discard()
	m, err := fill(st)
	if err != nil {
		return Release{}, err
	}
	return s.finish(ctx, st, m, abs)
}

// finish seals the stage, commits it, and returns the release.
func (s *Store) finish(ctx context.Context, st *stage, m Manifest, source string) (Release, error) {
	if err := m.check(); err != nil {
		return Release{}, err
	}
	encoded, err := m.Encode()
	if err != nil {
		return Release{}, err
	}
	if err := ctx.Err(); err != nil {
		return Release{}, err
	}
	if err := st.seal(m, encoded, origin{s.now().UTC(), source}); err != nil {
		return Release{}, err
	}
	digest := digestOf(encoded)
	if err := s.commit(ctx, st, digest); err != nil {
		return Release{}, err
	}
	return s.load(digest)
}

// copyTree copies the directory into the stage.
func (s *Store) copyTree(ctx context.Context, st *stage, dir string, progress func(done, total int64)) (Manifest, error) {
	if err := s.refuseOwnState(dir); err != nil {
		return Manifest{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Manifest{}, bare(err)
	}
	defer root.Close()
	found, err := scan(ctx, root)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Version: ManifestVersion, Kind: KindDirectory}
	total, done := int64(0), int64(0)
	for _, e := range found {
		total += e.Size
	}
	progress(0, total)
	for _, e := range found {
		e.SHA256, err = copyEntry(ctx, st, root, e, func(n int64) { done += n; progress(done, total) })
		if err != nil {
			return Manifest{}, err
		}
		m.Files = append(m.Files, e.File)
	}
	return m, lookAgain(ctx, root, found)
}

func copyEntry(ctx context.Context, st *stage, root *os.Root, e entry, poured func(int64)) (string, error) {
	switch e.Mode {
	case ModeLink: // made when all files are there
		return "", nil
	case ModeDir:
		return st.add(ctx, e.File, nil, poured)
	}
	from, err := openEntry(root, e)
	if err != nil {
		return "", err
	}
	defer from.Close()
	return st.add(ctx, e.File, from, poured)
}

// refuseOwnState refuses a directory that the store itself lies in.
func (s *Store) refuseOwnState(dir string) error {
	source, err := filepath.EvalSymlinks(dir)
	if err == nil {
		source, err = filepath.Abs(source)
	}
	if err != nil {
		return err
	}
	store, err := filepath.EvalSymlinks(s.dir)
	if err != nil {
		return err
	}
	inside, err := filepath.Rel(source, store)
	if err == nil && inside != ".." && !strings.HasPrefix(inside, "../") {
		return fmt.Errorf("it contains zdhost's own state, %s; name a directory beside that, or move state_dir", inside)
	}
	return nil
}
