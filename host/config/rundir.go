package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
)

// MaxRunDir is the longest run directory, in bytes: it leaves a socket's name
// 26 of the 107 that a unix socket's path may have.
const MaxRunDir = 80

// defaultRunDir returns where the sockets of the host of a state directory
// live: in it, where the path is short enough, else in a short directory that
// is named after it. It looks at nothing but the user and the environment, so
// that the host and its clients come to the same answer.
func defaultRunDir(stateDir string) string {
	if inside := filepath.Join(stateDir, "run"); len(inside) <= MaxRunDir {
		return inside
	}
	sum := sha256.Sum256([]byte(stateDir))
	name := hex.EncodeToString(sum[:6])
	uid := os.Geteuid()
	if uid == 0 {
		return filepath.Join("/run/zdhost", name)
	}
	if base := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(base) && len(base) <= MaxRunDir-len("/zdhost/")-len(name) {
		return filepath.Join(base, "zdhost", name)
	}
	return filepath.Join("/tmp", "zdhost-"+strconv.Itoa(uid), name)
}
