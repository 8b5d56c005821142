package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func packTo(t testing.TB, dir string) string {
	t.Helper()
	var b bytes.Buffer
	_, err := Pack(t.Context(), dir, &b)
	must(t, err)
	path := filepath.Join(t.TempDir(), "app.zdr")
	must(t, os.WriteFile(path, b.Bytes(), 0o644))
	return path
}

func TestPack(t *testing.T) {
	s := openStore(t)
	dir := tree(t, sampleFiles())
	dir2 := tree(t, sampleFiles())
	must(t, os.Chmod(filepath.Join(dir2, "a-b"), 0o600))
	one, two := packTo(t, dir), packTo(t, dir2)
	a, _ := os.ReadFile(one)
	b, _ := os.ReadFile(two)
	if !bytes.Equal(a, b) {
		t.Error("the same content gives other bytes")
	}
	r := mustImport(t, s, one)
	must(t, s.Verify(t.Context(), r.Digest))
	if fromDir := mustImport(t, s, dir); fromDir.Digest != r.Digest {
		t.Fatalf("packed %s, directory %s", r.Digest, fromDir.Digest)
	}
	for _, path := range []string{one, dir, r.Dir} {
		m, err := Inspect(t.Context(), path)
		must(t, err)
		if d, _ := m.Digest(); d != r.Digest {
			t.Errorf("inspect %s: %s", path, d)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	t.Cleanup(func() { removeTree(out) })
	_, err := Unpack(t.Context(), bytes.NewReader(a), out)
	must(t, err)
	must(t, compareTree(t.Context(), r.Digest, r.Manifest, out))
	if _, err := Unpack(t.Context(), bytes.NewReader(a), out); err == nil {
		t.Error("unpacked over what was there")
	}
}

// A write through a mapping need not touch the file's times.
func TestPackNoticesAWriteThroughAMapping(t *testing.T) {
	dir := tree(t, map[string]string{"a": "before"})
	f, err := os.OpenFile(filepath.Join(dir, "a"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	var mapped []byte
	must(t, withFD(f, func(fd int) (err error) {
		mapped, err = unix.Mmap(fd, 0, 6, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		return err
	}))
	defer unix.Munmap(mapped)
	mapped[0] = 'B'
	var changed *ChangedError
	_, err = Pack(t.Context(), dir, writerFunc(func(b []byte) (int, error) { // called when all is hashed
		mapped[1] = 'E'
		return len(b), nil
	}))
	if !errors.As(err, &changed) || changed.Path != "a" {
		t.Fatalf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(b []byte) (int, error) { return w(b) }

// hostile writes a packed release by hand.
func hostile(t *testing.T, m Manifest, headers ...tar.Header) string {
	t.Helper()
	encoded, err := m.Encode()
	must(t, err)
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	must(t, tw.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o444, Size: int64(len(encoded)), Typeflag: tar.TypeReg}))
	tw.Write(encoded)
	for _, h := range headers {
		must(t, tw.WriteHeader(&h))
		io.CopyN(tw, zeros{}, h.Size)
	}
	tw.Close()
	zw.Close()
	path := filepath.Join(t.TempDir(), "hostile")
	must(t, os.WriteFile(path, b.Bytes(), 0o644))
	return path
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestHostilePackedReleases(t *testing.T) {
	zeroSum := "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" // of one zero byte
	file := func(path string) File { return File{Path: path, Mode: ModeFile, Size: 1, SHA256: zeroSum} }
	of := func(files ...File) Manifest {
		return Manifest{Version: ManifestVersion, Kind: KindDirectory, Files: files}
	}
	entry := func(name string) tar.Header {
		return tar.Header{Name: name, Mode: 0o444, Size: 1, Typeflag: tar.TypeReg}
	}
	huge := file("a")
	huge.Size = MaxBytes + 1
	long := file(strings.Repeat("a/", MaxPath/2) + "bb")
	bomb := entry("tree/a")
	bomb.Size = 2 << 20
	wrong := file("a")
	wrong.SHA256 = strings.Repeat("0", 64)
	newer := of(file("a"))
	newer.Version = 2
	odd := of(file("a"))
	odd.Kind = "image"
	link := tar.Header{Name: "tree/a", Linkname: "/etc", Typeflag: tar.TypeSymlink, Mode: 0o777}
	tests := map[string]struct {
		path, want string
	}{
		"up":                     {hostile(t, of(file("../x")), entry("tree/../x")), "not a path inside"},
		"up in the tar only":     {hostile(t, of(file("a")), entry("tree/../../x")), "not what the manifest lists"},
		"absolute":               {hostile(t, of(file("/x")), entry("/x")), "not a path inside"},
		"through a link":         {hostile(t, of(File{Path: "a", Mode: ModeLink, Link: "b"}, file("a/x")), link), "lies below"},
		"link out":               {hostile(t, of(File{Path: "a", Mode: ModeLink, Link: "/etc"}), link), "outside the release"},
		"link instead of a file": {hostile(t, of(file("a")), link), "not what the manifest lists"},
		"larger than it says":    {hostile(t, of(file("a")), bomb), "not what the manifest lists"},
		"huge":                   {hostile(t, of(huge), entry("tree/a")), "larger than 64 GiB"},
		"long path":              {hostile(t, of(long), entry("tree/a")), "more than 4096 bytes"},
		"one too many":           {hostile(t, of(file("a")), entry("tree/a"), entry("tree/b")), "not in the manifest"},
		"one missing":            {hostile(t, of(file("a"), file("b")), entry("tree/a")), `"b" is in the manifest but can't be read`},
		"twice":                  {hostile(t, of(file("a"), file("a")), entry("tree/a"), entry("tree/a")), "out of order"},
		"wrong sum":              {hostile(t, of(wrong), entry("tree/a")), "another SHA-256"},
		"newer":                  {hostile(t, newer, entry("tree/a")), "version 2"},
		"another kind":           {hostile(t, odd, entry("tree/a")), `kind is "image"`},
		"setuid":                 {hostile(t, of(file("a")), tar.Header{Name: "tree/a", Mode: 0o4444, Size: 1, Typeflag: tar.TypeReg}), "not what the manifest lists"},
		"a device":               {hostile(t, of(file("a")), tar.Header{Name: "tree/a", Mode: 0o444, Typeflag: tar.TypeChar}), "not what the manifest lists"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			_, err := s.Import(t.Context(), test.path, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			wantNothing(t, s)
			if _, err := Inspect(t.Context(), test.path); err == nil {
				t.Error("inspect accepts it")
			}
		})
	}
	s := openStore(t)
	mustImport(t, s, hostile(t, of(file("a")), entry("tree/a"))) // the way of making them is right
}

// Every prefix and 200 flipped bits: an error, or the same release.
func TestDamagedPackedReleases(t *testing.T) {
	path := packTo(t, tree(t, sampleFiles()))
	whole, err := os.ReadFile(path)
	must(t, err)
	want, err := Inspect(t.Context(), path)
	must(t, err)
	digest, _ := want.Digest()
	check := func(b []byte) error {
		must(t, os.WriteFile(path, b, 0o644))
		m, err := Inspect(t.Context(), path)
		if d, _ := m.Digest(); err == nil && d != digest {
			t.Fatalf("accepted as %s", d)
		}
		return err
	}
	for n := range whole {
		if check(whole[:n]) == nil {
			t.Fatalf("the first %d of %d bytes are accepted", n, len(whole))
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		b := bytes.Clone(whole)
		bit := rng.IntN(len(b) * 8)
		b[bit/8] ^= 1 << (bit % 8)
		check(b)
	}
	bomb := hostileGzip(t)
	must(t, os.WriteFile(path, bomb, 0o644))
	if _, err := Inspect(t.Context(), path); err == nil || !strings.Contains(err.Error(), "data after its end") {
		t.Fatalf("got %v", err)
	}
}

// hostileGzip is a good release with 4 MiB of zeros after the tar's end.
func hostileGzip(t *testing.T) []byte {
	t.Helper()
	var packed, b bytes.Buffer
	_, err := Pack(t.Context(), tree(t, map[string]string{"a": "b"}), &packed)
	must(t, err)
	zr, err := gzip.NewReader(&packed)
	must(t, err)
	zw := gzip.NewWriter(&b)
	_, err = io.Copy(zw, zr)
	must(t, err)
	_, err = io.CopyN(zw, zeros{}, 4<<20)
	must(t, errors.Join(err, zw.Close()))
	return b.Bytes()
}
