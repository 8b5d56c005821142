package adopt

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// caller reads the program behind a notification: a thread and its process.
// Everything is looked up for this one call, since numbers are reused.
type caller struct {
	tid int
	pid int
}

func newCaller(tid int) (caller, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return caller{}, err
	}
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "Tgid:"); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(v))
			return caller{tid: tid, pid: pid}, err
		}
	}
	return caller{}, fmt.Errorf("cannot tell the process of thread %d", tid)
}

// socket duplicates one of the program's descriptors into this process.
func (c caller) socket(fd int) (int, error) {
	pidfd, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open process %d: %w", c.pid, err)
	}
	defer unix.Close(pidfd)
	dup, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot look at a descriptor of process %d: %w", c.pid, err)
	}
	return dup, nil
}

// fileFlags returns the O_ flags of a descriptor, O_CLOEXEC included.
func (c caller) fileFlags(fd int) (int, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", c.tid, fd))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(info), "\n") {
		if v, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseInt(strings.TrimSpace(v), 8, 64)
			return int(flags), err
		}
	}
	return 0, fmt.Errorf("cannot tell the flags of descriptor %d of process %d", fd, c.pid)
}

// read copies n bytes at addr. Memory that ends sooner gives fewer.
func (c caller) read(addr uint64, n int) ([]byte, error) {
	buf := make([]byte, n)
	local := []unix.Iovec{{Base: &buf[0]}}
	local[0].SetLen(n)
	got, err := unix.ProcessVMReadv(c.tid, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: n}}, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read memory of process %d: %w", c.pid, err)
	}
	return buf[:got], nil
}

// text reads a NUL-terminated string, page by page, so that one that ends just
// before unmapped memory is read too.
func (c caller) text(addr uint64) (string, error) {
	const page = 4096
	var s []byte
	for len(s) < page {
		part, err := c.read(addr, int(page-addr%page))
		if err != nil {
			return "", err
		}
		if i := bytes.IndexByte(part, 0); i >= 0 {
			return string(append(s, part[:i]...)), nil
		}
		s = append(s, part...)
		addr += uint64(len(part))
	}
	return "", unix.ENAMETOOLONG
}

// path makes a path of the program absolute and resolves nothing: the program may
// choose a directory whose server never answers. dirfd is a descriptor of the
// program or AT_FDCWD. Roots other than ours are not followed: such a path
// matches no listener.
func (c caller) path(p string, dirfd int) string {
	if !filepath.IsAbs(p) {
		link := fmt.Sprintf("/proc/%d/cwd", c.tid)
		if dirfd != unix.AT_FDCWD {
			link = fmt.Sprintf("/proc/%d/fd/%d", c.tid, dirfd)
		}
		base, err := os.Readlink(link)
		if err != nil {
			return ""
		}
		p = filepath.Join(base, p)
	}
	return filepath.Clean(p)
}

// Canonical resolves the links of the path's directory, not of its last element,
// which may not exist. It may wait for whatever is mounted there.
func Canonical(p string) string {
	p = filepath.Clean(p)
	if dir, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil {
		return filepath.Join(dir, filepath.Base(p))
	}
	return p
}

// sameFamily reports whether an address is of the socket's own family.
func sameFamily(family int, raw []byte) bool {
	return int(binary.NativeEndian.Uint16(raw)) == family
}

// parseSockaddr reads the address of a bind. The zero value and no error stand
// for a family that is not ours.
func parseSockaddr(raw []byte, unixPath func(string) string) (netip.AddrPort, string, error) {
	if len(raw) < 2 {
		return netip.AddrPort{}, "", unix.EINVAL
	}
	switch binary.NativeEndian.Uint16(raw) {
	case unix.AF_INET:
		if len(raw) < unix.SizeofSockaddrInet4 {
			return netip.AddrPort{}, "", unix.EINVAL
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:8])), binary.BigEndian.Uint16(raw[2:])), "", nil
	case unix.AF_INET6:
		if len(raw) < 24 { // SIN6_LEN_RFC2133: the scope may be left out
			return netip.AddrPort{}, "", unix.EINVAL
		}
		ip := netip.AddrFrom16([16]byte(raw[8:24]))
		if scoped(ip) && len(raw) >= unix.SizeofSockaddrInet6 {
			if scope := binary.NativeEndian.Uint32(raw[24:28]); scope != 0 {
				ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
			}
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(raw[2:])), "", nil
	case unix.AF_UNIX:
		name := raw[2:]
		if len(name) == 0 || name[0] == 0 {
			return netip.AddrPort{}, "", nil // unnamed or abstract
		}
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		return netip.AddrPort{}, unixPath(string(name)), nil
	}
	return netip.AddrPort{}, "", nil
}

// scoped tells the addresses whose scope the kernel looks at.
func scoped(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsInterfaceLocalMulticast()
}
