package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	segmentMagic   = "zdjournl"
	segmentVersion = 1
	headerSize     = 24
	segmentSuffix  = ".zdj"

	// maxSegmentBytes bounds what is read into memory at once.
	maxSegmentBytes = 256 << 20

	// maxCandidates bounds the search for a record after a bad one; beyond it
	// the bytes are taken for damage, which is the safe answer.
	maxCandidates = 4096
)

// segment is one file of the log.
type segment struct {
	path   string
	first  uint64    // sequence number of its first record
	last   uint64    // of its last record; first-1 while it is empty
	size   int64     // bytes up to the end of the last whole record
	newest time.Time // the latest time in any of its records
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
}

func (s *segment) add(r Record, end int64) {
	s.last, s.size = r.Seq, end
	if r.Time.After(s.newest) {
		s.newest = r.Time
	}
}

// listSegments finds the segments in dir by their names, oldest first.
func listSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []segment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok || len(digits) != 20 {
			continue
		}
		first, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || first == 0 {
			continue
		}
		found = append(found, segment{path: filepath.Join(dir, e.Name()), first: first, last: first - 1, size: headerSize})
	}
	slices.SortFunc(found, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	return found, nil
}

func appendHeader(b []byte, first uint64) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = binary.BigEndian.AppendUint16(b, segmentVersion)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint64(b, first)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func checkHeader(b []byte, first uint64) error {
	if len(b) < headerSize {
		return errors.New("the segment's header is incomplete")
	}
	if string(b[:8]) != segmentMagic {
		return errors.New("this is not a journal segment")
	}
	if crc32.Checksum(b[:20], castagnoli) != binary.BigEndian.Uint32(b[20:]) {
		return errors.New("the checksum of the segment's header is wrong")
	}
	if v := binary.BigEndian.Uint16(b[8:]); v != segmentVersion {
		return fmt.Errorf("the segment has format version %d, this program reads version %d", v, segmentVersion)
	}
	if got := binary.BigEndian.Uint64(b[12:]); got != first {
		return fmt.Errorf("the segment's header says that it begins at record %d, its name says %d", got, first)
	}
	return nil
}

// load reads the segment's bytes: all of them, or the first limit if limit >= 0.
func (s *segment) load(limit int64) ([]byte, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if limit >= 0 && size > limit {
		size = limit
	}
	if size > maxSegmentBytes {
		return nil, &DamageError{Segment: s.path, Seq: s.first,
			Reason: fmt.Sprintf("the segment has %d bytes, no segment has more than %d", size, maxSegmentBytes)}
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if n < len(b) {
		return nil, fmt.Errorf("cannot read %s: %w", s.path, err)
	}
	return b, nil
}

// walk decodes the records in b, the segment's bytes, in order, and gives fn
// each with the offset of its end. If it meets a bad one it returns a
// *DamageError for it; torn reports that it may be cut as a torn tail, because
// nothing valid follows. An error of fn is returned as it is.
func (s *segment) walk(b []byte, fn func(Record, int64) error) (torn bool, err error) {
	if err := checkHeader(b, s.first); err != nil {
		return false, &DamageError{Segment: s.path, Seq: s.first, Reason: err.Error()}
	}
	next := s.first
	for off := headerSize; off < len(b); next++ {
		r, n, err := decodeRecord(b[off:])
		if err != nil {
			torn := !errors.Is(err, errFlags) && !validAfter(b[off:], next)
			return torn, &DamageError{Segment: s.path, Offset: int64(off), Seq: next, Reason: err.Error()}
		}
		if r.Seq != next {
			return false, &DamageError{Segment: s.path, Offset: int64(off), Seq: next,
				Reason: fmt.Sprintf("record %d stands in its place", r.Seq)}
		}
		off += n
		if err := fn(r, int64(off)); err != nil {
			return false, err
		}
	}
	return false, nil
}

// validAfter reports whether a valid record with a number above seq stands
// somewhere after b's first byte. Lower numbers don't count: a payload may
// quote an older record.
func validAfter(b []byte, seq uint64) bool {
	for candidates := 0; ; candidates++ {
		i := bytes.Index(b[min(1, len(b)):], recordMagic)
		if i < 0 {
			return false
		}
		if candidates == maxCandidates {
			return true
		}
		b = b[1+i:]
		if r, _, err := decodeRecord(b); err == nil && r.Seq > seq {
			return true
		}
	}
}
