package release

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// commit gives a sealed stage its name in the store. If the store has that
// release already, the stage is dropped; if the store's copy is damaged, the
// stage takes its place.
func (s *Store) commit(ctx context.Context, st *stage, digest Digest) error {
	final := s.path(digest)
	err := st.disk.rename(st.dir, final)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOTEMPTY) {
		err = s.commitAgain(ctx, st, digest)
	}
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.releases())
	if err != nil {
		return err
	}
	defer root.Close()
	return st.disk.syncPath(root, ".")
}

// commitAgain is commit for a release that the store has.
func (s *Store) commitAgain(ctx context.Context, st *stage, digest Digest) error {
	damaged := s.verify(ctx, digest) != nil
	if err := ctx.Err(); err != nil {
		return err
	}
	if damaged {
		return st.disk.exchange(st.dir, s.path(digest))
	}
	// It becomes the newest: only its origin is replaced.
	if err := st.disk.rename(filepath.Join(st.dir, originName), filepath.Join(s.path(digest), originName)); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.path(digest))
	if err != nil {
		return err
	}
	defer root.Close()
	return st.disk.syncPath(root, ".")
}

// origin says where a release came from. It is no part of its digest.
type origin struct {
	Created time.Time `json:"created"`
	Source  string    `json:"source"`
}
