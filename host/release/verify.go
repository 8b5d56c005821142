package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Verify hashes the release again: the stored tree, or the files of a command.
// A *DifferError names the first file that isn't as it was.
func (s *Store) Verify(ctx context.Context, d Digest) error {
	if err := s.verify(ctx, d); err != nil {
		return describe("verify release", d.Short(), err)
	}
	return nil
}

func (s *Store) verify(ctx context.Context, d Digest) error {
	r, err := s.load(d)
	if err != nil {
		return err
	}
	if r.Manifest.Kind == KindCommand {
		return compareCommand(ctx, d, r.Manifest)
	}
	return compareTree(ctx, d, r.Manifest, r.Dir)
}

// Unchanged reports whether importing path (a directory or a packed release;
// for a command, its working directory) would give the release d again. Content
// is hashed only while everything else agrees.
func (s *Store) Unchanged(ctx context.Context, path string, d Digest) (bool, error) {
	same, err := s.unchanged(ctx, path, d)
	if err != nil {
		return false, describe("compare", path, err)
	}
	return same, nil
}

func (s *Store) unchanged(ctx context.Context, path string, d Digest) (bool, error) {
	r, err := s.load(d)
	if err != nil {
		return false, err
	}
	var now Manifest
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false, bare(err)
	case r.Manifest.Kind == KindCommand:
		now, err = commandManifest(ctx, r.Manifest.Command, path)
	case info.IsDir():
		var differ *DifferError
		err := compareTree(ctx, d, r.Manifest, path)
		return err == nil && len(r.Manifest.Labels) == 0, ignore(err, &differ)
	default:
		now, err = Inspect(ctx, path)
	}
	if err != nil {
		return false, err
	}
	is, err := now.Digest()
	return is == d, err
}

// ignore returns err unless it is of target's type.
func ignore(err error, target **DifferError) error {
	if errors.As(err, target) {
		return nil
	}
	return err
}

// compareTree returns a *DifferError unless dir holds exactly m's files.
func compareTree(ctx context.Context, d Digest, m Manifest, dir string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &DifferError{d, dir, "is missing"}
	}
	if err != nil {
		return err
	}
	defer root.Close()
	found, err := scan(ctx, root)
	if err != nil {
		return err
	}
	for i := range max(len(found), len(m.Files)) {
		switch {
		case i == len(found) || i < len(m.Files) && m.Files[i].Path < found[i].Path:
			return &DifferError{d, m.Files[i].Path, "is missing"}
		case i == len(m.Files) || m.Files[i].Path > found[i].Path:
			return &DifferError{d, found[i].Path, "was added"}
		}
		if reason := difference(m.Files[i], found[i].File); reason != "" {
			return &DifferError{d, m.Files[i].Path, reason}
		}
	}
	for i, e := range found {
		sum, err := hashEntry(ctx, root, e)
		if err != nil {
			return err
		}
		if sum != m.Files[i].SHA256 {
			return &DifferError{d, e.Path, "has other content"}
		}
	}
	return lookAgain(ctx, root, found)
}

// compareCommand returns a *DifferError unless the command's files are as m says.
func compareCommand(ctx context.Context, d Digest, m Manifest) error {
	for _, want := range m.Files {
		if err := compareFile(ctx, d, want); err != nil {
			return err
		}
	}
	return nil
}

func compareFile(ctx context.Context, d Digest, want File) error {
	got, err := hashFile(ctx, want.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return &DifferError{d, want.Path, "is missing"}
	}
	if err != nil {
		return err
	}
	if reason := difference(want, got); reason != "" {
		return &DifferError{d, want.Path, reason}
	}
	if got.SHA256 != want.SHA256 {
		return &DifferError{d, want.Path, "has other content"}
	}
	return nil
}

// difference says how is differs from was, except in content.
func difference(was, is File) string {
	switch {
	case is.Mode != was.Mode:
		return fmt.Sprintf("is %s and was %s", modeNames[is.Mode], modeNames[was.Mode])
	case is.Size != was.Size:
		return fmt.Sprintf("has %d bytes and had %d", is.Size, was.Size)
	case is.Link != was.Link:
		return fmt.Sprintf("links to %q and linked to %q", is.Link, was.Link)
	}
	return ""
}
