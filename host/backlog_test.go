package host

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/zdhost/zdhost/host/journal"
)

// full is a journal on a disk that may be full.
type full struct {
	err     error
	written []string
}

func (f *full) append(r journal.Record) error {
	if f.err == nil {
		f.written = append(f.written, string(r.Payload))
	}
	return f.err
}

func TestBacklog_WritesInOrderWhatTheDiskRefused(t *testing.T) {
	disk := &full{}
	b := backlog{append: disk.append}
	write := func(text string, keep bool) error { return b.write(journal.Record{Payload: []byte(text)}, keep) }

	_ = write("1", true)
	disk.err = fmt.Errorf("cannot append record: %w", syscall.ENOSPC)
	for _, text := range []string{"2", "3"} {
		if err := write(text, true); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("record %s: error %v", text, err)
		}
	}
	_ = write("refused", false)
	disk.err = nil
	if err := write("4", true); err != nil {
		t.Error(err)
	}
	if want := []string{"1", "2", "3", "4"}; !slices.Equal(disk.written, want) {
		t.Errorf("written %v, want %v", disk.written, want)
	}
}

func TestBacklog_KeepsNothingThatTimeCanNotCure(t *testing.T) {
	for _, err := range []error{
		errors.New("cannot append record: it is too large"),
		&journal.ReadOnlyError{Reason: fmt.Errorf("fsync: %w", syscall.EIO)},
	} {
		disk := &full{err: err}
		b := backlog{append: disk.append}
		_ = b.write(journal.Record{Payload: []byte("1")}, true)
		disk.err = nil
		_ = b.write(journal.Record{Payload: []byte("2")}, true)
		if want := []string{"2"}; !slices.Equal(disk.written, want) {
			t.Errorf("after %v: written %v, want %v", err, disk.written, want)
		}
	}
}
