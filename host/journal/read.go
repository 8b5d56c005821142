package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Read gives fn the records from sequence number from on, in order, up to the
// last one at the time of the call. Records that retention removed are left
// out. It stops at fn's first error and returns it. If it meets damage it
// returns a *DamageError, after the records before it. Appends go on meanwhile;
// fn may append, but what it appends is not read.
func (l *Log) Read(from uint64, fn func(Record) error) error {
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	damage := l.damage
	l.mu.Unlock()
	for _, s := range segments {
		if s.last < from || s.last < s.first {
			continue
		}
		if err := l.readSegment(s, from, fn); err != nil {
			return err
		}
	}
	if damage != nil {
		return damage
	}
	return nil
}

func (l *Log) readSegment(s segment, from uint64, fn func(Record) error) error {
	b, err := s.load(s.size)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read journal: %s was removed meanwhile: %w", s.path, err)
	}
	if err == nil && int64(len(b)) < s.size {
		err = &DamageError{Segment: s.path, Offset: int64(len(b)), Seq: s.last, Reason: "the segment has been shortened"}
	}
	if err == nil {
		_, err = s.walk(b, func(r Record, _ int64) error {
			if r.Seq < from {
				return nil
			}
			return fn(r)
		})
	}
	var damage *DamageError
	if errors.As(err, &damage) {
		l.fail(damage)
	}
	return err
}

// ReadDir gives fn every record of the log in dir, in order, without the
// writer's lock: a host may be running or not. A torn tail is left out, as it
// may be a record that is being written. It stops at fn's first error and
// returns it; damage is a *DamageError, after the records before it.
func ReadDir(dir string, fn func(Record) error) error {
	segments, err := listSegments(dir)
	if err != nil {
		return fmt.Errorf("cannot read journal: %w", err)
	}
	for i, s := range segments {
		if i > 0 && s.first != segments[i-1].last+1 {
			return &DamageError{Segment: s.path, Seq: segments[i-1].last + 1,
				Reason: fmt.Sprintf("the segment begins at record %d, the one before ends at %d", s.first, segments[i-1].last)}
		}
		b, err := s.load(-1)
		if err != nil {
			return fmt.Errorf("cannot read journal: %w", err)
		}
		torn, err := s.walk(b, func(r Record, end int64) error {
			segments[i].add(r, end)
			return fn(r)
		})
		var damage *DamageError
		if errors.As(err, &damage) && torn && i == len(segments)-1 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
