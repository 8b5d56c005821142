package release

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// Pack writes the directory dir to w as a packed release and returns the digest
// that importing either gives. A file that changes meanwhile is a
// *ChangedError; what was written to w is then of no use.
func Pack(ctx context.Context, dir string, w io.Writer) (Digest, error) {
	digest, err := pack(ctx, dir, w)
	if err != nil {
		return "", describe("pack", dir, err)
	}
	return digest, nil
}

func pack(ctx context.Context, dir string, w io.Writer) (Digest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", bare(err)
	}
	defer root.Close()
	m, found, err := hashTree(ctx, root)
	if err != nil {
		return "", err
	}
	encoded, err := m.Encode()
	if err != nil {
		return "", err
	}
	zw := gzip.NewWriter(w)
	tw := tar.NewWriter(zw)
	if err := writeHeader(tw, File{Path: manifestName, Mode: ModeFile, Size: int64(len(encoded))}); err != nil {
		return "", err
	}
	if _, err := tw.Write(encoded); err != nil {
		return "", err
	}
	for i, e := range found {
		e.SHA256 = m.Files[i].SHA256
		if err := packEntry(ctx, tw, root, e); err != nil {
			return "", err
		}
	}
	if err := lookAgain(ctx, root, found); err != nil {
		return "", err
	}
	return digestOf(encoded), errors.Join(tw.Close(), zw.Close())
}

func packEntry(ctx context.Context, tw *tar.Writer, root *os.Root, e entry) error {
	named := e.File
	named.Path = path.Join(treeName, e.Path)
	if err := writeHeader(tw, named); err != nil || e.Mode&fs.ModeType != 0 {
		return err
	}
	f, err := openEntry(root, e)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := pour(ctx, tw, f, e.Path, e.Size, func(int64) {})
	if err == nil && sum != e.SHA256 {
		err = &ChangedError{e.Path}
	}
	return err
}

// writeHeader writes nothing that depends on who packs, when, or where.
func writeHeader(tw *tar.Writer, f File) error {
	h := &tar.Header{Name: f.Path, Mode: int64(f.Mode.Perm()), Size: f.Size, Linkname: f.Link,
		ModTime: time.Unix(0, 0), Format: tar.FormatPAX, Typeflag: typeflag(f.Mode)}
	if f.Mode == ModeDir {
		h.Name += "/"
	}
	return tw.WriteHeader(h)
}

func typeflag(m fs.FileMode) byte {
	switch m {
	case ModeDir:
		return tar.TypeDir
	case ModeLink:
		return tar.TypeSymlink
	}
	return tar.TypeReg
}
