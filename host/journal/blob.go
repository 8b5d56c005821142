package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MaxBlob is the largest blob, in bytes.
const MaxBlob = 64 << 20

// Digest names a blob by its content: "sha256:" and 64 lower-case hexadecimal digits.
type Digest string

const digestPrefix = "sha256:"

func digestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

// PutBlob stores b and returns its digest. When it returns nil the blob is
// durable, so that a record may refer to it. Storing the same bytes again is
// cheap, and replaces a copy that was damaged.
func (l *Log) PutBlob(b []byte) (Digest, error) {
	if len(b) > MaxBlob {
		return "", fmt.Errorf("cannot store blob: its %d bytes are over the limit of %d", len(b), MaxBlob)
	}
	if err := l.Err(); err != nil {
		return "", err
	}
	digest := digestOf(b)
	path, _ := l.blobPath(digest)
	if _, err := l.Blob(digest); err == nil {
		// A crash may have come between its rename and the directory's fsync.
		if err := l.disk.syncDir(filepath.Dir(path)); err != nil {
			return "", l.fail(&syncError{filepath.Dir(path), err})
		}
		return digest, nil
	}
	if err := l.disk.placeFile(path, b); err != nil {
		return "", l.failOnSync(fmt.Errorf("cannot store blob %s: %w", digest, err))
	}
	return digest, nil
}

// Blob returns the bytes that PutBlob was given. The error wraps
// fs.ErrNotExist if there is no such blob; bytes that don't match the digest
// are never returned.
func (l *Log) Blob(digest Digest) ([]byte, error) {
	path, err := l.blobPath(digest)
	if err != nil {
		return nil, fmt.Errorf("cannot read blob %q: %w", digest, err)
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read blob %s: %w", digest, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read blob: %w", err)
	}
	if digestOf(b) != digest {
		return nil, fmt.Errorf("cannot read blob %s: %s is damaged", digest, path)
	}
	return b, nil
}

func (l *Log) blobPath(digest Digest) (string, error) {
	digits, ok := strings.CutPrefix(string(digest), digestPrefix)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size || digits != strings.ToLower(digits) {
		return "", errors.New("it is not a digest: sha256: and 64 hexadecimal digits are")
	}
	return filepath.Join(blobDir(l.dir), digits), nil
}

func blobDir(dir string) string { return filepath.Join(dir, "blobs") }
