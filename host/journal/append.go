package journal

import (
	"fmt"
)

// Append writes r at the end of the log and returns it with the sequence
// number, epoch and time that it got. It is then safe from the death of the
// process, not from a power loss: see Sync. After an error nothing was
// appended; unless it is a *ReadOnlyError, a later call may succeed.
func (l *Log) Append(r Record) (Record, error) {
	if err := r.fits(); err != nil {
		return Record{}, fmt.Errorf("cannot append record: %w", err)
	}
	if r.Required && !l.known(r) {
		return Record{}, fmt.Errorf("cannot append record: its type %d version %d is required and not known here", r.Type, r.Version)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return Record{}, err
	}
	if err := l.prepare(); err != nil {
		return Record{}, l.failOnSync(fmt.Errorf("cannot append record: %w", err))
	}
	r.Seq, r.Epoch, r.Time = l.last+1, l.epoch, l.opts.Now().UTC().Round(0)
	b := appendRecord(nil, r)
	if s := l.tail(); s.size+int64(len(b)) > l.opts.SegmentBytes && s.last >= s.first {
		if err := l.rotate(); err != nil {
			return Record{}, l.failOnSync(fmt.Errorf("cannot append record: %w", err))
		}
	}
	if err := l.write(b); err != nil {
		return Record{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail().add(r, l.tail().size+int64(len(b)))
	l.last = r.Seq
	return r, nil
}

// write puts b at the end of the active segment, or nothing.
func (l *Log) write(b []byte) error {
	s := l.tail()
	n, err := l.disk.writeAt(l.active, b, s.size)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("cannot append record to %s: %w", s.path, bare(err))
	if n == 0 {
		return err
	}
	if cutErr := l.disk.truncate(l.active, s.size); cutErr != nil {
		return l.fail(fmt.Errorf("%w; cannot take the part of it away: %w", err, bare(cutErr)))
	}
	return err
}

// rotate makes the active segment durable and begins a new one.
func (l *Log) rotate() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	old := l.active
	if err := l.disk.sync(old); err != nil {
		return &syncError{l.tail().path, err}
	}
	if err := l.newSegment(); err != nil {
		return err
	}
	old.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced = l.last
	return nil
}

// newSegment makes the segment of the next record the active one.
func (l *Log) newSegment() error {
	s := segment{path: segmentPath(l.dir, l.last+1), first: l.last + 1, last: l.last, size: headerSize}
	f, err := l.disk.place(s.path, appendHeader(nil, s.first))
	if err != nil {
		return fmt.Errorf("cannot begin segment %s: %w", s.path, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments, l.active = append(l.segments, s), f
	return nil
}

// Sync makes every record durable that was appended before the call. Callers
// that wait at the same time share one fdatasync. If it fails, the log is
// read-only from then on, and nobody may assume what reached the disk.
func (l *Log) Sync() error {
	target := l.Last()
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	active, last, synced, err := l.active, l.last, l.synced, l.err
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if synced >= target {
		return nil
	}
	if err := l.disk.sync(active); err != nil {
		return l.fail(&syncError{l.dir, err})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced = last
	return nil
}

// tail is the segment that is written to.
func (l *Log) tail() *segment { return &l.segments[len(l.segments)-1] }
