// Package hcl is the configuration format of .hcl files (HCL 2).
//
// It owns the way from HCL's bytes to a pluginapi.Tree with positions:
// attributes and blocks in the file's order, blocks with their labels. Values
// are literals: strings, heredocs, numbers, booleans, null, lists and maps.
// Refused, before HCL's own recursive parser sees them, are variables,
// functions, operators and interpolation: a configuration says what it says,
// whatever the environment, and a hostile file can't exhaust the stack.
//
// Failure modes: none beyond its diagnostics; it reads memory only.
package hcl
