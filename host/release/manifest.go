package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// Bounds of a release.
const (
	MaxFiles    = 200_000
	MaxPath     = 4096     // bytes, of a path in the tree and of a link's target
	MaxBytes    = 64 << 30 // all files together
	maxManifest = 64 << 20
	maxCommand  = 1 << 20 // bytes, all arguments together
	maxLinks    = 40      // that one path may lead through, as in the kernel
)

// ManifestVersion is the version of the manifest that this package writes.
const ManifestVersion = 1

// Kinds of releases.
const (
	KindDirectory = "directory"
	KindCommand   = "command"
)

// Modes of a File. Permissions other than the owner's execute bit are not kept.
const (
	ModeFile    = fs.FileMode(0o444)
	ModeProgram = fs.FileMode(0o555)
	ModeDir     = fs.ModeDir | 0o555     // an empty directory; others follow from the paths in them
	ModeLink    = fs.ModeSymlink | 0o777 // a symbolic link
)

// Manifest says what a release is.
type Manifest struct {
	Version int               `json:"version"`
	Kind    string            `json:"kind"`
	Command []string          `json:"command,omitempty"` // kind command: the command line
	Dir     string            `json:"dir,omitempty"`     // kind command: the working directory, absolute
	Files   []File            `json:"files"`             // kind directory: sorted by path; kind command: the program, then the files that arguments name
	Labels  map[string]string `json:"labels,omitempty"`
}

// File is one entry of a release.
type File struct {
	Path   string      // slash-separated and relative to the tree; absolute in a command
	Mode   fs.FileMode // ModeFile, ModeProgram, ModeDir or ModeLink
	Size   int64       // bytes
	SHA256 string      // of the content, in hexadecimal digits; "" for directories and links
	Link   string      // a link's target: relative, and inside the tree
}

type fileJSON struct {
	Path   string `json:"path"`
	Mode   string `json:"mode"` // "0444", "0555", "dir" or "link"
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Link   string `json:"link,omitempty"`
}

var modeNames = map[fs.FileMode]string{ModeFile: "0444", ModeProgram: "0555", ModeDir: "dir", ModeLink: "link"}

// MarshalJSON writes the mode as it is written in manifests.
func (f File) MarshalJSON() ([]byte, error) {
	return encode(fileJSON{f.Path, modeNames[f.Mode], f.Size, f.SHA256, f.Link})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *File) UnmarshalJSON(b []byte) error {
	var in fileJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	for mode, name := range modeNames {
		if name == in.Mode {
			*f = File{in.Path, mode, in.Size, in.SHA256, in.Link}
			return nil
		}
	}
	return &EntryError{in.Path, fmt.Sprintf("has the unknown mode %q", in.Mode)}
}

// Encode returns the canonical JSON, whose SHA-256 is the release's digest: no
// spaces, keys in the order of the struct, labels sorted, one newline at the end.
func (m Manifest) Encode() ([]byte, error) {
	if m.Files == nil {
		m.Files = []File{}
	}
	b, err := encode(m)
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("its manifest has %d bytes, at most %d are allowed: its paths are too long", len(b), maxManifest)
	}
	return b, err
}

// Digest returns the digest of the release that m describes.
func (m Manifest) Digest() (Digest, error) {
	b, err := m.Encode()
	if err != nil {
		return "", err
	}
	return digestOf(b), nil
}

// Size is the number of bytes in all files.
func (m Manifest) Size() (total int64) {
	for _, f := range m.Files {
		total += f.Size
	}
	return total
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// parseManifest reads a manifest and checks it. Only canonical JSON is taken.
func parseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return Manifest{}, fmt.Errorf("its manifest is not valid: %w", err)
	}
	if m.Version != ManifestVersion {
		return Manifest{}, fmt.Errorf("its manifest has version %d, this program reads version %d", m.Version, ManifestVersion)
	}
	if err := m.check(); err != nil {
		return Manifest{}, err
	}
	if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
		return Manifest{}, errors.New("its manifest is not canonical, or has fields that this program doesn't know")
	}
	return m, nil
}
