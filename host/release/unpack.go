package release

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Inspect returns the manifest that importing path, a directory or a packed
// release, would give. Everything is read and hashed, nothing is written.
func Inspect(ctx context.Context, path string) (Manifest, error) {
	m, err := inspect(ctx, path)
	if err != nil {
		return Manifest{}, describe("inspect", path, err)
	}
	return m, nil
}

func inspect(ctx context.Context, path string) (Manifest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Manifest{}, bare(err)
	}
	if info.IsDir() {
		root, err := os.OpenRoot(path)
		if err != nil {
			return Manifest{}, bare(err)
		}
		defer root.Close()
		m, _, err := hashTree(ctx, root)
		return m, err
	}
	return openPacked(path, func(r io.Reader) (Manifest, error) {
		return unpack(ctx, r, func(Manifest) error { return nil }, func(f File, r io.Reader) (string, error) {
			return pour(ctx, io.Discard, r, f.Path, f.Size, func(int64) {})
		})
	})
}

// Unpack writes the tree of the packed release r to dir, which must not exist
// or be empty. Everything is checked against the manifest, which is returned.
// After an error dir may hold part of the tree.
func Unpack(ctx context.Context, r io.Reader, dir string) (Manifest, error) {
	m, err := unpackTo(ctx, r, dir)
	if err != nil {
		return Manifest{}, describe("unpack to", dir, err)
	}
	return m, nil
}

func unpackTo(ctx context.Context, r io.Reader, dir string) (Manifest, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Manifest{}, err
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return Manifest{}, errors.Join(err, errors.New("it is not empty"))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Manifest{}, err
	}
	defer root.Close()
	st := &stage{disk: realDisk(), dir: dir, tree: root, noClone: true}
	m, err := unpack(ctx, r, func(Manifest) error { return nil }, func(f File, r io.Reader) (string, error) {
		return st.add(ctx, f, r, func(int64) {})
	})
	if err != nil {
		return Manifest{}, err
	}
	return m, st.sealTree(m)
}

// unpackInto fills the stage from the packed release at path.
func unpackInto(ctx context.Context, st *stage, path string, progress func(done, total int64)) (Manifest, error) {
	total, done := int64(0), int64(0)
	begin := func(m Manifest) error { total = m.Size(); progress(0, total); return nil }
	return openPacked(path, func(r io.Reader) (Manifest, error) {
		return unpack(ctx, r, begin, func(f File, r io.Reader) (string, error) {
			return st.add(ctx, f, r, func(n int64) { done += n; progress(done, total) })
		})
	})
}

func openPacked(path string, read func(io.Reader) (Manifest, error)) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, bare(err)
	}
	defer f.Close()
	return read(f)
}

// unpack reads a packed release. It gives the manifest to begin and then every
// file and directory, in order, to add, which returns the SHA-256 of what it
// read. Nothing is given to add that the manifest doesn't list.
func unpack(ctx context.Context, r io.Reader, begin func(Manifest) error, add func(File, io.Reader) (string, error)) (Manifest, error) {
	zr, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return Manifest{}, fmt.Errorf("it is neither a directory nor a packed release (zdhost release pack makes one): %w", err)
	}
	zr.Multistream(false)
	tr := tar.NewReader(zr)
	m, err := readManifest(tr)
	if err != nil {
		return Manifest{}, err
	}
	if err := begin(m); err != nil {
		return Manifest{}, err
	}
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return Manifest{}, err
		}
		if err := unpackEntry(tr, f, add); err != nil {
			return Manifest{}, err
		}
	}
	if h, err := tr.Next(); err == nil {
		return Manifest{}, &EntryError{h.Name, "is not in the manifest"}
	} else if err != io.EOF {
		return Manifest{}, fmt.Errorf("it is damaged at its end: %w", err)
	}
	return m, drain(zr)
}

func readManifest(tr *tar.Reader) (Manifest, error) {
	h, err := tr.Next()
	if err != nil {
		return Manifest{}, fmt.Errorf("it is not a packed release: %w", err)
	}
	if h.Name != manifestName || h.Typeflag != tar.TypeReg {
		return Manifest{}, fmt.Errorf("it is not a packed release: it begins with %q instead of %s (zdhost release pack makes one)", h.Name, manifestName)
	}
	if h.Size > maxManifest {
		return Manifest{}, fmt.Errorf("its manifest has %d bytes, at most %d are allowed", h.Size, maxManifest)
	}
	b, err := io.ReadAll(tr)
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot read its manifest: %w", err)
	}
	m, err := parseManifest(b)
	if err == nil && m.Kind != KindDirectory {
		err = fmt.Errorf("a release of kind %q can't be packed", m.Kind)
	}
	return m, err
}

func unpackEntry(tr *tar.Reader, f File, add func(File, io.Reader) (string, error)) error {
	h, err := tr.Next()
	if err != nil {
		return &EntryError{f.Path, fmt.Sprintf("is in the manifest but can't be read: %v", err)}
	}
	name := path.Join(treeName, f.Path)
	if f.Mode == ModeDir {
		name += "/"
	}
	if h.Name != name || h.Typeflag != typeflag(f.Mode) || h.Size != f.Size || h.Linkname != f.Link || fs.FileMode(h.Mode) != f.Mode.Perm() {
		return &EntryError{h.Name, fmt.Sprintf("is not what the manifest lists there, %q", name)}
	}
	if f.Mode == ModeLink {
		return nil
	}
	sum, err := add(f, tr)
	if err != nil {
		return err
	}
	if f.Mode != ModeDir && sum != f.SHA256 {
		return &EntryError{f.Path, "has another SHA-256 than the manifest says"}
	}
	return nil
}

// drain reads to the end of the compressed data, where its checksum is.
func drain(zr *gzip.Reader) error {
	const most = 1 << 20
	n, err := io.Copy(io.Discard, io.LimitReader(zr, most))
	if err != nil {
		return fmt.Errorf("it is damaged at its end: %w", err)
	}
	if n == most {
		return errors.New("there is data after its end")
	}
	return nil
}
