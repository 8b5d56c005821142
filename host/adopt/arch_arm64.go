package adopt

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// x32Bit has no meaning on this architecture: no number reaches it.
const x32Bit = 0x40000000

// unlinkNumbers are the system calls that remove a path.
var unlinkNumbers = []uint32{unix.SYS_UNLINKAT}

// pathArg says which argument of an unlink call is the path and the directory
// descriptor.
func pathArg(int32) (path, dir int) { return 1, 0 }
