package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func mkfifo(path string) error { return unix.Mkfifo(path, 0o644) }

func mksocket(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o644, 0) }

// before returns a disk that calls fn before each step, and doesn't take the
// step if fn returns an error.
func before(fn func() error) disk {
	real, d := realDisk(), realDisk()
	d.mkdir = func(r *os.Root, p string) error { return orElse(fn(), func() error { return real.mkdir(r, p) }) }
	d.create = func(r *os.Root, p string) (f *os.File, err error) {
		err = orElse(fn(), func() error { f, err = real.create(r, p); return err })
		return f, err
	}
	d.write = func(f *os.File, b []byte) (int, error) {
		if err := fn(); err != nil { // a short write
			n, _ := f.Write(b[:len(b)/2])
			return n, err
		}
		return f.Write(b)
	}
	d.symlink = func(r *os.Root, to, p string) error {
		return orElse(fn(), func() error { return real.symlink(r, to, p) })
	}
	d.chmod = func(r *os.Root, p string, m os.FileMode) error {
		return orElse(fn(), func() error { return real.chmod(r, p, m) })
	}
	d.sync = func(f *os.File) error { return orElse(fn(), func() error { return real.sync(f) }) }
	d.syncAll = func(dir string) error { return orElse(fn(), func() error { return real.syncAll(dir) }) }
	d.rename = func(a, b string) error { return orElse(fn(), func() error { return real.rename(a, b) }) }
	d.exchange = func(a, b string) error { return orElse(fn(), func() error { return real.exchange(a, b) }) }
	return d
}

func orElse(err error, fn func() error) error {
	if err != nil {
		return err
	}
	return fn()
}

// failingAt fails at the n-th step, counted from 0.
func failingAt(n int) disk {
	return before(func() error {
		if n--; n == -1 {
			return unix.ENOSPC
		}
		return nil
	})
}

func TestImportThatFailsAtEachStep(t *testing.T) {
	src := tree(t, sampleFiles())
	packed := packTo(t, src)
	many := map[string]string{}
	for i := range manyFiles {
		many[fmt.Sprintf("d%d/f%d", i%3, i)] = "x"
	}
	for name, path := range map[string]string{"directory": src, "packed": packed, "many files": tree(t, many), "command": ""} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			run := func() error {
				var err error
				if path == "" {
					_, err = s.ImportCommand(t.Context(), []string{"sh", "a-b"}, src)
				} else {
					_, err = s.Import(t.Context(), path, nil)
				}
				return err
			}
			stride, failures := 1, 0
			if name == "many files" {
				stride = 97
			}
			for n := 0; ; n += stride {
				s.disk = failingAt(n)
				err := run()
				if err == nil {
					break
				}
				failures++
				if !errors.Is(err, unix.ENOSPC) {
					t.Fatalf("step %d: %v", n, err)
				}
				wantWholeOrNothing(t, s)
			}
			if failures < 4 {
				t.Fatalf("only %d steps failed", failures)
			}
			wantWholeOrNothing(t, s)
			if all, _ := s.List(); len(all) != 1 {
				t.Fatalf("%d releases", len(all))
			}
		})
	}
}

// Failures while a release that is there already is imported again, or put right.
func TestImportAgainThatFailsAtEachStep(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		s, src := openStore(t), tree(t, sampleFiles())
		r := mustImport(t, s, src)
		if damaged {
			writable(t, r.Dir)
			must(t, os.WriteFile(filepath.Join(r.Dir, "a-b"), []byte("9"), 0))
		}
		for n := 0; ; n++ {
			s.disk = failingAt(n)
			_, err := s.Import(t.Context(), src, nil)
			if err == nil {
				break
			}
			if _, err := s.Get(string(r.Digest)); err != nil {
				t.Fatalf("step %d: the release is gone: %v", n, err)
			}
		}
		wantWholeOrNothing(t, s)
	}
}

func wantWholeOrNothing(t testing.TB, s *Store) {
	t.Helper()
	all, err := s.List()
	must(t, err)
	for _, r := range all {
		must(t, s.Verify(t.Context(), r.Digest))
	}
	if left, _ := os.ReadDir(s.tmp()); len(left) > 0 {
		t.Fatalf("left in tmp: %v", left)
	}
}

// The test binary plays the importer that dies.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RELEASE_TEST_STORE"); dir != "" {
		importAndDie(dir)
	}
	os.Exit(m.Run())
}

func importAndDie(dir string) {
	n, _ := strconv.Atoi(os.Getenv("RELEASE_TEST_STEP"))
	s, err := Open(dir)
	if err != nil {
		os.Exit(2)
	}
	s.disk = before(func() error {
		if n--; n == -1 {
			unix.Kill(os.Getpid(), unix.SIGKILL)
		}
		return nil
	})
	if _, err := s.Import(context.Background(), os.Getenv("RELEASE_TEST_SOURCE"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

func TestImportThatIsKilledAtEachStep(t *testing.T) {
	s, src := openStore(t), tree(t, sampleFiles())
	killed, whole := 0, 0
	for n := 0; ; n++ {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "RELEASE_TEST_STORE="+s.dir, "RELEASE_TEST_SOURCE="+src, "RELEASE_TEST_STEP="+strconv.Itoa(n))
		cmd.Stderr = os.Stderr
		err := cmd.Run()
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "killed") {
			t.Fatalf("step %d: %v", n, err)
		}
		killed++
		all, err := s.List()
		must(t, err)
		for _, r := range all {
			must(t, s.Verify(t.Context(), r.Digest))
			whole++
		}
		if _, err := s.Retain(0, 0, func(Digest) bool { return false }); err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
		wantNothing(t, s)
	}
	if killed < 20 || whole == 0 {
		t.Fatalf("killed %d times, whole %d times", killed, whole)
	}
}

// Where blocks can be shared, the hash is of what was got, not of the source.
func TestClone(t *testing.T) {
	s := openStore(t)
	clones := 0
	s.disk.clone = func(to, from *os.File) error {
		clones++
		if _, err := io.Copy(to, from); err != nil {
			return err
		}
		_, err := to.Seek(0, io.SeekStart)
		return err
	}
	s.disk.write = func(f *os.File, b []byte) (int, error) {
		if !strings.HasSuffix(f.Name(), ".json") {
			return 0, errors.New("copied, not cloned")
		}
		return f.Write(b)
	}
	r := mustImport(t, s, tree(t, sampleFiles()))
	must(t, s.Verify(t.Context(), r.Digest))
	if clones != 5 {
		t.Errorf("%d clones", clones)
	}
	other := openStore(t)
	if mustImport(t, other, tree(t, sampleFiles())).Digest != r.Digest {
		t.Error("copying gives another digest")
	}
}
