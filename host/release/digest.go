package release

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Digest names a release by its content: "sha256:" and 64 lower-case
// hexadecimal digits.
type Digest string

const digestPrefix = "sha256:"

func digestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

// Short is the digest's first twelve digits, for people.
func (d Digest) Short() string {
	digits := strings.TrimPrefix(string(d), digestPrefix)
	return digestPrefix + digits[:min(12, len(digits))]
}

func (d Digest) digits() string { return strings.TrimPrefix(string(d), digestPrefix) }

// isSum reports whether s is a SHA-256 in lower-case hexadecimal digits.
func isSum(s string) bool { return len(s) == 2*sha256.Size && isDigits(s) }

func isDigits(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
