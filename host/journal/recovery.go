package journal

import (
	"errors"
	"fmt"
	"os"
)

// Recovery says what Open found and what it had to cut.
type Recovery struct {
	Records uint64 // whole records found
	Torn    bool   // a torn tail was cut; the fields below say where and why
	Segment string // path of the file that was cut
	Offset  int64  // its size now
	Cut     int64  // bytes cut
	Seq     uint64 // sequence number that the cut record would have had
	Reason  string // what was wrong with it

	// EpochLost: the file epoch was damaged. The new epoch follows the last
	// record's, so one in which nothing was recorded may come twice.
	EpochLost bool
}

// String says it in one line, for the host's log.
func (r Recovery) String() string {
	if !r.Torn {
		return fmt.Sprintf("%d records", r.Records)
	}
	return fmt.Sprintf("%d records; cut a torn tail of %d bytes from %s at byte %d (record %d): %s",
		r.Records, r.Cut, r.Segment, r.Offset, r.Seq, r.Reason)
}

// recover reads what is on disk into l, cuts a torn tail, and leaves the last
// segment open for writing. What makes the log read-only goes to l.err; the
// error is for what leaves nothing to work with.
func (l *Log) recover() error {
	listed, err := listSegments(l.dir)
	if err != nil {
		return err
	}
	for i := range listed {
		done, err := l.recoverSegment(listed[i], i == len(listed)-1)
		if err != nil {
			return err
		}
		if done {
			break
		}
	}
	return l.recoverEpoch()
}

// recoverSegment checks one segment and takes it into l. It reports true if
// what follows can't be read.
func (l *Log) recoverSegment(s segment, isLast bool) (stop bool, err error) {
	if n := len(l.segments); n > 0 && s.first != l.last+1 {
		l.fail(&DamageError{Segment: s.path, Seq: l.last + 1,
			Reason: fmt.Sprintf("the segment begins at record %d, the one before ends at %d", s.first, l.last)})
		return true, nil
	}
	b, err := s.load(-1)
	var damage *DamageError
	if errors.As(err, &damage) {
		l.fail(damage)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	l.last = s.first - 1
	torn, err := s.walk(b, func(r Record, end int64) error {
		s.add(r, end)
		l.epoch = max(l.epoch, r.Epoch)
		l.recovery.Records++
		if r.Required && !l.known(r) {
			l.fail(&UnknownError{Type: r.Type, Version: r.Version, Seq: r.Seq})
		}
		return nil
	})
	l.segments, l.last = append(l.segments, s), s.last
	errors.As(err, &damage)
	switch {
	case damage != nil && torn && isLast:
		l.cut(damage, int64(len(b)))
	case damage != nil:
		l.fail(damage)
		return true, nil
	case isLast:
		l.openActive()
	}
	return false, nil
}

// cut removes the torn tail that damage describes from the last segment. A log
// that is read-only for another reason is left as it is.
func (l *Log) cut(damage *DamageError, size int64) {
	if l.err != nil || !l.openActive() {
		return
	}
	if err := l.disk.truncate(l.active, damage.Offset); err != nil {
		l.fail(fmt.Errorf("cannot cut the torn tail of %s: %w", damage.Segment, bare(err)))
		return
	}
	l.recovery.Torn, l.recovery.Reason = true, damage.Reason
	l.recovery.Segment, l.recovery.Offset, l.recovery.Seq = damage.Segment, damage.Offset, damage.Seq
	l.recovery.Cut = size - damage.Offset
}

func (l *Log) openActive() bool {
	if l.err != nil {
		return false
	}
	f, err := os.OpenFile(l.segments[len(l.segments)-1].path, os.O_RDWR, 0)
	if err != nil {
		l.fail(err)
		return false
	}
	l.active = f
	return true
}

// recoverEpoch sets the epoch of this opening. It isn't on disk yet.
func (l *Log) recoverEpoch() error {
	stored, lost, err := readEpoch(l.dir)
	if err != nil {
		return err
	}
	if (stored > 0 || lost) && len(l.segments) == 0 {
		l.fail(&DamageError{Segment: segmentPath(l.dir, 1), Seq: 1, Reason: "no segment is left of a log that was written before"})
	}
	l.recovery.EpochLost = lost
	l.epoch = max(l.epoch, stored) + 1
	return nil
}
