package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func epochPath(dir string) string { return filepath.Join(dir, "epoch") }

// readEpoch returns the epoch of the last opening, 0 if there was none. lost
// reports that there was one, but the file can't be trusted.
func readEpoch(dir string) (n uint64, lost bool, err error) {
	b, err := os.ReadFile(epochPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	digits, _, _ := strings.Cut(string(b), " ")
	n, err = strconv.ParseUint(digits, 10, 64)
	if err != nil || string(b) != formatEpoch(n) {
		return 0, true, nil
	}
	return n, false, nil
}

func formatEpoch(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	return fmt.Sprintf("%s %08x\n", digits, crc32.Checksum([]byte(digits), castagnoli))
}
