package adopt

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// data is struct seccomp_data as far as the filter looks.
type data struct {
	nr   uint32
	arch uint32
	arg1 uint64
}

func (d data) word(off uint32) uint32 {
	switch off {
	case offNumber:
		return d.nr
	case offArch:
		return d.arch
	case offArg1:
		return uint32(d.arg1)
	case offArg1 + 4:
		return uint32(d.arg1 >> 32)
	}
	panic(fmt.Sprintf("the filter loads offset %d", off))
}

// simulate runs a filter as the kernel does and fails on what its checker would
// refuse.
func simulate(t *testing.T, prog []unix.SockFilter, d data) uint32 {
	t.Helper()
	var acc uint32
	for pc := 0; pc < len(prog); pc++ {
		in := prog[pc]
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = d.word(in.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			pc += jump(acc == in.K, in)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			pc += jump(acc >= in.K, in)
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		default:
			t.Fatalf("instruction %d has code %#x", pc, in.Code)
		}
	}
	t.Fatal("the filter runs past its end")
	return 0
}

func jump(yes bool, in unix.SockFilter) int {
	if yes {
		return int(in.Jt)
	}
	return int(in.Jf)
}

func TestFilter(t *testing.T) {
	const (
		pass   = unix.SECCOMP_RET_ALLOW
		notify = unix.SECCOMP_RET_USER_NOTIF
		wrong  = unix.AUDIT_ARCH_I386
	)
	cases := []struct {
		name          string
		call          data
		plain, unlink uint32 // without and with the watching of unlink
	}{
		{"bind", data{nr: unix.SYS_BIND, arch: auditArch}, notify, notify},
		{"listen", data{nr: unix.SYS_LISTEN, arch: auditArch}, notify, notify},
		{"shutdown RD", data{nr: unix.SYS_SHUTDOWN, arch: auditArch, arg1: unix.SHUT_RD}, notify, notify},
		{"shutdown WR", data{nr: unix.SYS_SHUTDOWN, arch: auditArch, arg1: unix.SHUT_WR}, pass, pass},
		{"shutdown RDWR", data{nr: unix.SYS_SHUTDOWN, arch: auditArch, arg1: unix.SHUT_RDWR}, notify, notify},
		{"shutdown RDWR, high bits set", data{nr: unix.SYS_SHUTDOWN, arch: auditArch, arg1: 7<<32 | unix.SHUT_RDWR}, notify, notify},
		{"shutdown WR, high bits set", data{nr: unix.SYS_SHUTDOWN, arch: auditArch, arg1: 7<<32 | unix.SHUT_WR}, pass, pass},
		{"shutdown nonsense", data{nr: unix.SYS_SHUTDOWN, arch: auditArch, arg1: 99}, notify, notify},
		{"accept4", data{nr: unix.SYS_ACCEPT4, arch: auditArch}, pass, pass},
		{"connect", data{nr: unix.SYS_CONNECT, arch: auditArch}, pass, pass},
		{"close", data{nr: unix.SYS_CLOSE, arch: auditArch, arg1: unix.SHUT_RDWR}, pass, pass},
		{"execve", data{nr: unix.SYS_EXECVE, arch: auditArch}, pass, pass},
		{"number 0", data{arch: auditArch}, pass, pass},
		{"number -1", data{nr: ^uint32(0), arch: auditArch}, pass, pass},
		{"bind of another architecture", data{nr: unix.SYS_BIND, arch: wrong}, pass, pass},
		{"shutdown of another architecture", data{nr: unix.SYS_SHUTDOWN, arch: wrong, arg1: unix.SHUT_RDWR}, pass, pass},
		{"bind of x32", data{nr: x32Bit | unix.SYS_BIND, arch: auditArch}, pass, pass},
		{"shutdown of x32", data{nr: x32Bit | unix.SYS_SHUTDOWN, arch: auditArch, arg1: unix.SHUT_RDWR}, pass, pass},
		{"unlinkat", data{nr: unix.SYS_UNLINKAT, arch: auditArch}, pass, notify},
	}
	for _, nr := range unlinkNumbers {
		cases = append(cases, struct {
			name          string
			call          data
			plain, unlink uint32
		}{fmt.Sprintf("unlink call %d", nr), data{nr: nr, arch: auditArch}, pass, notify})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := simulate(t, filter(Options{}), c.call); got != c.plain {
				t.Errorf("%#x, want %#x", got, c.plain)
			}
			if got := simulate(t, filter(Options{Unlink: true}), c.call); got != c.unlink {
				t.Errorf("watching unlink: %#x, want %#x", got, c.unlink)
			}
		})
	}
}
