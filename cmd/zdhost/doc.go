// Command zdhost keeps services answering while everything about them changes.
//
// It owns the command line: one file a verb (cmd_….go), the exit codes (exit.go), how errors look
// (exit.go), how a host is found (session.go). Everything else is asked of a host over its control
// API, or of the packages under host.
//
// It refuses to guess: unknown flags, wrong counts of arguments and settings that are not KEY=VALUE
// end with exit code 2 before anything is asked.
//
// Failure modes: no host answers (exit 7); the host goes away while a rollout is followed (the
// client waits for the next one); Ctrl-C (the rollout goes on, and the text says so).
package main
