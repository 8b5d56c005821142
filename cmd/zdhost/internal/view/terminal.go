package view

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Width returns how many cells wide the terminal behind w is, and 0 if w is none.
func Width(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil:
		return 0
	case size.Col == 0:
		return 80
	}
	return int(size.Col)
}
