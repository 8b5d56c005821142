// Package adopt lets a program that knows nothing of zdhost serve from a socket
// that zdhost holds.
//
// The launcher installs a seccomp filter that sends the program's bind and
// listen calls (and, for the sake of the held socket, shutdown and unlink) to a
// notification descriptor. The keeper receives each call, decides with a [Book]
// what becomes of it, and answers: it puts a lane over the program's own
// descriptor and says 0, lets the call go through, or refuses it. The program
// then accepts from the lane. No byte of a client passes through zdhost.
//
// The package owns the filter, the wire of the kernel's notification protocol,
// reading the program's memory and the copying of socket options. It refuses
// to judge: which address is whose is the Book's matter. Answers are
// idempotent, since the kernel may restart a call that a signal interrupted.
//
// It fails where the kernel is older than 5.9, where another filter of the
// program's tree already has a notification descriptor (EBUSY), and where the
// keeper may not read the program's memory (Yama's ptrace_scope, a process that
// is not dumpable). The calls then go through untouched, and the failure is
// reported by the Book.
package adopt
