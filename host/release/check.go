package release

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// check says why m is no valid manifest, or nil.
func (m Manifest) check() error {
	for _, text := range slices.Concat(m.Command, []string{m.Dir}, slices.Collect(maps.Keys(m.Labels)), slices.Collect(maps.Values(m.Labels))) {
		if err := checkText(text); err != nil {
			return &EntryError{text, err.Error()}
		}
	}
	if len(m.Files) > MaxFiles {
		return fmt.Errorf("it has %d files, at most %d are allowed", len(m.Files), MaxFiles)
	}
	if err := m.checkSizes(); err != nil {
		return err
	}
	switch m.Kind {
	case KindDirectory:
		return m.checkDirectory()
	case KindCommand:
		return m.checkCommand()
	}
	return fmt.Errorf("its kind is %q; %s and %s are known", m.Kind, KindDirectory, KindCommand)
}

func (m Manifest) checkSizes() error {
	left := int64(MaxBytes)
	for _, f := range m.Files {
		if f.Size < 0 {
			return &EntryError{f.Path, "has a negative size"}
		}
		if left -= min(f.Size, math.MaxInt64/2); left < 0 {
			return fmt.Errorf("it is larger than %d GiB, the limit", MaxBytes>>30)
		}
	}
	return nil
}

func (m Manifest) checkCommand() error {
	if len(m.Command) == 0 || !filepath.IsAbs(m.Dir) || len(m.Files) == 0 {
		return errors.New("it is a command without a program or a directory")
	}
	for _, f := range m.Files {
		if err := checkText(f.Path); err != nil {
			return &EntryError{f.Path, err.Error()}
		}
		if !filepath.IsAbs(f.Path) || f.Mode&fs.ModeType != 0 {
			return &EntryError{f.Path, "is not the absolute path of a file"}
		}
		if err := f.checkKind(); err != nil {
			return err
		}
	}
	return nil
}

func (m Manifest) checkDirectory() error {
	if len(m.Command) > 0 || m.Dir != "" {
		return errors.New("it is a directory and a command at once")
	}
	if len(m.Files) == 0 {
		return errors.New("it is empty")
	}
	entries := make(map[string]*File, len(m.Files))
	for i := range m.Files {
		f := &m.Files[i]
		if i > 0 && m.Files[i-1].Path >= f.Path {
			return &EntryError{f.Path, "is out of order"}
		}
		if err := f.checkEntry(); err != nil {
			return err
		}
		entries[f.Path] = f
	}
	for i := range m.Files {
		f := &m.Files[i]
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if entries[dir] != nil {
				return &EntryError{f.Path, fmt.Sprintf("lies below %q, which is listed as something of its own", dir)}
			}
		}
		if f.Mode == ModeLink {
			if err := checkLink(entries, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) checkEntry() error {
	if err := checkText(f.Path); err != nil {
		return &EntryError{f.Path, err.Error()}
	}
	if !fs.ValidPath(f.Path) || f.Path == "." {
		return &EntryError{f.Path, "is not a path inside the release"}
	}
	if len(f.Path) > MaxPath || len(f.Link) > MaxPath {
		return &EntryError{f.Path, fmt.Sprintf("has a path or a target of more than %d bytes", MaxPath)}
	}
	return f.checkKind()
}

func (f *File) checkKind() error {
	switch f.Mode {
	case ModeFile, ModeProgram:
		if !isSum(f.SHA256) || f.Link != "" {
			return &EntryError{f.Path, "has no valid SHA-256"}
		}
	case ModeDir, ModeLink:
		if f.SHA256 != "" || f.Size != 0 || (f.Link != "") != (f.Mode == ModeLink) {
			return &EntryError{f.Path, "is listed with what its kind doesn't have"}
		}
	default:
		return &EntryError{f.Path, "has a mode that releases don't have"}
	}
	return nil
}

// checkText refuses what JSON or the kernel can't carry unchanged.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("is not valid UTF-8")
	}
	if strings.ContainsRune(s, 0) {
		return errors.New("contains a NUL byte")
	}
	return nil
}

// checkLink follows the link as the kernel would and refuses it if any step
// leads out of the tree. A link to nothing is allowed.
func checkLink(entries map[string]*File, f *File) error {
	if err := checkText(f.Link); err != nil {
		return &EntryError{f.Path, "links to a target that " + err.Error()}
	}
	outside := &EntryError{f.Path, fmt.Sprintf("links to %q, outside the release; copy the file in, or link to it relatively inside", f.Link)}
	at, ahead := parts(path.Dir(f.Path)), []string(nil)
	follow := func(target string) bool {
		ahead = append(parts(target), ahead...)
		return !path.IsAbs(target)
	}
	if !follow(f.Link) {
		return outside
	}
	for links := 1; len(ahead) > 0; {
		part := ahead[0]
		ahead = ahead[1:]
		if part == ".." {
			if len(at) == 0 {
				return outside
			}
			at = at[:len(at)-1]
			continue
		}
		next := entries[strings.Join(append(at, part), "/")]
		if next == nil || next.Mode != ModeLink {
			at = append(at, part)
			continue
		}
		if links++; links > maxLinks {
			return &EntryError{f.Path, fmt.Sprintf("leads through more than %d links", maxLinks)}
		}
		if !follow(next.Link) {
			return outside
		}
	}
	return nil
}

// parts splits a path at its slashes, without the parts that lead nowhere.
func parts(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(s string) bool { return s == "" || s == "." })
}
