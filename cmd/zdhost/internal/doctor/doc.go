// Package doctor finds out what this machine lets zdhost do, by trying it.
//
// It owns the list of checks, what each one means when it fails, and the probes that have to run in
// a process of their own ([Probe]), because a system call filter can't be taken off again.
//
// It refuses to change anything: no sysctl, no file left behind, sockets on loopback only and closed
// again.
//
// Failure modes: a probe that hangs is killed after five seconds and counts as missing; something
// that can't be looked at is reported as such and never as ok.
package doctor
