package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// entry is a file as it was found in a directory; its SHA256 is not known yet.
type entry struct {
	File
	mark mark
}

// mark changes whenever the file or its content does.
type mark struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

func markOf(info fs.FileInfo) mark {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return mark{size: info.Size()}
	}
	return mark{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}
}

// scan lists what the directory holds, sorted by path, and checks that it can
// be a release. It never leaves root.
func scan(ctx context.Context, root *os.Root) ([]entry, error) {
	var found []entry
	children := map[string]int{} // of each directory
	err := fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if name == "." {
			return nil
		}
		children[parent(name)]++
		e, err := newEntry(root, name)
		if err != nil {
			return err
		}
		if found = append(found, e); len(found) > MaxFiles {
			return fmt.Errorf("it has more than %d files", MaxFiles)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e entry) bool { return e.Mode == ModeDir && children[e.Path] > 0 })
	slices.SortFunc(found, func(a, b entry) int { return strings.Compare(a.Path, b.Path) })
	m := Manifest{Version: ManifestVersion, Kind: KindDirectory}
	for _, e := range found {
		if !e.Mode.IsDir() && e.Mode != ModeLink {
			e.SHA256 = unknownSum
		}
		m.Files = append(m.Files, e.File)
	}
	return found, m.check()
}

// unknownSum stands for a content that isn't hashed yet when a list of files is checked.
var unknownSum = strings.Repeat("0", 2*sha256.Size)

func newEntry(root *os.Root, name string) (entry, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return entry{}, err
	}
	e := entry{File: File{Path: name}, mark: markOf(info)}
	switch {
	case info.Mode().IsDir():
		e.Mode, e.mark = ModeDir, mark{}
	case info.Mode()&fs.ModeSymlink != 0:
		e.Mode = ModeLink
		e.Link, err = root.Readlink(name)
	case !info.Mode().IsRegular():
		err = &EntryError{name, "is a " + kindName(info.Mode()) + "; a release holds files, directories and links"}
	case info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		err = &EntryError{name, "is set-user-id or set-group-id; a release can't hold that (chmod ug-s)"}
	default:
		e.Mode, e.Size = modeOf(info), info.Size()
	}
	return e, err
}

func modeOf(info fs.FileInfo) fs.FileMode {
	if info.Mode()&0o100 != 0 {
		return ModeProgram
	}
	return ModeFile
}

func kindName(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return "."
}

// lookAgain returns a *ChangedError unless root still holds what was found.
func lookAgain(ctx context.Context, root *os.Root, found []entry) error {
	now, err := scan(ctx, root)
	if err != nil {
		return err
	}
	for i := range max(len(found), len(now)) {
		switch {
		case i == len(now):
			return &ChangedError{found[i].Path}
		case i == len(found) || now[i] != found[i]:
			return &ChangedError{now[i].Path}
		}
	}
	return nil
}

// openEntry opens the file that was found, or fails if it isn't that any more.
func openEntry(root *os.Root, e entry) (*os.File, error) {
	f, err := root.OpenFile(e.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if now, lookErr := root.Lstat(e.Path); lookErr != nil || markOf(now) != e.mark {
			err = &ChangedError{e.Path}
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && markOf(info) != e.mark {
		err = &ChangedError{e.Path}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// pour copies size bytes from r to w, hashing them, and returns their SHA-256.
// A source that holds more or less is a *ChangedError.
func pour(ctx context.Context, w io.Writer, r io.Reader, name string, size int64, poured func(n int64)) (string, error) {
	h := sha256.New()
	buf := make([]byte, 256<<10)
	total := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := r.Read(buf)
		if total += int64(n); total > size {
			return "", &ChangedError{name}
		}
		h.Write(buf[:n])
		if _, err := w.Write(buf[:n]); err != nil {
			return "", err
		}
		poured(int64(n))
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("cannot read %q: %w", name, bare(err))
		}
	}
	if total != size {
		return "", &ChangedError{name}
	}
	return sum(h), nil
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// hashTree returns the manifest of the directory; nothing is copied.
func hashTree(ctx context.Context, root *os.Root) (Manifest, []entry, error) {
	found, err := scan(ctx, root)
	if err != nil {
		return Manifest{}, nil, err
	}
	m := Manifest{Version: ManifestVersion, Kind: KindDirectory}
	for _, e := range found {
		f := e.File
		if f.SHA256, err = hashEntry(ctx, root, e); err != nil {
			return Manifest{}, nil, err
		}
		m.Files = append(m.Files, f)
	}
	return m, found, lookAgain(ctx, root, found)
}

// hashEntry returns the SHA-256 of the file's content; "" if it isn't a file.
func hashEntry(ctx context.Context, root *os.Root, e entry) (string, error) {
	if e.Mode&fs.ModeType != 0 {
		return "", nil
	}
	f, err := openEntry(root, e)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return pour(ctx, io.Discard, f, e.Path, e.Size, func(int64) {})
}
