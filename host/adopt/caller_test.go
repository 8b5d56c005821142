package adopt

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inet and friends lay out socket addresses as a program passes them.
func inet4(addr string, port uint16) []byte {
	raw := make([]byte, unix.SizeofSockaddrInet4)
	binary.NativeEndian.PutUint16(raw, unix.AF_INET)
	binary.BigEndian.PutUint16(raw[2:], port)
	a := netip.MustParseAddr(addr).As4()
	copy(raw[4:], a[:])
	return raw
}

func inet6(addr string, port uint16) []byte {
	raw := make([]byte, unix.SizeofSockaddrInet6)
	binary.NativeEndian.PutUint16(raw, unix.AF_INET6)
	binary.BigEndian.PutUint16(raw[2:], port)
	a := netip.MustParseAddr(addr).As16()
	copy(raw[8:], a[:])
	return raw
}

func inScope(raw []byte, scope uint32) []byte {
	binary.NativeEndian.PutUint32(raw[24:], scope)
	return raw
}

func local(name string) []byte {
	raw := binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
	return append(raw, name...)
}

func TestParseSockaddr(t *testing.T) {
	full := strings.Repeat("p", 108) // a path may fill its field without a NUL
	cases := []struct {
		name string
		raw  []byte
		addr string
		path string
		bad  bool
	}{
		{"IPv4", inet4("127.0.0.1", 8080), "127.0.0.1:8080", "", false},
		{"IPv4, port 0", inet4("0.0.0.0", 0), "0.0.0.0:0", "", false},
		{"IPv4, longer than need be", append(inet4("10.1.2.3", 65535), make([]byte, 12)...), "10.1.2.3:65535", "", false},
		{"IPv4, short", inet4("127.0.0.1", 80)[:15], "", "", true},
		{"IPv6", inet6("2001:db8::1", 443), "[2001:db8::1]:443", "", false},
		{"IPv6, RFC 2133", inet6("::", 80)[:24], "[::]:80", "", false},
		{"IPv6, short", inet6("::", 80)[:23], "", "", true},
		{"IPv6, mapped", inet6("::ffff:127.0.0.1", 80), "[::ffff:127.0.0.1]:80", "", false},
		{"IPv6, link-local", inScope(inet6("fe80::1", 80), 3), "[fe80::1%3]:80", "", false},
		{"IPv6, link-local, RFC 2133", inScope(inet6("fe80::1", 80), 3)[:24], "[fe80::1]:80", "", false},
		{"IPv6, scope that means nothing", inScope(inet6("2001:db8::1", 80), 3), "[2001:db8::1]:80", "", false},
		{"unix", local("/run/a.sock\x00"), "", "/run/a.sock", false},
		{"unix without NUL", local("/run/a.sock"), "", "/run/a.sock", false},
		{"unix, garbage after NUL", local("/run/a.sock\x00garbage"), "", "/run/a.sock", false},
		{"unix, full", local(full), "", full, false},
		{"unix, abstract", local("\x00name"), "", "", false},
		{"unix, unnamed", local(""), "", "", false},
		{"netlink", binary.NativeEndian.AppendUint16(nil, unix.AF_NETLINK), "", "", false},
		{"one byte", []byte{2}, "", "", true},
		{"nothing", nil, "", "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			addr, path, err := parseSockaddr(c.raw, func(p string) string { return p })
			if (err != nil) != c.bad {
				t.Fatalf("error %v", err)
			}
			var want netip.AddrPort
			if c.addr != "" {
				want = netip.MustParseAddrPort(c.addr)
			}
			if addr != want || path != c.path {
				t.Errorf("%v %q, want %v %q", addr, path, want, c.path)
			}
		})
	}
}

// self is this process as if it were the program.
func self(t *testing.T) caller {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	c, err := newCaller(unix.Gettid())
	if err != nil || c.pid != os.Getpid() {
		t.Fatalf("%+v, %v", c, err)
	}
	return c
}

