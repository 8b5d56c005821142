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

// maxRunDirGiven leaves room for the host's own directory below run_dir.
const maxRunDirGiven = MaxRunDir - 1 - 2*runDirSum

// runDirSum is how many bytes of a hash name a host's own directory.
const runDirSum = 6

// runDir returns where the sockets of the host of a state directory live, a
// directory that nobody else uses: below run_dir where that is given, else in
// the state directory, where its path is short enough, else in a short directory
// that is named after it. It looks at nothing but the user and the environment,
// so that all hosts of one keeper come to the same answer.
func runDir(given, stateDir string) string {
	sum := sha256.Sum256([]byte(stateDir))
	name := hex.EncodeToString(sum[:runDirSum])
	if given != "" {
		return filepath.Join(given, name)
	}
	if inside := filepath.Join(stateDir, "run"); len(inside) <= MaxRunDir {
		return inside
	}
	uid := os.Geteuid()
	if uid == 0 {
		return filepath.Join("/run/zdhost", name)
	}
	if base := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(base) && len(base) <= MaxRunDir-len("/zdhost/")-len(name) {
		return filepath.Join(base, "zdhost", name)
	}
	return filepath.Join("/tmp", "zdhost-"+strconv.Itoa(uid), name)
}
