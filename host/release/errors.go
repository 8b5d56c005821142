package release

import (
	"errors"
	"fmt"
	"os"
)

var (
	// ErrNotFound: the store has no such release.
	ErrNotFound = errors.New("no such release")

	// ErrAmbiguous: more than one release begins with the given digits.
	ErrAmbiguous = errors.New("more than one release begins so")

	// ErrBusy: an import is under way; retention can run after it.
	ErrBusy = errors.New("an import is under way")
)

// EntryError names a file that can't be part of a release. No retry helps.
type EntryError struct {
	Path   string
	Reason string
}

func (e *EntryError) Error() string { return fmt.Sprintf("%q %s", e.Path, e.Reason) }

// ChangedError names a file that changed while it was read. A retry can help.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%q changed while it was read; try again when nothing writes it", e.Path)
}

// DifferError names the first file that is not as the manifest says.
type DifferError struct {
	Digest Digest
	Path   string
	Reason string
}

func (e *DifferError) Error() string {
	return fmt.Sprintf("%s is not what it was: %q %s", e.Digest.Short(), e.Path, e.Reason)
}

// bare strips the operation and the path that package os puts before a cause,
// where the message names the path already.
func bare(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// describe puts the object and the verb before an error.
func describe(verb, object string, err error) error {
	return fmt.Errorf("cannot %s %s: %w", verb, object, err)
}
