package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written makes a log of n records in segments of about 400 bytes and closes it.
func written(t testing.TB, n int) (dir string, records []Record, segments []segment) {
	t.Helper()
	dir = t.TempDir()
	l := open(t, dir, Options{SegmentBytes: 400})
	records = appendN(t, l, n)
	segments = l.segments
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, records, segments
}

func TestEveryPrefixOfTheTailRecovers(t *testing.T) {
	dir, records, segments := written(t, 12)
	tail := segments[len(segments)-1]
	whole, err := os.ReadFile(tail.path)
	if err != nil {
		t.Fatal(err)
	}
	ends := recordEnds(t, tail, whole)
	for size := headerSize; size <= len(whole); size++ {
		if err := os.WriteFile(tail.path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		kept, end := int(tail.first)-1, headerSize
		for _, e := range ends {
			if e <= size {
				kept, end = kept+1, e
			}
		}
		var seen []Record
		if err := ReadDir(dir, collect(&seen)); err != nil {
			t.Fatalf("size %d: ReadDir: %v", size, err)
		}
		wantRecords(t, seen, records[:kept])
		l := open(t, dir, Options{SegmentBytes: 400})
		rec := l.Recovery()
		if l.Err() != nil || rec.Torn != (size != end) || rec.Cut != int64(size-end) || l.Last() != uint64(kept) {
			t.Fatalf("size %d: %v, last %d, err %v; want %d records, %d bytes cut", size, rec, l.Last(), l.Err(), kept, size-end)
		}
		got := append(records[:kept:kept], appendN(t, l, 1)...)
		l.Close()
		l = open(t, dir, Options{SegmentBytes: 400})
		wantRecords(t, readAll(t, l), got)
		l.Close()
		for _, s := range l.segments[len(segments):] {
			os.Remove(s.path)
		}
	}
}

func recordEnds(t testing.TB, s segment, b []byte) (ends []int) {
	t.Helper()
	if _, err := s.walk(b, func(_ Record, end int64) error { ends = append(ends, int(end)); return nil }); err != nil {
		t.Fatal(err)
	}
	return ends
}

// A flipped bit either hits the last record, which is then cut, or is named.
// No record is ever delivered changed.
func TestBitFlipsNeverGiveAWrongRecord(t *testing.T) {
	dir, records, segments := written(t, 12)
	rng := rand.New(rand.NewPCG(1, 2))
	tail := segments[len(segments)-1]
	tailBytes, _ := os.ReadFile(tail.path)
	ends := recordEnds(t, tail, tailBytes)
	lastStart := headerSize
	if len(ends) > 1 {
		lastStart = ends[len(ends)-2]
	}
	cut, named := 0, 0
	for range 2000 {
		s := segments[rng.IntN(len(segments))]
		whole, _ := os.ReadFile(s.path)
		bit := rng.IntN(len(whole) * 8)
		flipped := bytes.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		os.WriteFile(s.path, flipped, 0o600)

		l := open(t, dir, Options{})
		var got []Record
		readErr := l.Read(0, collect(&got))
		wantRecords(t, got, records[:len(got)])
		inLast := s.first == tail.first && bit/8 >= lastStart
		var damage *DamageError
		switch {
		case inLast && l.Recovery().Torn && len(got) == len(records)-1 && readErr == nil && l.Err() == nil:
			cut++
		case !inLast && errors.As(l.Err(), &damage) && errors.As(readErr, &damage) &&
			damage.Segment == s.path && damage.Offset <= int64(bit/8) && damage.Seq == uint64(len(got))+1:
			named++
		default:
			t.Fatalf("bit %d of %s (last record: %v): %d records, recovery %v, err %v, read %v",
				bit, filepath.Base(s.path), inLast, len(got), l.Recovery(), l.Err(), readErr)
		}
		if _, err := l.Append(Record{}); (err == nil) != inLast {
			t.Fatalf("append: %v", err)
		}
		l.Close()
		var fromDir []Record
		if err := ReadDir(dir, collect(&fromDir)); !inLast && !errors.As(err, &damage) {
			t.Fatalf("ReadDir: %v", err)
		}
		os.WriteFile(s.path, whole, 0o600)
	}
	if cut == 0 || named == 0 {
		t.Fatalf("%d cut, %d named: one case was never met", cut, named)
	}
}

func TestDamageIsNamed(t *testing.T) {
	tests := map[string]func(dir string, segments []segment) string{
		"a segment is gone":                func(_ string, s []segment) string { os.Remove(s[1].path); return "begins at record" },
		"all segments are gone":            func(_ string, s []segment) string { removeAll(s); return "no segment is left" },
		"a segment before the last is cut": func(_ string, s []segment) string { os.Truncate(s[1].path, 100); return "incomplete" },
		"a segment is empty":               func(_ string, s []segment) string { os.Truncate(s[len(s)-1].path, 0); return "header is incomplete" },
		"a segment has a newer format": func(_ string, s []segment) string {
			b, _ := os.ReadFile(s[0].path)
			h := appendHeader(nil, 1)
			h[9]++
			copy(b, resum(h, 20))
			os.WriteFile(s[0].path, b, 0o600)
			return "format version 2"
		},
		"a segment is absurdly large": func(_ string, s []segment) string { os.Truncate(s[0].path, 1<<40); return "no segment has more" },
		"a record stands twice": func(_ string, s []segment) string {
			last := s[len(s)-1]
			b, _ := os.ReadFile(last.path)
			_, n, _ := decodeRecord(b[headerSize:])
			os.WriteFile(last.path, append(b, b[headerSize:headerSize+n]...), 0o600)
			return "stands in its place"
		},
		"a whole last record has unknown flags": func(_ string, s []segment) string {
			last := s[len(s)-1]
			b, _ := os.ReadFile(last.path)
			r := appendRecord(nil, Record{Seq: last.last + 1})
			r[11] |= 2
			os.WriteFile(last.path, append(b, resum(r, len(r)-4)...), 0o600)
			return "unknown flags"
		},
	}
	for name, harm := range tests {
		t.Run(name, func(t *testing.T) {
			dir, records, segments := written(t, 12)
			want := harm(dir, segments)
			l := open(t, dir, Options{})
			var damage *DamageError
			if !errors.As(l.Err(), &damage) || !strings.Contains(l.Err().Error(), want) {
				t.Fatalf("err %v, want %q", l.Err(), want)
			}
			var got []Record
			if err := l.Read(0, collect(&got)); !errors.As(err, &damage) {
				t.Fatalf("read: %v", err)
			}
			wantRecords(t, got, records[:len(got)])
			if _, err := l.PutBlob(nil); err == nil {
				t.Error("a blob was stored in a damaged log")
			}
			if _, err := l.Retain(records[11].Time.AddDate(1, 0, 0)); err == nil {
				t.Error("retention ran on a damaged log")
			}
		})
	}
}

func removeAll(segments []segment) {
	for _, s := range segments {
		os.Remove(s.path)
	}
}

// resum puts the right CRC at offset at.
func resum(b []byte, at int) []byte {
	putCRC(b[at:], b[:at])
	return b
}

// A torn record whose payload quotes an older record is a torn tail, not damage.
func TestATornRecordMayQuoteAnOlderOne(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	first := mustAppend(t, l, Record{Type: 1})
	mustAppend(t, l, Record{Type: 2, Payload: append(appendRecord(nil, first), make([]byte, 100)...)})
	path := l.segments[0].path
	size := l.segments[0].size
	l.Close()
	os.Truncate(path, size-50)
	l = open(t, dir, Options{})
	if l.Err() != nil || !l.Recovery().Torn || l.Last() != 1 {
		t.Fatalf("last %d, %v, %v", l.Last(), l.Recovery(), l.Err())
	}
}

// Bytes that look like very many records must not make Open slow.
func TestTheSearchAfterABadRecordIsBounded(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	appendN(t, l, 1)
	path := l.segments[0].path
	l.Close()
	f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	f.Write(bytes.Repeat(append(recordMagic, 0, 15, 0, 0), 1<<17))
	f.Close()
	l = open(t, dir, Options{})
	var damage *DamageError
	if !errors.As(l.Err(), &damage) || damage.Seq != 2 {
		t.Fatalf("err %v", l.Err())
	}
}

func TestLeftoversOfACrashAreSwept(t *testing.T) {
	dir, records, _ := written(t, 3)
	for _, d := range []string{dir, blobDir(dir)} {
		os.WriteFile(filepath.Join(d, "new-1.tmp"), []byte("half"), 0o600)
	}
	l := open(t, dir, Options{})
	wantRecords(t, readAll(t, l), records)
	for _, d := range []string{dir, blobDir(dir)} {
		if left, _ := filepath.Glob(filepath.Join(d, tempPattern)); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}
