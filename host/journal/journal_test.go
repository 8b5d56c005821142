package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// quickDisk is the real disk without its fsyncs.
func quickDisk() *disk {
	d := realDisk()
	d.sync = func(*os.File) error { return nil }
	d.syncDir = func(string) error { return nil }
	return &d
}

func open(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	if o.disk == nil {
		o.disk = quickDisk()
	}
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func appendN(t testing.TB, l *Log, n int) []Record {
	t.Helper()
	var out []Record
	for range n {
		out = append(out, mustAppend(t, l, Record{
			Type: uint16(l.Last()%7) + 1, Version: 1, Trace: [16]byte{1, 2, byte(l.Last())},
			Actor: "uid:0 root", Payload: fmt.Appendf(nil, "payload of record %d", l.Last()+1),
		}))
	}
	return out
}

func mustAppend(t testing.TB, l *Log, r Record) Record {
	t.Helper()
	got, err := l.Append(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func collect(into *[]Record) func(Record) error {
	return func(r Record) error { *into = append(*into, r); return nil }
}

func readAll(t testing.TB, l *Log) []Record {
	t.Helper()
	var got []Record
	if err := l.Read(0, collect(&got)); err != nil {
		t.Fatal(err)
	}
	return got
}

func wantRecords(t testing.TB, got, want []Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d records, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("record %d is\n%+v, want\n%+v", i, got[i], want[i])
		}
	}
}

func TestWhatIsAppendedIsReadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	now := time.Date(2026, 11, 22, 10, 0, 0, 123, time.UTC)
	o := Options{SegmentBytes: 400, Now: func() time.Time { now = now.Add(time.Second); return now }}
	l := open(t, dir, o)
	want := appendN(t, l, 20)
	want = append(want, mustAppend(t, l, Record{Type: 9, Required: true, Version: 3}))
	wantRecords(t, readAll(t, l), want)
	if want[3].Seq != 4 || want[3].Epoch != 1 || want[3].Time.Nanosecond() != 123 {
		t.Fatalf("assigned %+v", want[3])
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = open(t, dir, o)
	if l.Epoch() != 2 || l.Last() != 21 || l.Recovery().Records != 21 || l.Recovery().Torn || l.Err() != nil {
		t.Fatalf("epoch %d, last %d, recovery %v, err %v", l.Epoch(), l.Last(), l.Recovery(), l.Err())
	}
	want = append(want, appendN(t, l, 1)...)
	wantRecords(t, readAll(t, l), want)
	var from []Record
	if err := l.Read(15, collect(&from)); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, from, want[14:])
	var fromDir []Record
	if err := ReadDir(dir, collect(&fromDir)); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, fromDir, want)

	segments, _ := listSegments(dir)
	if len(segments) < 4 {
		t.Fatalf("%d segments, want several", len(segments))
	}
	for _, s := range segments {
		info, _ := os.Stat(s.path)
		if info.Size() > 400 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %v", s.path, info.Size(), info.Mode())
		}
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("directory has mode %v", info.Mode())
	}
}

func TestReadStopsAtTheCallersError(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	appendN(t, l, 5)
	stop := errors.New("enough")
	n := 0
	err := l.Read(2, func(Record) error { n++; return stop })
	if err != stop || n != 1 {
		t.Fatalf("got %v after %d records", err, n)
	}
}

func TestBounds(t *testing.T) {
	l := open(t, t.TempDir(), Options{SegmentBytes: 1000})
	for _, r := range []Record{
		{Payload: make([]byte, MaxPayload+1)},
		{Actor: string(make([]byte, MaxActor+1))},
	} {
		if _, err := l.Append(r); err == nil {
			t.Error("a record over the limit was accepted")
		}
	}
	big := mustAppend(t, l, Record{Payload: bytes.Repeat([]byte{7}, MaxPayload), Actor: string(make([]byte, MaxActor))})
	wantRecords(t, readAll(t, l), []Record{big})
}

