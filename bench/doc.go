// Package bench explains how zdhost measures what an upgrade costs its clients. The parts:
//
//	load      the load generator, a library: raw connections that never retry, and a checker of executions
//	loadgen   the same by hand
//	servers   the catalogue of test servers: Go, Python, node, nginx, gunicorn, the JDK, zdapp, and bad candidates
//
// # Method
//
// Traffic runs while the thing under test happens: an upgrade, a reload, a crash, a rollback. Clients write HTTP by
// hand, ask each request once and follow nothing, since a library that retries a GET hides the very loss that is
// looked for. Every failure that a client would see counts, a hung request as well as a refused one, and zero is the
// only pass. Zero failures in N events mean, by the rule of three and with 95 % confidence, fewer than 3/N failures an
// event: say N.
//
// Loss and double execution are looked for together. POSTs are numbered; each server process appends what it executes
// to one shared log before it answers (nginx: right after); the checker compares. A system that never loses because
// something retries in secret shows up there.
//
// Shapes of traffic differ in what they can see:
//
//	new connections            a closed accept queue, a process that is told to stop while it is still chosen
//	kept connections, busy     the race between a request and the server's close; double execution
//	kept connections, idle     the same with long odds, and whether connections survive at all
//	pipelined pairs            a request that is read into a buffer and forgotten
//	half requests, slow bodies a request that is on its way when the drain begins
//	streams, WebSockets        what lives longer than the drain's patience
//
// A server may end a kept connection on which nothing was asked, and a client that looks before it writes just opens
// another: that is counted apart (closed by the server, announced or not), because it is the difference between
// surviving an upgrade and noticing it. Clients that never look (Options.Blind) lose one request for each such close.
//
// # Controls
//
// A generator that reports zero proves nothing until it has been seen to report loss. Its tests break each promise on
// purpose and want exactly that kind of failure; a stop followed by a start must lose requests. A measurement carries
// two controls of its own: no event at all (must be zero) and stop-then-start (must not be).
//
// Known limits: on bare loopback there is no round-trip time, which hides part of the close race; the generator shares
// the processors with what it measures, so latencies are comparable between runs on one machine and with nothing else.
// A failure of kind "local" (the generator had no descriptor or port left) voids the run.
package bench
