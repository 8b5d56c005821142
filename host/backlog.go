package host

import (
	"errors"
	"syscall"

	"github.com/zdhost/zdhost/host/journal"
)

// backlog writes records in their order, also through a time in which the disk
// takes nothing: a required record that failed is kept and comes before all that
// follow, so that the journal never lacks one between two others.
type backlog struct {
	append func(journal.Record) error
	kept   []journal.Record
}

// write appends r after what is kept. On an error r is kept if keep is set and
// time may cure what is wrong; else it is as if it had never been.
func (b *backlog) write(r journal.Record, keep bool) error {
	err := b.flush()
	if err == nil {
		err = b.append(r)
	}
	if err != nil && keep && curable(err) {
		b.kept = append(b.kept, r)
	}
	return err
}

// flush appends what is kept, as far as it goes.
func (b *backlog) flush() error {
	for len(b.kept) > 0 {
		if err := b.append(b.kept[0]); err != nil {
			if !curable(err) {
				b.kept = nil // the journal is closed for good
			}
			return err
		}
		b.kept = b.kept[1:]
	}
	return nil
}

// curable says that the system refused a write that may succeed later. A journal
// that takes nothing any more, and a record that is too large, stay so.
func curable(err error) bool {
	var readOnly *journal.ReadOnlyError
	var errno syscall.Errno
	return !errors.As(err, &readOnly) && errors.As(err, &errno)
}
