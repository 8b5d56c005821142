// Package bluegreen is the strategy that starts the new generation beside the
// old one, shifts new connections to it in one step, watches it, and commits.
// The old generation stays warm for a while, so that coming back is one change
// of weight.
//
// It owns the plan (start, shift, hold, bake, commit) and its five settings. It
// keeps no state: everything it needs is in the snapshot.
//
// It refuses settings that it doesn't know. Where a service can't be weighted
// it asks for no weights, and refuses to hold at a part of them.
//
// Failure modes: it decides nothing by elapsed time but the end of the bake.
// What dies, or never gets ready, is the host's to notice.
package bluegreen
