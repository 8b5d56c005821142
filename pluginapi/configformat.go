package pluginapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ConfigFormat reads one syntax of configuration files.
type ConfigFormat interface {
	// Extensions returns the file extensions that the format reads, without
	// the dot, the preferred one first.
	Extensions() []string

	// Parse turns the bytes of one file into a tree. file names it in
	// positions. Parse touches nothing but its arguments: no file, no
	// environment, no network. It must end soon for every input, and stay
	// within the bounds MaxConfigSize, MaxConfigDepth and MaxConfigNodes.
	//
	// If a diagnostic of SeverityError is returned, the tree may be
	// incomplete and must not be used.
	Parse(ctx context.Context, file string, src []byte) (Tree, []Diagnostic)
}

// Severity says what a Diagnostic means for the input it is about.
type Severity string

// The severities of a Diagnostic.
const (
	SeverityError   Severity = "error"   // the input is refused
	SeverityWarning Severity = "warning" // the input is taken
)

// Diagnostic is one finding about an input that somebody wrote.
type Diagnostic struct {
	Severity Severity
	Pos      Pos
	Summary  string // one line, lower case, in the user's words; never a secret value
	Hint     string // the nearest right thing; may be empty
}

// String returns "file:line:column: summary".
func (d Diagnostic) String() string {
	if d.Pos.IsZero() {
		return d.Summary
	}
	return d.Pos.String() + ": " + d.Summary
}

// HasErrors tells whether one of the diagnostics refuses the input.
func HasErrors(ds []Diagnostic) bool {
	for _, d := range ds {
		if d.Severity == SeverityError {
			return true
		}
	}
	return false
}

// CheckSource returns what is wrong with a file before its syntax is looked
// at: more than MaxConfigSize bytes, bytes that are not UTF-8, NUL.
func CheckSource(file string, src []byte) []Diagnostic {
	refuse := func(at Pos, summary string) []Diagnostic {
		return []Diagnostic{{Severity: SeverityError, Pos: at, Summary: summary}}
	}
	if len(src) > MaxConfigSize {
		return refuse(Pos{File: file}, fmt.Sprintf("the file is larger than %d KiB", MaxConfigSize>>10))
	}
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return refuse(NewLines(file, src).Pos(i), "the file has a NUL byte: it is no text")
	}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			return refuse(NewLines(file, src).Pos(i), "the file is not valid UTF-8")
		}
		i += size
	}
	return nil
}

// maxNumberLength bounds a number as it is written: no setting needs more
// digits, and conversions stay cheap.
const maxNumberLength = 64

var (
	integerSyntax = regexp.MustCompile(`^[+-]?(0x[0-9A-Fa-f_]+|0o[0-7_]+|0b[01_]+)$`)
	decimalSyntax = regexp.MustCompile(`^[+-]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][+-]?[0-9]+)?$`)
)

// ParseNumber turns a number as configuration files write it into the text of
// a NumberNode: JSON's syntax with the digits as they were written, so that no
// format rounds what another keeps. "_" between digits and a leading "+" go,
// and integers to base 16, 8 and 2 (0x, 0o, 0b) become decimal.
//
// Refused are NaN and infinities, numbers beyond float64, numbers longer than
// 64 characters, and leading zeros, since readers disagree about their base.
// The errors don't quote the number: it may be a secret that lacks its quotes.
func ParseNumber(literal string) (string, error) {
	if len(literal) > maxNumberLength {
		return "", fmt.Errorf("a number longer than %d characters", maxNumberLength)
	}
	if integerSyntax.MatchString(literal) {
		return parseRadix(literal)
	}
	if !decimalSyntax.MatchString(literal) {
		return "", errors.New("not a finite number")
	}
	text := strings.TrimPrefix(strings.ReplaceAll(literal, "_", ""), "+")
	digits := strings.TrimPrefix(text, "-")
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return "", errors.New("a number with a leading zero: readers disagree about its base")
	}
	text = completeFraction(text)
	if f, err := strconv.ParseFloat(text, 64); err != nil || math.IsInf(f, 0) {
		return "", errors.New("the number is too large")
	}
	return text, nil
}

func parseRadix(literal string) (string, error) {
	var n big.Int
	if _, ok := n.SetString(strings.ReplaceAll(literal, "_", ""), 0); !ok {
		return "", errors.New("the number has no digits")
	}
	return n.String(), nil
}

// completeFraction gives a fraction that is written with digits on one side of
// its point only the other side too: ".5" is 0.5, "1." is 1.
func completeFraction(text string) string {
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i:]
	}
	mantissa = strings.TrimSuffix(mantissa, ".")
	switch {
	case strings.HasPrefix(mantissa, "."):
		mantissa = "0" + mantissa
	case strings.HasPrefix(mantissa, "-."):
		mantissa = "-0" + mantissa[1:]
	}
	return mantissa + exponent
}
