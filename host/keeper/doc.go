// Package keeper is the process that outlives every version of everything: it
// holds every descriptor and every child, starts and restarts the host, and does
// nothing else.
//
// It knows four things: named descriptors (bind, stash, fetch, drop); which
// descriptor answers for an address in which program (rules, package adopt);
// children (spawn, their binds and listens, signals, exit status, output); and
// which host is active. It knows nothing of services, releases, weights or
// rollouts: those are the host's, which may die at any moment and finds all that
// the keeper holds in the answer to its hello.
//
// The protocol between the two is versioned JSON in frames over a SOCK_SEQPACKET
// pair with SCM_RIGHTS (wire.go, protocol.go). A keeper serves hosts of its own
// version and of the one before. A host that doesn't read is cut off and started
// again; a keeper never waits for a host.
//
// Instances are started through a launcher ([Launch]), the same binary, which
// sets limits, user and directory, installs the adoption filter, and becomes the
// program. Their output goes into FIFOs that are open at both ends, which the
// keeper drains into files in the CRI log format; while the disk takes nothing
// it keeps the newest lines in memory and counts the rest. The loop waits for no
// file system: neither for the disk of the logs, nor for what a program names.
//
// The package imports the standard library, golang.org/x/sys and package adopt,
// beside the leaf that carries its messages, and nothing else of ours.
//
// What fails how:
//   - the host dies or hangs: it is started again with backoff; nothing else
//     changes. Before any host has served, its end is the keeper's, with its code.
//   - SIGTERM: the host stops everything in order; without one the keeper sends
//     SIGTERM itself and SIGKILL after ten seconds. A second SIGTERM hurries; a
//     host that has not ended everything ten seconds later is done without.
//   - the log's disk hangs: an exit is told after two seconds all the same.
//   - the keeper is killed: its children live on, and binds of theirs wait or fail
//     (facts of package adopt).
package keeper
