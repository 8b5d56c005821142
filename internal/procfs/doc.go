// Package procfs reads which processes belong together out of /proc.
//
// It owns the question "whose processes are these": by session, and by a
// variable in their environment for those that left it. It refuses nothing; a
// process that vanishes while it is looked at is not in the answer.
package procfs
