// Package zdapp makes a Go program one that can be replaced while it serves:
//
//	package main
//
//	func main() {
//		http.HandleFunc("/", hello)
//		if err := zdapp.Run(context.Background(), &http.Server{}); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// Run takes the listening sockets that the program inherited (LISTEN_FDS), or asks the host for them (ZDHOST_SOCKET),
// or binds the server's Addr when the program runs alone. It says that it is ready (NOTIFY_SOCKET, and to the host),
// and drains without losing a request.
//
// # How a connection survives
//
// Under a host, the successor gets the connections of the process that it replaces: idle plaintext HTTP/1.1
// connections are sent to it, socket and all, and busy ones as soon as their response is out. The client keeps its
// connection and notices nothing. A connection is moved only while net/http waits for a request of which it provably
// has no byte; what the kernel has of it travels along. [Run] tests net/http for that when it starts, and moves
// nothing if this version of net/http reads differently.
//
// In the successor a moved connection waits outside net/http for its first byte. The server's IdleTimeout, or else its
// ReadTimeout, applies to that wait; ReadHeaderTimeout begins with the first byte.
//
// What can't be moved (TLS, HTTP/2, hijacked connections, and everything when there is no successor) is told, once a
// drain has begun: by "Connection: close" on the next response, by GOAWAY, or by the program's own [OnDrain] hook.
// Those that stay idle are closed, spread over the second half of the drain window. Only when nothing is left that it
// could drop is [http.Server.Shutdown] called: it closes connections whose request it has read and not answered.
//
// # What it owns
//
// The server it is given: its Serve, Shutdown and Close, and a wrapper around Handler, ConnState and ConnContext; the
// program's own are still called. The signals SIGTERM and SIGINT while Run runs. It refuses to serve where a named
// listener is missing.
//
// ConnState, ConnContext and Hijack see a connection whose NetConn method returns the *net.TCPConn or *net.UnixConn.
// For a connection that was moved away they see http.StateClosed.
//
// # Failure modes
//
// The host may be gone at any time: the program goes on, and dials again for ever. If the successor's inbox takes no
// connection for 1 s, or is broken, the connection stays here and is told when the drain comes. A process that is
// killed while connections wait in its inbox leaves them to its siblings, and so does one that may have no more
// descriptors (RLIMIT_NOFILE), until it may. When the deadline of a drain comes, what is left is cut, and Run returns
// an error that is [ErrCut].
package zdapp
