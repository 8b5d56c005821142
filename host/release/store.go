package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Release is one release in the store.
type Release struct {
	Digest   Digest
	Manifest Manifest
	Dir      string    // kind directory: the tree, absolute; kind command: the working directory
	Created  time.Time // when it was imported last
	Source   string    // what it was imported from last
}

// Store is a store of releases. Its methods may be called from any goroutine,
// and several processes may use one directory.
type Store struct {
	dir  string
	disk disk
	now  func() time.Time
}

// Open opens the store in dir, which it makes if need be.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, describe("open release store", dir, err)
	}
	s := &Store{dir: abs, disk: realDisk(), now: time.Now}
	for _, d := range []string{s.releases(), s.tmp()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, describe("open release store", dir, err)
		}
		if err := openToAll(d); err != nil {
			return nil, describe("open release store", dir, err)
		}
	}
	return s, nil
}

// openToAll lets programs of other users reach their releases, which the umask
// may have kept from them.
func openToAll(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o055 == 0o055 {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// Get finds a release by its digest or by a beginning of it that no other
// has, with or without "sha256:". The error wraps ErrNotFound or ErrAmbiguous.
func (s *Store) Get(digest string) (Release, error) {
	prefix := strings.TrimPrefix(strings.ToLower(digest), digestPrefix)
	if prefix == "" || !isDigits(prefix) {
		return Release{}, fmt.Errorf("cannot find release %q: a digest is sha256: and hexadecimal digits: %w", digest, ErrNotFound)
	}
	all, err := s.digests()
	if err != nil {
		return Release{}, describe("find release", digest, err)
	}
	var found []string
	for _, d := range all {
		if strings.HasPrefix(d.digits(), prefix) {
			found = append(found, d.Short())
		}
	}
	switch {
	case len(found) == 0:
		return Release{}, describe("find release", digest, fmt.Errorf("%w; %s", ErrNotFound, s.nearest()))
	case len(found) > 1:
		return Release{}, describe("find release", digest, fmt.Errorf("%w: %s", ErrAmbiguous, strings.Join(found, ", ")))
	}
	i := slices.IndexFunc(all, func(d Digest) bool { return strings.HasPrefix(d.digits(), prefix) })
	return s.load(all[i])
}

// nearest names what a user may have meant.
func (s *Store) nearest() string {
	all, _ := s.List()
	if len(all) == 0 {
		return "the store is empty"
	}
	var names []string
	for _, r := range all[:min(3, len(all))] {
		names = append(names, r.Digest.Short())
	}
	return "the newest are " + strings.Join(names, ", ")
}

// List returns all releases, the newest first. Those that can't be read are
// left out, and the error names them.
func (s *Store) List() ([]Release, error) {
	all, err := s.digests()
	if err != nil {
		return nil, describe("list releases in", s.dir, err)
	}
	var found []Release
	var errs []error
	for _, d := range all {
		r, err := s.load(d)
		if errors.Is(err, ErrNotFound) { // removed meanwhile
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, r)
	}
	slices.SortStableFunc(found, func(a, b Release) int { return b.Created.Compare(a.Created) })
	return found, errors.Join(errs...)
}

// digests lists the names of all releases.
func (s *Store) digests() ([]Digest, error) {
	entries, err := os.ReadDir(s.releases())
	if err != nil {
		return nil, err
	}
	var all []Digest
	for _, e := range entries {
		if isSum(e.Name()) {
			all = append(all, Digest(digestPrefix+e.Name()))
		}
	}
	return all, nil
}

// load reads a release's manifest and origin and checks them against the digest.
func (s *Store) load(d Digest) (Release, error) {
	if !isSum(d.digits()) {
		return Release{}, fmt.Errorf("cannot read release %q: it is not a digest: %w", d, ErrNotFound)
	}
	dir := s.path(d)
	encoded, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		err = missing(dir)
	}
	if err != nil {
		return Release{}, describe("read release", d.Short(), err)
	}
	if digestOf(encoded) != d {
		return Release{}, describe("read release", d.Short(), &DifferError{d, manifestName, "has another SHA-256"})
	}
	m, err := parseManifest(encoded)
	if err != nil {
		return Release{}, describe("read release", d.Short(), err)
	}
	r := Release{Digest: d, Manifest: m, Dir: filepath.Join(dir, treeName)}
	if m.Kind == KindCommand {
		r.Dir = m.Dir
	}
	var o origin
	if b, err := os.ReadFile(filepath.Join(dir, originName)); err == nil && json.Unmarshal(b, &o) == nil {
		r.Created, r.Source = o.Created, o.Source
	}
	return r, nil
}

// missing tells a release that isn't there from one without its manifest.
func missing(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return fmt.Errorf("its %s is missing from %s", manifestName, dir)
	}
	return ErrNotFound
}

// hold takes the store's lock: shared for imports, exclusive, without waiting,
// for retention (ErrBusy). The caller calls release.
func (s *Store) hold(exclusive bool) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX | unix.LOCK_NB
	}
	err = withFD(f, func(fd int) error {
		for {
			if err := unix.Flock(fd, how); err != unix.EINTR {
				return err
			}
		}
	})
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrBusy
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func (s *Store) releases() string     { return filepath.Join(s.dir, "releases") }
func (s *Store) tmp() string          { return filepath.Join(s.dir, "tmp") }
func (s *Store) path(d Digest) string { return filepath.Join(s.releases(), d.digits()) }
