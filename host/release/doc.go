// Package release is the content-addressed store of releases: immutable
// artifacts that a service runs.
//
// A release is either a directory, which the store copies, or a command line,
// of which it records only the digests of the files that it names. What it
// contains is its manifest; the SHA-256 of the manifest's canonical JSON is its
// digest, so that `sha256sum manifest.json` shows it.
//
// The store owns one directory:
//
//	lock                           shared by imports, exclusive for retention (flock)
//	releases/<sha256>/manifest.json
//	releases/<sha256>/origin.json  when and from where it was imported last
//	releases/<sha256>/tree/        the files (kind "directory")
//	tmp/                           imports under way, and what crashes left of them
//
// A release appears in releases/ by one rename, after everything in it is
// durable: whole or not at all. The same content gives the same digest and is
// stored once. Files are read-only (0444, or 0555 if the owner could execute
// them) and directories 0555. Root can write all the same: Verify tells.
//
// A packed release is a gzip'ed tar file: manifest.json first, then tree/ in
// the manifest's order. The same directory gives the same bytes, as long as the
// program is built with the same version of Go.
//
// # What it refuses
//
// Devices, sockets and pipes; set-user-id and set-group-id files; symbolic
// links that are absolute or lead out of the tree, by whatever way; paths that
// are not UTF-8; more than MaxFiles entries or MaxBytes bytes; an empty
// directory; a directory that contains the store; and a packed release that
// isn't exactly what its manifest says. Owners, times, hard links, extended
// attributes and file capabilities are not kept.
//
// # How it fails
//
//   - A source that changes while it is copied: *ChangedError; try again.
//   - A crash or an error at any step leaves nothing but a directory in tmp/,
//     which Retain sweeps.
//   - A stored release that was tampered with: Verify names the file
//     (*DifferError); importing the same content again puts it right.
//   - A manifest that doesn't match its digest: Get and List say so, and the
//     other releases stay usable.
package release
