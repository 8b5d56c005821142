// Package workload is the wire of the workload API: what a program and the host say to each other, and how
// connections travel from one program to the next.
//
// The API is a unix socket of type SOCK_SEQPACKET whose path is in ZDHOST_SOCKET. One message is one JSON object of
// at most [MaxMessage] bytes; descriptors travel by SCM_RIGHTS on the message that names them. The program speaks
// first:
//
//	program → host   hello {v, pid, lib, moves, ready, phase, epoch}
//	                 lanes {}                                  in a service that adopts: asks for its lanes
//	                 ready {}
//	                 stats {requests, active, …}               at most every 250 ms, while they change
//	                 quiesced {epoch, moved, kept, …stats}     the ask is done; what is busy moves when it is idle
//	                 resumed {epoch, …stats}                   keeps its connections again
//	                 drained {epoch, cut, …stats}              the program ends now
//	host → program   welcome {v, service, generation, instance}        descriptor (optional): receive end of the inbox
//	                 lanes {names, addresses}                          one descriptor a name
//	                 quiesce {epoch, successor}                        descriptor with successor: send end of an inbox
//	                 drain {epoch, deadline_ms, window_ms, successor}  the same
//	                 resume {epoch}
//	program → program, through an inbox
//	                 move {v, listener, requests}                      one descriptor: the connection
//
// An inbox belongs to a generation and is shared by its instances. A program takes what arrives in its inbox and on its
// lanes until it drains; one that is quiesced moves it on at once. So whoever goes back from one generation to the other
// waits for the first one's resumed before it quiesces the second: else connections could go round in a circle. A
// quiesce that reaches a draining program only changes its successor.
//
// A drain that names no successor means that there is none, whatever a quiesce or drain before it said: the program
// keeps its connections, tells them, and reads its inbox until the last one is gone. A signal changes no successor; a
// program without one leaves its inbox to its siblings then.
//
// The connection to the host may break at any time;
// a program dials again and says hello with the epoch and the phase that it has reached.
//
// The package owns the messages and the carrying of them. It refuses messages that are too long, that were truncated
// or that lost descriptors on the way; it ignores fields that it doesn't know. What an unknown type means is the
// receiver's matter: ignore it and close what came with it.
package workload
