// Package load asks a server questions the way impatient clients do and counts everything that goes wrong.
//
// It owns raw connections (TCP and unix) and writes HTTP/1.1 by hand, because a real client library hides what
// this package is there to see: it retries, it redials, it follows. Here a request is asked once. What a client
// would notice is a Failure, with one of ten kinds; what a client would not notice (the server closed a
// connection while nothing was asked on it) is counted apart.
//
// Numbered POSTs carry the client's name and a sequence number. The servers write each one they execute to a
// log, and a Checker compares that log with the answers: nothing may be executed twice, and everything that was
// acknowledged must have been executed once.
//
// It refuses to judge. A Result is a set of counts; the caller says that zero is the only pass. A failure of the
// generator itself (no descriptors, no local ports) has a kind of its own, KindLocal: such a run says nothing
// about the server.
//
// Failure modes: a server that answers nothing holds Run for at most Options.Timeout after its context ended,
// plus Options.Hold in the modes that are slow on purpose. Memory is bounded by the number of clients, the kept
// failures, and, with a Checker, one bit of truth for each numbered request.
package load
