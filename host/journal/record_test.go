package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

func putCRC(to, of []byte) { binary.BigEndian.PutUint32(to, crc32.Checksum(of, castagnoli)) }

func goldenRecords() []Record {
	at := time.Date(2026, 11, 22, 11, 22, 33, 444555666, time.UTC)
	return []Record{
		{Type: 1, Version: 1, Seq: 1, Epoch: 1, Time: at},
		{Type: 0x0203, Version: 4, Required: true, Seq: 2, Epoch: 5, Time: at.Add(time.Hour),
			Trace: [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, Actor: "uid:1000 Zoë", Payload: []byte(`{"verdict":"allow"}`)},
		{Type: 0xffff, Version: 255, Seq: 3, Epoch: 5, Time: time.Unix(0, -1).UTC(), Payload: []byte{0}},
	}
}

// A segment that version 1 wrote stays readable, and stays what version 1 writes.
func TestGoldenVersion1(t *testing.T) {
	path := filepath.Join("testdata", "v1.zdj")
	b := appendHeader(nil, 1)
	for _, r := range goldenRecords() {
		b = appendRecord(b, r)
	}
	if *update {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, golden) {
		t.Errorf("the encoding is\n%swant\n%s", hex.Dump(b), hex.Dump(golden))
	}
	dir := t.TempDir()
	if err := os.WriteFile(segmentPath(dir, 1), golden, 0o600); err != nil {
		t.Fatal(err)
	}
	var got []Record
	if err := ReadDir(dir, collect(&got)); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, got, goldenRecords())
}

func TestLeaf(t *testing.T) {
	for _, r := range goldenRecords() {
		want := sha256.Sum256(append([]byte{0}, appendRecord(nil, r)...))
		if Leaf(r) != want {
			t.Errorf("record %d: leaf %x, want %x", r.Seq, Leaf(r), want)
		}
	}
	const second = "0824dda09b357405e6c29aff57cfae719c8abddf2b28e538a071eb11fffc3550"
	if leaf := Leaf(goldenRecords()[1]); hex.EncodeToString(leaf[:]) != second {
		t.Errorf("leaf %x, want %s", leaf, second)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, r := range goldenRecords() {
		f.Add(appendRecord(nil, r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, signed(b)} {
			r, n, err := decodeRecord(b)
			if err != nil {
				continue
			}
			if n > len(b) || n > maxRecord {
				t.Fatalf("%d bytes of %d", n, len(b))
			}
			if again := appendRecord(nil, r); !bytes.Equal(again, b[:n]) {
				t.Fatalf("%x decodes to %+v, which encodes to %x", b[:n], r, again)
			}
		}
	})
}

// signed gives b a right length and checksum, so that the fuzzer gets past them.
func signed(b []byte) []byte {
	if len(b) < minRecord || len(b) > maxRecord {
		return nil
	}
	b = bytes.Clone(b)
	copy(b, recordMagic)
	binary.BigEndian.PutUint32(b[4:], uint32(len(b)))
	putCRC(b[len(b)-crcSize:], b[:len(b)-crcSize])
	return b
}

func benchmarkAppend(b *testing.B, after func(*Log) error) {
	d := realDisk()
	l := open(b, b.TempDir(), Options{disk: &d})
	r := Record{Type: 1, Version: 1, Actor: "uid:0 root", Payload: make([]byte, 300)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(r); err != nil {
			b.Fatal(err)
		}
		if err := after(l); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B)     { benchmarkAppend(b, func(*Log) error { return nil }) }
func BenchmarkAppendSync(b *testing.B) { benchmarkAppend(b, (*Log).Sync) }