func TestTextAcrossPageEnds(t *testing.T) {
	c := self(t)
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Mprotect(mem[2*page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	put := func(end int, s string) uint64 { // s and its NUL end at end
		copy(mem[end-len(s)-1:], s+"\x00")
		return uint64(uintptr(unsafe.Pointer(&mem[end-len(s)-1])))
	}
	for _, c2 := range []struct {
		name string
		end  int
		text string
	}{
		{"inside a page", 100, "/run/a.sock"},
		{"ends with its page", page, "/run/b.sock"},
		{"crosses two pages", page + 6, "/run/c.sock"},
		{"NUL is the next page's first byte", page + 1, "/run/d.sock"},
		{"ends at unmapped memory", 2 * page, "/run/e.sock"},
		{"empty, at unmapped memory", 2 * page, ""},
		{"longest", 2 * page, "/" + strings.Repeat("x", 4094)},
	} {
		if got, err := c.text(put(c2.end, c2.text)); err != nil || got != c2.text {
			t.Errorf("%s: %q, %v", c2.name, got, err)
		}
	}
	copy(mem[:2*page], strings.Repeat("x", 2*page))
	if _, err := c.text(uint64(uintptr(unsafe.Pointer(&mem[0])))); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("no end: %v", err)
	}
	if _, err := c.text(uint64(uintptr(unsafe.Pointer(&mem[2*page-3])))); !errors.Is(err, unix.EFAULT) {
		t.Errorf("runs into unmapped memory: %v", err)
	}
	if got, err := c.read(uint64(uintptr(unsafe.Pointer(&mem[2*page-3]))), 8); err != nil || len(got) != 3 {
		t.Errorf("a short read: %q, %v", got, err)
	}
}

func TestPathsOfAProgram(t *testing.T) {
	c := self(t)
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(top)
	if err := errors.Join(os.Mkdir("real", 0o700), os.Symlink("real", "link"), os.Symlink("nowhere", "real/dangling")); err != nil {
		t.Fatal(err)
	}
	dir, err := unix.Open("real", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	for _, w := range []struct {
		path  string
		dirfd int
		want  string
	}{
		{"a.sock", unix.AT_FDCWD, top + "/a.sock"},
		{"./x/../a.sock", unix.AT_FDCWD, top + "/a.sock"},
		{"link/a.sock", unix.AT_FDCWD, top + "/link/a.sock"},
		{top + "/link/a.sock", unix.AT_FDCWD, top + "/link/a.sock"},
		{top + "/link/a.sock", -1, top + "/link/a.sock"},
		{"a.sock", dir, top + "/real/a.sock"},
		{"/no/such/./dir/a.sock", unix.AT_FDCWD, "/no/such/dir/a.sock"},
		{"a.sock", 9999, ""},
	} {
		if got := c.path(w.path, w.dirfd); got != w.want {
			t.Errorf("%s at %d: %q, want %q", w.path, w.dirfd, got, w.want)
		}
	}
	for path, want := range map[string]string{
		"/link/a.sock":   "/real/a.sock",
		"/link/dangling": "/real/dangling", // the last element is not followed
		"/none/a.sock":   "/none/a.sock",
	} {
		if got := Canonical(top + path); got != top+want {
			t.Errorf("%s is %q, want %q", path, got, top+want)
		}
	}
}

func TestFileFlags(t *testing.T) {
	c := self(t)
	for _, want := range []int{0, unix.O_NONBLOCK, unix.O_CLOEXEC, unix.O_NONBLOCK | unix.O_CLOEXEC} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|want, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.fileFlags(fd)
		if err != nil || got&(unix.O_NONBLOCK|unix.O_CLOEXEC) != want {
			t.Errorf("%#o, want %#o, %v", got, want, err)
		}
		_ = unix.Close(fd)
	}
	if _, err := c.fileFlags(9999); err == nil {
		t.Error("a closed descriptor has flags")
	}
}
