// Package config reads zdhost's configuration: a file in one of the bundled
// formats, checked against a declarative schema, as typed values with
// defaults, each of which remembers where it was written.
//
// The way of a file: a pluginapi.ConfigFormat makes a tree of it; the tree is
// checked against Schema (unknown keys, types, ranges, required keys) and its
// blocks become maps; koanf lays three layers over one another, the schema's
// defaults, the file and the command line's overrides; the result is decoded
// into Config and its parts are checked against each other. koanf does the
// merging and nothing else: each Load uses a fresh instance with a delimiter
// that no key has, and neither its watchers nor its parsers are used.
//
// It owns the names, types, defaults and meaning of every key, and the words
// of every complaint about them. Complaints come all at once, as one Error of
// Problems with file, line, reason and the nearest right thing.
//
// Load looks at the file only. What needs the machine (programs, users,
// addresses) is CheckMachine's, and says what was so when it looked.
//
// It refuses rather than ignores: unknown keys, keys given twice, parts of the
// schema that this version can't serve yet. It never prints a value of env.
//
// Failure modes: a file that can't be read or doesn't check changes nothing;
// Load returns an error and no Config.
package config
