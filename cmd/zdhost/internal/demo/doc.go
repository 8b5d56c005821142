// Package demo shows what zdhost is for in less than ten seconds: a service under load is upgraded, gets two
// bad releases, is rolled back and loses its host, and the clients count what they lost.
//
// It owns the play: a real `zdhost run` in a state directory of its own, a plain net/http server that
// knows nothing of zdhost (this same binary, [Serve]), clients that never retry, and the control API.
//
// It refuses to count for zdhost: a request is lost if its client says so. Forgiven are only requests
// that a candidate had accepted when it crashed on purpose, as that candidate itself counted them.
//
// Failure modes: a step that ends otherwise than it must, or a host that does not come up within
// fifteen seconds, ends the play with an error; all processes that it started are ended, and the
// state directory is removed unless something went wrong, so that its logs can be read.
package demo
