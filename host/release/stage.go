package release

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// manyFiles is the number of files from which one syncfs is made instead of an
// fsync for each.
const manyFiles = 256

const (
	manifestName = "manifest.json"
	originName   = "origin.json"
	treeName     = "tree"
)

// stage is a release that is being written, in a directory of its own in tmp/.
type stage struct {
	disk    disk
	dir     string
	root    *os.Root // the stage itself
	tree    *os.Root // its tree/; nil for commands
	noClone bool     // the file system can't
}

// newStage makes the directory. The caller discards the stage, committed or not.
func (s *Store) newStage(withTree bool) (*stage, error) {
	dir, err := os.MkdirTemp(s.tmp(), "import-")
	if err != nil {
		return nil, err
	}
	st := &stage{disk: s.disk, dir: dir}
	if err := st.open(withTree); err != nil {
		st.discard()
		return nil, err
	}
	return st, nil
}

func (st *stage) open(withTree bool) (err error) {
	if err := os.Chmod(st.dir, 0o755); err != nil {
		return err
	}
	if st.root, err = os.OpenRoot(st.dir); err != nil || !withTree {
		return err
	}
	if err := st.disk.mkdir(st.root, treeName); err != nil {
		return err
	}
	st.tree, err = st.root.OpenRoot(treeName)
	return err
}

// discard removes what is left in tmp/; after a commit that is nothing.
func (st *stage) discard() {
	if st.tree != nil {
		st.tree.Close()
	}
	if st.root != nil {
		st.root.Close()
	}
	_ = removeTree(st.dir) // what is left, Retain sweeps
}

// add writes one entry whose content comes from r. The hash is of what was
// read, and is returned.
func (st *stage) add(ctx context.Context, f File, r io.Reader, poured func(int64)) (string, error) {
	if dir := path.Dir(f.Path); dir != "." {
		if err := st.disk.mkdir(st.tree, dir); err != nil {
			return "", err
		}
	}
	if f.Mode == ModeDir {
		return "", st.disk.mkdir(st.tree, f.Path)
	}
	out, err := st.disk.create(st.tree, f.Path)
	if err != nil {
		return "", err
	}
	defer out.Close()
	sum, err := st.fill(ctx, f, out, r, poured)
	if err != nil {
		return "", err
	}
	return sum, st.disk.chmod(st.tree, f.Path, f.Mode)
}

// fill gives out the content: by sharing the source's blocks, and then hashing
// what it got, or by copying.
func (st *stage) fill(ctx context.Context, f File, out *os.File, r io.Reader, poured func(int64)) (string, error) {
	if from, ok := r.(*os.File); ok && !st.noClone {
		if err := st.disk.clone(out, from); err == nil {
			return pour(ctx, io.Discard, out, f.Path, f.Size, poured)
		}
		st.noClone = true
	}
	return pour(ctx, fileWriter{st.disk, out}, r, f.Path, f.Size, poured)
}

// seal makes the links, takes away the right to write, adds the manifest and
// the origin, and makes everything durable.
func (st *stage) seal(m Manifest, encoded []byte, o origin) error {
	if st.tree != nil {
		if err := st.sealTree(m); err != nil {
			return err
		}
	}
	if err := st.disk.writeFile(st.root, manifestName, encoded, 0o444); err != nil {
		return err
	}
	from, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := st.disk.writeFile(st.root, originName, append(from, '\n'), 0o644); err != nil {
		return err
	}
	return st.disk.syncPath(st.root, ".")
}

func (st *stage) sealTree(m Manifest) error {
	for _, f := range m.Files {
		if f.Mode != ModeLink {
			continue
		}
		if dir := path.Dir(f.Path); dir != "." {
			if err := st.disk.mkdir(st.tree, dir); err != nil {
				return err
			}
		}
		if err := st.disk.symlink(st.tree, f.Link, f.Path); err != nil {
			return err
		}
	}
	dirs := directories(m)
	for _, dir := range dirs {
		if err := st.disk.chmod(st.tree, dir, ModeDir.Perm()); err != nil {
			return err
		}
	}
	if len(m.Files) >= manyFiles {
		return st.disk.syncAll(st.dir)
	}
	for _, f := range m.Files {
		if f.Mode&fs.ModeType == 0 {
			if err := st.disk.syncPath(st.tree, f.Path); err != nil {
				return err
			}
		}
	}
	for _, dir := range dirs {
		if err := st.disk.syncPath(st.tree, dir); err != nil {
			return err
		}
	}
	return nil
}

// directories lists every directory of the tree, the deepest first, "." last.
func directories(m Manifest) []string {
	seen := map[string]bool{".": true}
	for _, f := range m.Files {
		dir := path.Dir(f.Path)
		if f.Mode == ModeDir {
			dir = f.Path
		}
		for ; !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
		}
	}
	var dirs []string
	for dir := range seen {
		dirs = append(dirs, dir)
	}
	slices.SortFunc(dirs, func(a, b string) int {
		if n := len(parts(b)) - len(parts(a)); n != 0 {
			return n
		}
		if a < b {
			return -1
		}
		return 1
	})
	return dirs
}
