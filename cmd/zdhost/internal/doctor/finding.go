package doctor

import (
	"fmt"
	"io"
)

// Level says how much of zdhost works with what was found.
type Level string

const (
	OK      Level = "ok"      // all of it
	Limited Level = "limited" // Means says what does not
	Missing Level = "missing" // something that zdhost is for does not
)

// Finding is the answer of one check.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Found is what the machine says; Means is what follows from it, empty if nothing does.
	Found string `json:"found"`
	Means string `json:"means,omitempty"`
}

// Healthy reports whether nothing is missing.
func Healthy(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Missing {
			return false
		}
	}
	return true
}

// Write prints the findings in columns, with what follows under those that are not ok.
func Write(w io.Writer, findings []Finding) error {
	counts := map[Level]int{}
	for _, f := range findings {
		counts[f.Level]++
		if _, err := fmt.Fprintf(w, "%-8s %-24s %s\n", f.Level, f.Check, f.Found); err != nil {
			return err
		}
		if f.Means != "" {
			if _, err := fmt.Fprintf(w, "%-8s %-24s %s\n", "", "", f.Means); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d ok, %d limited, %d missing\n", counts[OK], counts[Limited], counts[Missing])
	return err
}
