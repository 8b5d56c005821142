package release

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Retain removes old releases and returns their digests. A release stays if it
// is in use, or among the keep newest, or younger than maxAge. It also sweeps
// what interrupted imports left. The error wraps ErrBusy while an import runs;
// inUse must not import.
func (s *Store) Retain(keep int, maxAge time.Duration, inUse func(Digest) bool) ([]Digest, error) {
	removed, rubbish, err := s.retire(keep, maxAge, inUse)
	for _, dir := range rubbish {
		err = errors.Join(err, removeTree(dir))
	}
	if err != nil {
		return removed, describe("remove old releases from", s.dir, err)
	}
	return removed, nil
}

// retire moves old releases to tmp/ and lists everything there. From then on
// nobody needs it, so that it can be removed without the lock.
func (s *Store) retire(keep int, maxAge time.Duration, inUse func(Digest) bool) (removed []Digest, rubbish []string, err error) {
	unlock, err := s.hold(true)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	all, listErr := s.List() // a release that can't be read is left alone
	oldest := s.now().Add(-maxAge)
	for i, r := range all {
		if i < keep || r.Created.After(oldest) || inUse(r.Digest) {
			continue
		}
		gone, err := os.MkdirTemp(s.tmp(), "gone-")
		if err == nil {
			err = s.disk.rename(s.path(r.Digest), filepath.Join(gone, "release"))
		}
		if err != nil {
			return removed, nil, errors.Join(listErr, err)
		}
		removed = append(removed, r.Digest)
	}
	rubbish, _ = filepath.Glob(filepath.Join(s.tmp(), "*"))
	slices.Sort(rubbish)
	return removed, rubbish, listErr
}
