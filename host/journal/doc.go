// Package journal is the host's memory: one append-only log of records, and a
// content-addressed store for what is too large or too secret to stand in one.
//
// It owns one directory (mode 0700, files 0600):
//
//	lock                      held (flock) by the one writer; contains its PID
//	epoch                     how often the log was opened for writing
//	00000000000000000001.zdj  a segment, named after its first sequence number
//	blobs/<sha256>            blobs
//
// # What is durable when
//
// Append hands the record to the kernel before it returns, so the record
// survives the death of the process (kill -9 too). It survives a power loss
// only after Sync. Blobs, new segments and the epoch are fsynced at once.
//
// # Format, version 1
//
// All integers are big-endian. A segment begins with 24 bytes:
//
//	 0  8  "zdjournl"
//	 8  2  format version, 1
//	10  2  zero
//	12  8  sequence number of the segment's first record
//	20  4  CRC32C (Castagnoli) of bytes 0 to 19
//
// and goes on with records, without gaps or padding:
//
//	 0   4  "zdjr"
//	 4   4  length of the whole record, from the magic to the CRC
//	 8   2  type
//	10   1  version of the type
//	11   1  flags: bit 0 = required; the others are zero
//	12   8  sequence number: one more than the record before
//	20   8  host epoch
//	28   8  time, nanoseconds since 1970-01-01 UTC, signed
//	36  16  W3C trace id, all zero if there is none
//	52   2  length of the actor, at most 256
//	54   a  actor
//	     p  payload, at most 1 MiB: what is left of the length
//	     4  CRC32C of everything before it in the record
//
// A record has exactly one encoding. Its leaf is SHA-256(0x00 ‖ record), CRC
// included, so that a Merkle tree (RFC 6962) can be laid over the log. The file
// epoch is one line: the number, a space, and the CRC32C of the number's digits
// in eight hexadecimal digits.
//
// # What it refuses, and how it fails
//
//   - A second writer: *LockedError with the holder's PID.
//   - A torn tail (the last record incomplete or its checksum wrong, and no
//     valid record after it) is cut; Recovery says what was cut and why. Damage
//     to the very last record can't be told from a torn write and is cut too.
//   - Damage before the tail, a missing segment: the log opens read-only, Err
//     wraps a *DamageError, and what stands before the damage can be read.
//   - A required record of an unknown type: the log opens read-only, Err wraps
//     an *UnknownError. A record that is not required and unknown is delivered.
//   - A failed fsync, of any file, makes the log read-only for as long as it is
//     open: the kernel may have dropped the pages, so a second fsync that
//     succeeds proves nothing.
//   - A full disk: Append returns the error and takes away what it wrote of the
//     record; a later Append may succeed. If it can't be taken away, the log is
//     read-only, and the next Open cuts it as a torn tail.
//
// Open reads and checks every segment. Retention, not snapshots, removes
// segments, and only whole ones from the old end. The host calls Retain once it
// has snapshots: without one, its state is a fold over every record there is.
package journal