func TestEpochGrowsWithoutRecords(t *testing.T) {
	dir := t.TempDir()
	for want := uint64(1); want < 4; want++ {
		l := open(t, dir, Options{})
		if l.Epoch() != want {
			t.Fatalf("epoch %d, want %d", l.Epoch(), want)
		}
		if want == 2 {
			appendN(t, l, 1)
		}
		l.Close()
	}
	if err := os.WriteFile(epochPath(dir), []byte("9 00000000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, Options{})
	if l.Epoch() != 3 || !l.Recovery().EpochLost || l.Err() != nil {
		t.Fatalf("epoch %d, recovery %+v, err %v", l.Epoch(), l.Recovery(), l.Err())
	}
}

func TestUnknownRequiredTypeStopsWriting(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	want := []Record{
		mustAppend(t, l, Record{Type: 8, Version: 1}),
		mustAppend(t, l, Record{Type: 7, Version: 2, Required: true}),
		mustAppend(t, l, Record{Type: 1, Version: 1, Required: true}),
	}
	l.Close()
	old := Options{Known: func(typ uint16, version uint8) bool { return typ == 1 && version == 1 }}
	l = open(t, dir, old)
	var unknown *UnknownError
	if !errors.As(l.Err(), &unknown) || *unknown != (UnknownError{Type: 7, Version: 2, Seq: 2}) {
		t.Fatalf("err %v", l.Err())
	}
	var readOnly *ReadOnlyError
	if _, err := l.Append(Record{Type: 1, Version: 1}); !errors.As(err, &readOnly) {
		t.Fatalf("append: %v", err)
	}
	wantRecords(t, readAll(t, l), want)

	l = open(t, t.TempDir(), old)
	if _, err := l.Append(Record{Type: 7, Version: 2, Required: true}); err == nil || l.Err() != nil {
		t.Fatalf("append of an unknown required type: %v, log %v", err, l.Err())
	}
	mustAppend(t, l, Record{Type: 7, Version: 2})
}

func TestRetainRemovesWholeOldSegments(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	o := Options{SegmentBytes: 300, Now: func() time.Time { now = now.Add(time.Hour); return now }}
	l := open(t, dir, o)
	all := appendN(t, l, 12)
	n := len(l.segments)
	if removed, err := l.Retain(start); removed != 0 || err != nil {
		t.Fatalf("removed %d, %v", removed, err)
	}
	first := l.segments[0]
	if removed, err := l.Retain(first.newest); removed != 0 || err != nil {
		t.Fatalf("a segment with a record that isn't older: removed %d, %v", removed, err)
	}
	if removed, err := l.Retain(first.newest.Add(1)); removed != 1 || err != nil {
		t.Fatalf("removed %d, %v", removed, err)
	}
	wantRecords(t, readAll(t, l), all[first.last:])
	if removed, err := l.Retain(now.Add(time.Hour)); removed != n-2 || err != nil {
		t.Fatalf("removed %d of %d, %v", removed, n, err)
	}
	last := l.segments[0].first
	l.Close()
	l = open(t, dir, o)
	if l.Err() != nil || l.Last() != 12 {
		t.Fatalf("after retention: last %d, %v", l.Last(), l.Err())
	}
	wantRecords(t, readAll(t, l), all[last-1:])
}

func TestReadNamesASegmentThatRetentionTook(t *testing.T) {
	l := open(t, t.TempDir(), Options{SegmentBytes: 300})
	all := appendN(t, l, 12)
	err := l.Read(0, func(r Record) error {
		if r.Seq == 1 {
			if _, err := l.Retain(all[11].Time.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	})
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v, want a gap to be an error", err)
	}
}

func TestBlobs(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	digest, err := l.PutBlob([]byte("hello"))
	if err != nil || digest != "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Fatalf("%s, %v", digest, err)
	}
	if again, err := l.PutBlob([]byte("hello")); again != digest || err != nil {
		t.Fatalf("%s, %v", again, err)
	}
	if b, err := l.Blob(digest); string(b) != "hello" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	path, _ := l.blobPath(digest)
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	os.WriteFile(path, []byte("hellO"), 0o600)
	if b, err := l.Blob(digest); err == nil {
		t.Fatalf("a damaged blob was returned: %q", b)
	}
	if _, err := l.PutBlob([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Blob(digest); err != nil {
		t.Fatalf("storing again didn't repair it: %v", err)
	}
	if _, err := l.Blob(digestOf([]byte("other"))); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, bad := range []Digest{"", "sha256:../../lock", "sha256:2cf2", "md5:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		"sha256:2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"} {
		if _, err := l.Blob(bad); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
