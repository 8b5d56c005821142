// Package listener holds the host's side of a listener: its address, its lanes, and the weights between them.
//
// It owns which lane has which index in the kernel's group, the steering program that is attached to the group, the
// probes that reach one lane through the public address, the wait until a lane is drained, and the recovery of a lane
// that somebody shut down. Sockets are bound elsewhere and arrive as raw descriptors; a [Lane] owns its descriptor
// from then on, and closing it closes no queue while another process holds the same socket.
//
// It refuses sockets that can't be steered (MPTCP, another address or family than the first lane's), shares that
// don't add up, weights on a unix or datagram listener (one shared lane), and draining a lane that can still be
// chosen.
//
// Failure modes. A lane that a program shut down leaves the group and the last lane takes its index, so weights
// point at the wrong lanes: everything that steers then answers [ErrLaneLost] until [Listener.Repair] was called.
// After the death of every holder but the instances the indices are unknown: everything answers [ErrUnlocated]
// until [Listener.Locate] has found them out. A failed change of weights leaves the program before in force.
//
// All methods may be called from any goroutine, with two exceptions: AddLane, Restore, Locate and Repair belong to
// one owner, and Close comes after everything else has returned. One mutex orders the changes of the program; it is
// held over setsockopt calls (50 µs), never while connecting or waiting.
package listener
