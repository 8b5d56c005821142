package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// footprint is the memory of a process in bytes.
type footprint struct {
	PSS     int64 // its own pages, and its part of those that it shares
	RSS     int64 // all resident pages
	Private int64 // pages that nobody else has
}

func (f footprint) plus(other footprint) footprint {
	return footprint{f.PSS + other.PSS, f.RSS + other.RSS, f.Private + other.Private}
}

// readFootprint reads /proc/PID/smaps_rollup, which belongs to the process's user and root.
func readFootprint(pid int) (footprint, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return footprint{}, fmt.Errorf("cannot read memory of process %d: %w", pid, err)
	}
	return parseSmaps(text)
}

// parseSmaps adds up the lines of smaps or smaps_rollup.
func parseSmaps(text []byte) (footprint, error) {
	var f footprint
	found := false
	for line := range bytes.Lines(text) {
		name, rest, _ := strings.Cut(string(line), ":")
		var to *int64
		switch name {
		case "Pss":
			to, found = &f.PSS, true
		case "Rss":
			to = &f.RSS
		case "Private_Clean", "Private_Dirty":
			to = &f.Private
		default:
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return footprint{}, fmt.Errorf("cannot parse %q as smaps", line)
		}
		*to += kilobytes << 10
	}
	if !found {
		return footprint{}, fmt.Errorf("cannot parse smaps: no Pss in %d bytes", len(text))
	}
	return f, nil
}
