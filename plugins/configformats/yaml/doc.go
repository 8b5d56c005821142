// Package yaml is the configuration format of .yaml and .yml files.
//
// It owns the way from YAML's bytes to a pluginapi.Tree with positions. It
// takes one document of plain maps, lists and scalars. Anchors and aliases
// work; an alias counts as what it stands for, so that a small file can't
// become a large tree. Refused are merge keys ("<<"), tags, keys that are not
// scalars, a second document, .nan and .inf, and numbers with a leading zero
// (YAML 1.1 and 1.2 disagree about their base). Dates stay strings, and so do
// yes, no, on and off.
//
// Failure modes: none beyond its diagnostics; it reads memory only, and its
// recursion is bounded by pluginapi.MaxConfigDepth. The YAML parser gives no
// columns for syntax errors, so those name the line only.
package yaml
