package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultSegmentBytes is the size at which a new segment is begun.
const DefaultSegmentBytes = 8 << 20

// Options of a log. The zero value is right for most.
type Options struct {
	// SegmentBytes is the size that a segment does not grow beyond, unless one
	// record alone does. 0 means DefaultSegmentBytes; at most 128 MiB.
	SegmentBytes int64

	// Known reports whether the program understands a type. It is asked for
	// required records only. nil means that every type is known.
	Known func(typ uint16, version uint8) bool

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	disk *disk // nil means the real one
}

// Log is the open log. Its methods may be called from any goroutine.
type Log struct {
	dir      string
	opts     Options
	disk     disk
	lock     *os.File
	recovery Recovery // not changed after Open

	// Taken in this order. The first two serialise writes and fsyncs and are
	// held over them; mu guards the fields below and is held over no call.
	writing sync.Mutex
	syncing sync.Mutex
	mu      sync.Mutex

	segments    []segment // oldest first
	active      *os.File  // the last of segments; nil before the first is made
	last        uint64    // sequence number of the last record
	synced      uint64    // the last one known to be durable
	epoch       uint64
	epochStored bool
	err         error        // *ReadOnlyError
	damage      *DamageError // where reading ends, if it ends early
}

// Open takes the writer's lock of dir, which it makes if need be, checks every
// record, cuts a torn tail and begins a new epoch. The error is a *LockedError
// while another process writes. A log that can be read but not written is
// returned without an error: look at Err. The caller closes the log.
func Open(dir string, o Options) (*Log, error) {
	l := &Log{dir: dir, opts: o, disk: realDisk()}
	if o.disk != nil {
		l.disk = *o.disk
	}
	if l.opts.SegmentBytes <= 0 {
		l.opts.SegmentBytes = DefaultSegmentBytes
	}
	l.opts.SegmentBytes = min(l.opts.SegmentBytes, maxSegmentBytes/2)
	if l.opts.Now == nil {
		l.opts.Now = time.Now
	}
	if err := os.MkdirAll(blobDir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("cannot open journal: %w", err)
	}
	lock, err := acquireLock(dir)
	if err != nil {
		return nil, err
	}
	l.lock = lock
	if err := l.start(); err != nil {
		_ = releaseLock(lock)
		return nil, fmt.Errorf("cannot open journal %s: %w", dir, err)
	}
	return l, nil
}

// start brings the log from what is on disk to its first Append.
func (l *Log) start() error {
	if err := l.recover(); err != nil {
		return err
	}
	sweepTemps(l.dir)
	sweepTemps(blobDir(l.dir))
	if l.active != nil {
		// What the host is about to act on must be as durable as what it wrote itself.
		if err := l.disk.sync(l.active); err != nil {
			l.fail(&syncError{l.tail().path, err})
		}
	}
	l.synced = l.last
	if err := l.prepare(); err != nil && !isTransient(err) {
		l.fail(err)
	}
	return nil
}

// isTransient reports an error that time may cure: no space.
func isTransient(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// prepare makes the first segment and stores the epoch, if that isn't done yet.
// The order matters: an epoch without a segment is damage.
func (l *Log) prepare() error {
	if l.active == nil && l.Err() == nil {
		if err := l.newSegment(); err != nil {
			return err
		}
	}
	if l.epochStored {
		return nil
	}
	if err := l.disk.placeFile(epochPath(l.dir), []byte(formatEpoch(l.epoch))); err != nil {
		return fmt.Errorf("cannot store the epoch: %w", err)
	}
	l.epochStored = true
	return nil
}

// Close makes the log durable, closes it and gives up the lock. The log is
// read-only afterwards; a second call does nothing.
func (l *Log) Close() error {
	readOnly := l.Err() != nil
	syncErr := l.Sync()
	l.writing.Lock()
	defer l.writing.Unlock()
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	lock, active := l.lock, l.active
	l.lock, l.active = nil, nil
	l.err = &ReadOnlyError{Dir: l.dir, Reason: ErrClosed}
	l.mu.Unlock()
	if lock == nil {
		return nil
	}
	if active != nil {
		active.Close()
	}
	if err := releaseLock(lock); err != nil {
		return fmt.Errorf("cannot unlock journal: %w", err)
	}
	if readOnly {
		return nil
	}
	return syncErr
}

// Recovery says what Open found.
func (l *Log) Recovery() Recovery { return l.recovery }

// Epoch is the number of this opening of the log.
func (l *Log) Epoch() uint64 { return l.epoch }

// Last is the sequence number of the last record, 0 if there has been none.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Err is nil while the log can be written, else the *ReadOnlyError that says
// why it can't.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// fail makes the log read-only, for the first reason that was given.
func (l *Log) fail(reason error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.damage == nil {
		errors.As(reason, &l.damage)
	}
	if l.err == nil {
		l.err = &ReadOnlyError{Dir: l.dir, Reason: reason}
	}
	return l.err
}

// failOnSync makes the log read-only if err is a failed fsync, and returns what
// the caller gets.
func (l *Log) failOnSync(err error) error {
	var failed *syncError
	if errors.As(err, &failed) {
		return l.fail(failed)
	}
	return err
}

func (l *Log) known(r Record) bool {
	return l.opts.Known == nil || l.opts.Known(r.Type, r.Version)
}
