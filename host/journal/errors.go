package journal

import (
	"errors"
	"fmt"
	"os"
)

// ErrClosed is the reason inside the *ReadOnlyError of a log that was closed.
var ErrClosed = errors.New("the journal is closed")

// LockedError is returned by Open while another process holds the log. Opening
// again after that process has ended can help.
type LockedError struct {
	Dir string
	PID int // the holder; 0 if it isn't known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("cannot open journal %s: another process is writing it", e.Dir)
	}
	return fmt.Sprintf("cannot open journal %s: process %d is writing it", e.Dir, e.PID)
}

// DamageError says that the log is damaged before its tail. Records before
// Offset are intact. No retry helps.
type DamageError struct {
	Segment string // path of the file
	Offset  int64  // of the first byte that can't be trusted
	Seq     uint64 // sequence number that was expected there
	Reason  string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("cannot read journal %s at byte %d (record %d): %s", e.Segment, e.Offset, e.Seq, e.Reason)
}

// UnknownError names the first required record that this program doesn't
// understand. A newer version of the program can help, a retry can't.
type UnknownError struct {
	Type    uint16
	Version uint8
	Seq     uint64
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("record %d has the required type %d version %d, which this version does not know", e.Seq, e.Type, e.Version)
}

// ReadOnlyError is what Append, Sync, PutBlob and Retain return once the log
// takes no more writes. It stays so until the log is opened again, at least.
type ReadOnlyError struct {
	Dir    string
	Reason error
}

func (e *ReadOnlyError) Error() string {
	return fmt.Sprintf("cannot write journal %s: %v", e.Dir, e.Reason)
}

func (e *ReadOnlyError) Unwrap() error { return e.Reason }

// syncError marks a failed fsync, which is never retried.
type syncError struct {
	path string
	err  error
}

func (e *syncError) Error() string { return fmt.Sprintf("cannot sync %s: %v", e.path, bare(e.err)) }
func (e *syncError) Unwrap() error { return e.err }

// bare strips the operation and the path that package os puts before a cause,
// where the message names the path already.
func bare(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return linkErr.Err
	}
	return err
}
