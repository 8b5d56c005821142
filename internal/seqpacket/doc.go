// Package seqpacket carries messages with file descriptors over a Unix
// SOCK_SEQPACKET socket, for every place where two of our processes talk:
// keeper and host, keeper and launcher.
//
// It owns framing of descriptors (SCM_RIGHTS), close-on-exec and the detection
// of truncation. It refuses to lose a descriptor silently: a message that
// arrives truncated is an error, and what came with it is closed. It knows
// nothing of what the bytes mean.
package seqpacket
