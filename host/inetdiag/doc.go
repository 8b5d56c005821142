// Package inetdiag asks the kernel about sockets through sock_diag netlink and /proc, without any privilege.
//
// It owns the questions that a drain, a probe and a pool of lanes need answered: which handshakes on a port are half
// open, which connections an address has and how quiet they are, whether one very connection has been accepted, how
// full the queue of a unix socket is, and which processes hold a socket. Each question opens a netlink socket of its
// own and closes it before it returns (about 20 µs), so there is nothing to keep, close or lock, and all functions
// may be called at the same time from any goroutine.
//
// It refuses to guess: a truncated or interrupted answer is asked for again and then becomes an error, never a
// shorter list.
//
// What it can't see: sockets of another network namespace; descriptors of processes whose /proc/PID/fd the caller may
// not read ([Holders] lists them as unreadable), those of threads that left their process's descriptor table, and
// those in flight in a SCM_RIGHTS message. A dump is no snapshot: the kernel walks its tables while sockets come and
// go, so a row that changes meanwhile may be missed or, for [Connections], seen in either state.
package inetdiag
