package adopt

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// x32Bit marks a system call of the x32 ABI, whose numbers mean other calls.
const x32Bit = 0x40000000

// unlinkNumbers are the system calls that remove a path.
var unlinkNumbers = []uint32{unix.SYS_UNLINK, unix.SYS_UNLINKAT}

// pathArg says which argument of an unlink call is the path and, if any, the
// directory descriptor.
func pathArg(nr int32) (path, dir int) {
	if nr == unix.SYS_UNLINK {
		return 0, -1
	}
	return 1, 0
}
