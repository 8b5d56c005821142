// Package json is the configuration format of .json files.
//
// It owns the way from JSON's bytes to a pluginapi.Tree with positions. It
// refuses what readers of JSON disagree about: keys given twice, bytes that
// are not UTF-8, anything after the first value. Numbers keep their digits.
// Comments are no part of JSON and are refused.
//
// Failure modes: none beyond its diagnostics; it reads memory only, and its
// recursion is bounded by pluginapi.MaxConfigDepth.
package json
