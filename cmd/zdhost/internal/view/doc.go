// Package view turns what the control API answers into text for people: the status tree, the
// progress of a rollout, the loss report, the table of rollouts, log lines.
//
// It owns the words and the alignment. It refuses to ask anybody anything: every function takes
// values, the time that counts as now, and a writer. Failure modes: none of its own; an error of the
// writer is returned, or, for progress, dropped.
package view
