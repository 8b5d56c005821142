package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zdhost/zdhost/pluginapi"
)

// maxProblems bounds what one Error prints.
const maxProblems = 50

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Pos     pluginapi.Pos // where it was written; zero if nowhere
	Path    string        // dotted path of the key or block; may be empty
	Message string        // one line, without the position
	Hint    string        // the nearest right thing; may be empty
}

// String returns "file:line:column: message", and a line "hint: …" where there
// is one.
func (p Problem) String() string {
	s := p.Message
	if !p.Pos.IsZero() {
		s = p.Pos.String() + ": " + s
	}
	if p.Hint != "" {
		s += "\nhint: " + p.Hint
	}
	return s
}

// Error is a configuration that is refused. A retry doesn't help until the
// file, or the machine, has changed.
type Error struct {
	Problems []Problem // at least one, in the file's order
}

// Error returns the problems, a line each, hints below them.
func (e *Error) Error() string {
	var lines []string
	for i, p := range e.Problems {
		if i == maxProblems {
			lines = append(lines, fmt.Sprintf("… and %d more", len(e.Problems)-i))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// findings collects problems.
type findings []Problem

func (f *findings) add(at pluginapi.Pos, path, hint, format string, args ...any) {
	*f = append(*f, Problem{Pos: at, Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// has tells whether there was a complaint about one of the paths, or about
// something below it.
func (f *findings) has(paths ...string) bool {
	for _, p := range *f {
		for _, path := range paths {
			if p.Path == path || strings.HasPrefix(p.Path, path+".") {
				return true
			}
		}
	}
	return false
}

// addDiagnostics takes over what a format found; warnings are no problems.
func (f *findings) addDiagnostics(found []pluginapi.Diagnostic) {
	for _, d := range found {
		if d.Severity == pluginapi.SeverityError {
			f.add(d.Pos, "", d.Hint, "%s", d.Summary)
		}
	}
}

// err returns the problems in the file's order, or nil if there are none.
func (f findings) err() error {
	if len(f) == 0 {
		return nil
	}
	slices.SortStableFunc(f, func(a, b Problem) int {
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	return &Error{Problems: f}
}
