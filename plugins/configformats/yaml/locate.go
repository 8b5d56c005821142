package yaml

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var errorLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)`)

// locateBudget bounds the bytes that locate parses again.
const locateBudget = 4 << 20

// locate returns the line of a syntax error and its reason. The parser's
// message may name the line before, or the beginning of the map or list around
// the error; the line is the last one of the shortest beginning of the file
// that gives the same message. Line 0 is unknown.
func locate(src []byte, message string) (line int, reason string) {
	m := errorLine.FindStringSubmatch(message)
	if m == nil {
		return 0, message
	}
	reason = m[2]
	if strings.HasPrefix(reason, "unknown anchor") {
		reason = `an alias ("*…") without its anchor ("&…")` // the name may be part of an unquoted secret
	}
	line, _ = strconv.Atoi(m[1])
	budget := locateBudget
	for end, n := 0, 1; end < len(src); n++ {
		next := bytes.IndexByte(src[end:], '\n')
		if next < 0 {
			next = len(src) - end - 1
		}
		end += next + 1
		if n < line {
			continue
		}
		if budget -= end; budget < 0 {
			break
		}
		if err := parse(src[:end]); err != nil && err.Error() == message {
			return n, reason
		}
	}
	return line, reason
}

func parse(src []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// lineOf returns line n of src, counted from 1.
func lineOf(src []byte, n int) []byte {
	for ; n > 1; n-- {
		_, src, _ = bytes.Cut(src, []byte("\n"))
	}
	line, _, _ := bytes.Cut(src, []byte("\n"))
	return line
}

func leadingBlanks(line []byte) []byte {
	return line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
}
