// Package traffic turns weights into the steering program of a listener: a classic BPF program that the kernel
// runs for each new connection and that answers with the index of a lane.
//
// It owns the meaning of a weight (basis points, drawn by the kernel's random number or by a hash of the client's
// address), the meaning of a probe (one source address and port that reaches one lane whatever the weights are) and
// the layout of the program. It is pure: it opens no socket and attaches nothing.
//
// It refuses plans whose shares don't add up to [Whole], that name a lane twice, or that need more instructions than
// the kernel takes.
//
// What it can't promise: an index beyond the members of the group makes the kernel fall back to its own hash of the
// connection, so the caller must name only lanes that listen. Kernels before 6.7 also limit a program by
// net.core.optmem_max, 20 KiB there by default, which is reached at about 700 lanes; attaching then fails with
// ENOMEM and the program before stays in force.
package traffic
