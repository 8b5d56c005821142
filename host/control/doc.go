// Package control is the host's control API: plain HTTP and JSON over a unix socket, the server that
// the host runs and the client that the command line uses. One set of Go structs describes both
// sides, so that curl sees exactly what the command line sees:
//
//	curl --unix-socket .zdhost/control.sock http://zdhost/v1/status
//
// # Endpoints
//
//	GET  /v1/status
//	GET  /v1/services/{service}/history?limit=N
//	GET  /v1/services/{service}/logs?instance=ID&tail=N&follow=true   stream
//	POST /v1/services/{service}/upgrade                               stream
//	POST /v1/services/{service}/rollback                              stream
//	POST /v1/services/{service}/restart                               stream
//	GET  /v1/services/{service}/rollout?rollout=ID                    stream
//	POST /v1/services/{service}/rollout/{pause|resume|promote|abort}
//	POST /v1/reload
//	POST /v1/stop
//
// A stream is newline-delimited JSON. Each line is an object with one key: "event" (progress),
// "line" (a log line), and as the last line "outcome", "error" or "end". A stream that ends without
// a last line broke off: the host went away, the rollout did not. [Client] then asks the next host
// to watch the same rollout.
//
// # What it owns
//
// The socket's file, its mode and its group; who may speak (the host's own user, root, and the
// control group; by SO_PEERCRED); bounds on what a request may be (1 MiB of body, 16 KiB of headers,
// 5 s for the headers, unknown fields refused); the closed set of error codes.
//
// # What it refuses
//
// It decides nothing about services: every call goes to a [Backend], with the [Actor] who asked.
// It never waits for a slow reader on the backend's behalf: progress is queued, and the oldest is
// dropped and counted.
//
// # Failure modes
//
// A client that goes away ends the call's context; the rollout goes on. A client that reads nothing
// for ten seconds is cut off. When the server's context ends, streams are cut without a last line.
// Any other end has one.
package control
