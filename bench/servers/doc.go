// Package servers is the catalogue of the test servers: small programs in the languages that people run, each
// unmodified and ignorant of zdhost (but Shop), each answering GET / with its release's name and a POST with the
// POST's body, each logging what it executes.
//
// It owns the sources, which are embedded, and how each is prepared (rendered, compiled) in a directory and
// started. It refuses to start anything: a caller gets a Command and runs it where it belongs, under the host that
// is being tested. A server whose language isn't installed is told by Missing.
//
// Failure modes: Prepare fails if a compiler does. The Go servers are built from the module's sources, so the
// caller must run inside the module.
package servers
