package journal

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Retain removes the oldest segments whose records are all older than before,
// and returns how many. The last segment always stays.
func (l *Log) Retain(before time.Time) (removed int, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return 0, err
	}
	for len(l.segments) > 1 && l.segments[0].newest.Before(before) {
		if err := os.Remove(l.segments[0].path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return removed, fmt.Errorf("cannot remove old segment: %w", err)
		}
		l.mu.Lock()
		l.segments = l.segments[1:]
		l.mu.Unlock()
		removed++
	}
	if removed == 0 {
		return 0, nil
	}
	if err := l.disk.syncDir(l.dir); err != nil {
		return removed, l.fail(&syncError{l.dir, err})
	}
	return removed, nil
}
