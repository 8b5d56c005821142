// Command peers measures zdhost beside the bare program and beside the proxies that people use instead, in one run on
// one machine, and prints Markdown tables: `make bench`.
//
//	peers [-quick] [-only SECTION] [-json FILE] [-write PAGE]
//
// It owns the sections
//
//	throughput  requests a second, latency and CPU of the same server bare, under zdhost, behind HAProxy and nginx
//	latency     the tail of the latency while the service is upgraded each second
//	start       from `zdhost upgrade` and `zdhost run` to the first answer
//	memory      what keeper and host take at rest
//	weight      how long a change of weights and a rollback take
//	loss        what clients lose while each system is upgraded every 250 ms
//
// and the systems that it starts: zdhost, built from this module, the catalogue's servers, HAProxy and nginx where
// they are installed. All of it is on loopback and in one temporary directory, and stopped, by PID, at the end.
//
// # Method
//
// Throughput is compared in pairs: the bare server and the other one by turns, ABBA, so that a slow drift of the
// machine hits both alike; each pair gives a ratio, and what is reported is the median of the ratios with the interval
// of 95 % that order statistics give (no assumption about their distribution). The first pair of rows is the bare
// server against a second copy of itself: it shows how much of a difference is noise. CPU per request counts user and
// system time of every process that serves: proxies, keeper and host included, the generator not.
//
// The same holds for the tail during upgrades, with windows of some seconds in place of runs, and its own control: the
// bare server while a copy of it that nobody asks is started each second, the price of starting a process beside a
// busy server on this machine.
//
// A loss is a request that a client saw fail; clients never retry. Two rows are controls: no upgrade at all must lose
// nothing, stop-then-start must lose something, or the table proves nothing.
//
// It refuses to judge its own numbers: a goal that the interval includes is unclear, not met; a missed goal is
// printed and is no error. The exit code is 1 if something could not be measured.
//
// Failure modes: the generator shares the processors with the servers, so absolute numbers are this machine's; with
// other work on the machine the ratios get wide intervals, and the report says so when the load average was high. A
// failure of kind "local" (the generator ran out of ports or descriptors) voids the row and is an error. If a program
// that is to be compared isn't installed, its rows say so. The whole run is cut off after eight minutes, or three
// with -quick; what had no turn by then is an error.
package main
