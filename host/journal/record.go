package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Limits of a record, in bytes.
const (
	MaxPayload = 1 << 20
	MaxActor   = 256
)

// Record is one entry of the log. Append assigns Seq, Epoch and Time.
type Record struct {
	Type     uint16
	Version  uint8     // of the type
	Required bool      // a reader that doesn't know the type must not write on
	Seq      uint64    // 1, 2, 3, … without gaps
	Epoch    uint64    // the host's: one more each time the log is opened
	Time     time.Time // UTC, nanoseconds
	Trace    [16]byte  // W3C trace id, or zero
	Actor    string    // who caused it; at most MaxActor bytes
	Payload  []byte    // at most MaxPayload bytes
}

const (
	fixedSize    = 54 // from the magic to the actor's length
	crcSize      = 4
	minRecord    = fixedSize + crcSize
	maxRecord    = minRecord + MaxActor + MaxPayload
	flagRequired = 1 << 0
)

var (
	recordMagic = []byte("zdjr")
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)

	// errIncomplete: the bytes end before the record does.
	errIncomplete = errors.New("the record is incomplete")

	// errFlags: the record is whole, but of a kind that this program can't read.
	errFlags = errors.New("the record has unknown flags")
)

// Leaf returns the record's leaf hash in a Merkle tree over the log:
// SHA-256(0x00 ‖ record), the record as it stands in the segment.
func Leaf(r Record) [sha256.Size]byte {
	b := make([]byte, 1, 1+minRecord+len(r.Actor)+len(r.Payload))
	return sha256.Sum256(appendRecord(b, r))
}

// fits says why the record can't be written, or nil.
func (r Record) fits() error {
	if len(r.Payload) > MaxPayload {
		return fmt.Errorf("its payload of %d bytes is over the limit of %d", len(r.Payload), MaxPayload)
	}
	if len(r.Actor) > MaxActor {
		return fmt.Errorf("its actor of %d bytes is over the limit of %d", len(r.Actor), MaxActor)
	}
	return nil
}

// appendRecord appends the record's encoding to b. The record must fit.
func appendRecord(b []byte, r Record) []byte {
	start := len(b)
	var flags byte
	if r.Required {
		flags |= flagRequired
	}
	b = append(b, recordMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(minRecord+len(r.Actor)+len(r.Payload)))
	b = binary.BigEndian.AppendUint16(b, r.Type)
	b = append(b, r.Version, flags)
	b = binary.BigEndian.AppendUint64(b, r.Seq)
	b = binary.BigEndian.AppendUint64(b, r.Epoch)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.UnixNano()))
	b = append(b, r.Trace[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Actor)))
	b = append(b, r.Actor...)
	b = append(b, r.Payload...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// decodeRecord reads the record that b begins with, and its length in bytes.
// The record's payload is a copy. The error is errIncomplete if b is too short.
func decodeRecord(b []byte) (Record, int, error) {
	if len(b) < fixedSize {
		return Record{}, 0, errIncomplete
	}
	if string(b[:4]) != string(recordMagic) {
		return Record{}, 0, errors.New("no record begins here")
	}
	length := int(binary.BigEndian.Uint32(b[4:]))
	actorLen := int(binary.BigEndian.Uint16(b[52:]))
	if length < minRecord || length > maxRecord || actorLen > MaxActor || minRecord+actorLen > length ||
		length-minRecord-actorLen > MaxPayload {
		return Record{}, 0, errors.New("the record's length is impossible")
	}
	if len(b) < length {
		return Record{}, 0, errIncomplete
	}
	b = b[:length]
	body := b[:length-crcSize]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(body):]) {
		return Record{}, 0, errors.New("the record's checksum is wrong")
	}
	if flags := b[11]; flags&^flagRequired != 0 {
		return Record{}, 0, fmt.Errorf("%w: %#02x", errFlags, flags)
	}
	r := Record{
		Type:     binary.BigEndian.Uint16(b[8:]),
		Version:  b[10],
		Required: b[11]&flagRequired != 0,
		Seq:      binary.BigEndian.Uint64(b[12:]),
		Epoch:    binary.BigEndian.Uint64(b[20:]),
		Time:     time.Unix(0, int64(binary.BigEndian.Uint64(b[28:]))).UTC(),
		Trace:    [16]byte(b[36:52]),
		Actor:    string(body[fixedSize : fixedSize+actorLen]),
	}
	if payload := body[fixedSize+actorLen:]; len(payload) > 0 {
		r.Payload = append([]byte(nil), payload...)
	}
	return r, length, nil
}
