// Package toml is the configuration format of .toml files (TOML 1.0).
//
// It owns the way from TOML's bytes to a pluginapi.Tree with positions: the
// expressions come from go-toml's parser, which has positions but no rules
// about tables, and the rules (what may be defined where, and once) are kept
// here, so that an error names the line. Dates and times become strings with
// their literal text. inf and nan are refused.
//
// Failure modes: none beyond its diagnostics; it reads memory only, and its
// recursion is bounded by pluginapi.MaxConfigDepth.
package toml
