// Package handlers is what the Go test servers answer, so that a server with its own listener and one under
// zdapp differ in nothing else.
//
//	GET  /                          the release's name
//	POST /                          the request's body, after logging its first line as executed
//	GET  /slow?d=10s                the release's name, after d
//	GET  /stream?parts=4&pause=1s   lines "part I/N RELEASE", with pause before each but the first
//	POST /upload                    the length of the body in bytes, after reading all of it (and logging as above)
//	GET  /ws                        a WebSocket that echoes
//	GET  /pid                       the process id
//
// Every response names the release in X-Release.
//
// It owns the answers, the execution log's descriptor, and the WebSocket sessions, which http.Server.Shutdown
// neither ends nor waits for: CloseSessions does. It refuses bodies over 16 MiB, parameters that don't parse
// (400), and sessions once CloseSessions was called (503). A POST whose execution can't be logged is answered 500
// and must count as not executed.
package handlers
