// Package promises tests what zdhost promises to clients, with the real binary, real servers and traffic running.
//
// Its tests build zdhost once, run it in a temporary directory, and speak to it as users do: by the command line,
// by the control API, by signals. One file is one promise:
//
//	row 1  upgrades of unmodified servers lose nothing
//	row 2  connections to a zdapp server survive upgrades
//	row 3  what was begun on the old generation ends there
//	row 4  an instance that dies takes only what it had accepted
//	row 5  a bad candidate costs nothing before the shift, and its own connections after it
//	row 6  a rollback to a warm generation is immediate
//	row 7  generations drain side by side
//	row 8  weights are kept, and probes reach only the candidate
//
// and beside them bad input, signals, and the shapes of what is printed. Zero is the only pass where zero is
// promised; each kind of loss has a negative control, a plain restart under the same load that must lose.
//
// Each test owns its host, its port and its directory, and checks at its end that no process and no socket file is
// left. Processes are found and ended by the directory that their environment or command line names, never by name.
//
// The sizes are small by default, to fit some minutes on two processors; ZDHOST_SIZE=full takes the promised ones
// and needs -timeout 60m. Tests that need root (a host run by an ordinary user) or a program that isn't installed
// are skipped and say so.
//
// Failure modes: the generator shares the processors with what it tests, so a deadline here is a bound on being
// stuck, never a measurement; where a number is the promise it is compared only at full size. A failure of kind
// "local" voids a run, and fails it.
package promises
