package journal

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// fullAfter makes the n-th write and all later ones fail for want of space,
// after part of the bytes is written.
type fullAfter struct {
	left atomic.Int64
	part int
}

func (f *fullAfter) writeAt(file *os.File, b []byte, off int64) (int, error) {
	if f.left.Add(-1) >= 0 {
		return file.WriteAt(b, off)
	}
	n, _ := file.WriteAt(b[:min(f.part, len(b))], off)
	return n, &os.PathError{Op: "write", Path: file.Name(), Err: unix.ENOSPC}
}

func TestFullDiskAtEachWrite(t *testing.T) {
	for _, part := range []int{0, 1, 30} {
		for n := range int64(12) {
			dir := t.TempDir()
			full := &fullAfter{part: part}
			full.left.Store(n)
			d := quickDisk()
			d.writeAt = full.writeAt
			l := open(t, dir, Options{SegmentBytes: 300, disk: d})
			var want []Record
			failed := false
			for range 10 {
				r, err := l.Append(Record{Type: 3, Payload: make([]byte, 40)})
				if err == nil {
					want = append(want, r)
					continue
				}
				if !errors.Is(err, unix.ENOSPC) {
					t.Fatalf("write %d: %v", n, err)
				}
				failed = true
				break
			}
			if !failed {
				t.Fatalf("write %d never failed", n)
			}
			if l.Err() != nil {
				t.Fatalf("write %d: a full disk made the log read-only: %v", n, l.Err())
			}
			full.left.Store(1 << 30) // there is space again
			want = append(want, mustAppend(t, l, Record{Type: 4}))
			wantRecords(t, readAll(t, l), want)
			l.Close()
			l = open(t, dir, Options{})
			if l.Recovery().Torn || l.Err() != nil || l.Epoch() != 2 {
				t.Fatalf("write %d, %d bytes: %v, %v, epoch %d", n, part, l.Recovery(), l.Err(), l.Epoch())
			}
			wantRecords(t, readAll(t, l), want)
		}
	}
}

func TestPartOfARecordThatStaysMakesTheLogReadOnly(t *testing.T) {
	dir := t.TempDir()
	full := &fullAfter{part: 20}
	full.left.Store(1 << 30)
	d := quickDisk()
	d.writeAt = full.writeAt
	d.truncate = func(*os.File, int64) error { return unix.EIO }
	l := open(t, dir, Options{disk: d})
	want := appendN(t, l, 2)
	full.left.Store(0)
	_, err := l.Append(Record{})
	var readOnly *ReadOnlyError
	if !errors.As(err, &readOnly) || !errors.Is(err, unix.ENOSPC) || !errors.Is(err, unix.EIO) {
		t.Fatalf("append: %v", err)
	}
	full.left.Store(1 << 30)
	if _, again := l.Append(Record{}); !errors.Is(again, err) {
		t.Fatalf("append afterwards: %v", again)
	}
	wantRecords(t, readAll(t, l), want)
	l.Close()
	l = open(t, dir, Options{})
	if !l.Recovery().Torn || l.Recovery().Cut != 20 || l.Err() != nil {
		t.Fatalf("%v, %v", l.Recovery(), l.Err())
	}
}

func TestFailedFsyncIsNeverRetried(t *testing.T) {
	var calls atomic.Int64
	var broken atomic.Bool
	d := quickDisk()
	d.sync = func(*os.File) error {
		calls.Add(1)
		if broken.CompareAndSwap(true, false) { // the kernel reports it once
			return unix.EIO
		}
		return nil
	}
	l := open(t, t.TempDir(), Options{disk: d})
	want := appendN(t, l, 1)
	broken.Store(true)
	err := l.Sync()
	var readOnly *ReadOnlyError
	if !errors.As(err, &readOnly) || !errors.Is(err, unix.EIO) {
		t.Fatalf("sync: %v", err)
	}
	before := calls.Load()
	if again := l.Sync(); again != err {
		t.Fatalf("second sync: %v", again)
	}
	if _, err := l.Append(Record{}); !errors.As(err, &readOnly) {
		t.Fatalf("append: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if calls.Load() != before {
		t.Fatal("the fsync was retried")
	}
	wantRecords(t, readAll(t, l), want)
}

func TestFailedFsyncWhileRotating(t *testing.T) {
	for name, fault := range map[string]func(*Log){
		"old segment": func(l *Log) { l.disk.sync = failOn(l.active, true) },
		"new segment": func(l *Log) { l.disk.sync = failOn(l.active, false) },
		"directory":   func(l *Log) { l.disk.syncDir = func(string) error { return unix.EIO } },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, Options{SegmentBytes: 200})
			want := appendN(t, l, 1)
			fault(l)
			_, err := l.Append(Record{Payload: make([]byte, 150)})
			var readOnly *ReadOnlyError
			if !errors.As(err, &readOnly) || !errors.As(l.Err(), &readOnly) {
				t.Fatalf("append: %v, log: %v", err, l.Err())
			}
			l.Close()
			l = open(t, dir, Options{})
			if l.Err() != nil {
				t.Fatal(l.Err())
			}
			wantRecords(t, readAll(t, l), want)
			appendN(t, l, 1)
		})
	}
}

// failOn is an fsync that fails for f only, or for all but f.
func failOn(f *os.File, is bool) func(*os.File) error {
	return func(g *os.File) error {
		if (f == g) == is {
			return unix.EIO
		}
		return nil
	}
}

// Callers that wait while an fsync runs share the next one.
func TestSyncIsGrouped(t *testing.T) {
	const callers = 20
	var calls atomic.Int64
	entered, release := make(chan bool, callers), make(chan bool)
	l := open(t, t.TempDir(), Options{})
	l.disk.sync = func(*os.File) error {
		calls.Add(1)
		entered <- true
		<-release
		return nil
	}
	var group sync.WaitGroup
	syncOne := func() {
		mustAppend(t, l, Record{})
		group.Go(func() {
			if err := l.Sync(); err != nil {
				t.Error(err)
			}
		})
	}
	syncOne()
	<-entered
	for range callers - 1 {
		syncOne()
	}
	close(release)
	group.Wait()
	if n := calls.Load(); n != 2 {
		t.Fatalf("%d callers made %d fsyncs, want 2", callers, n)
	}
	if err := l.Sync(); err != nil || calls.Load() != 2 {
		t.Fatalf("a sync with nothing to do: %v, %d fsyncs", err, calls.Load())
	}
}

// Appends, syncs, reads and rotation at once.
func TestManyGoroutines(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{SegmentBytes: 2000})
	const writers, each = 4, 100
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				mine, err := l.Append(Record{Payload: make([]byte, 20)})
				if err == nil {
					err = l.Sync()
				}
				if err != nil {
					t.Error(err)
					return
				}
				found := false
				err = l.Read(mine.Seq, func(r Record) error { found = found || r.Seq == mine.Seq; return nil })
				if err != nil || !found {
					t.Errorf("record %d not read: %v", mine.Seq, err)
				}
			}
		})
	}
	group.Wait()
	if got := readAll(t, l); len(got) != writers*each {
		t.Fatalf("%d records", len(got))
	}
}

func TestReadOnlyFileSystemOpens(t *testing.T) {
	dir, records, _ := written(t, 3)
	d := quickDisk()
	d.writeAt = func(*os.File, []byte, int64) (int, error) { return 0, unix.EROFS }
	l := open(t, dir, Options{disk: d})
	if !errors.Is(l.Err(), unix.EROFS) {
		t.Fatalf("err %v", l.Err())
	}
	wantRecords(t, readAll(t, l), records)
}
