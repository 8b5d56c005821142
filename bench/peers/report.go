package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// report is everything that one run found.
type report struct {
	Began    time.Time  `json:"began"`
	Took     string     `json:"took"`
	Quick    bool       `json:"quick"`
	Machine  machine    `json:"machine"`
	Sections []*section `json:"sections"`
}

// section is one part of the report.
type section struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Method  string   `json:"method"` // a sentence or two: what was done to whom
	Tables  []table  `json:"tables"`
	Notes   []string `json:"notes,omitempty"`
	Figures []figure `json:"figures,omitempty"`
	Error   string   `json:"error,omitempty"` // why it is not complete
}

// table is what a section prints.
type table struct {
	Title string     `json:"title,omitempty"`
	Head  []string   `json:"head"`
	Rows  [][]string `json:"rows"`
}

// add appends a row.
func (t *table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

// note adds a remark under the tables.
func (s *section) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// figure adds a named number.
func (s *section) figure(f figure) { s.Figures = append(s.Figures, f) }

// failed reports whether anything could not be measured.
func (r *report) failed() bool {
	for _, s := range r.Sections {
		if s.Error != "" {
			return true
		}
	}
	return false
}

// writeJSON writes the report as one indented object.
func (r *report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// markdown is the report for people; it begins and ends without an empty line.
func (r *report) markdown() string {
	var b strings.Builder
	r.preamble(&b)
	r.goals(&b)
	for _, s := range r.Sections {
		s.markdown(&b)
	}
	return strings.TrimSpace(b.String()) + "\n"
}

func (r *report) preamble(b *strings.Builder) {
	command := "make bench"
	if r.Quick {
		command = "go run ./bench/peers -quick"
	}
	fmt.Fprintf(b, "Measured by `%s` on %s in %s. Small runs: directions, not records.\n\n", command, r.Began.UTC().Format("2 January 2006, 15:04 UTC"), r.Took)
	r.Machine.table().markdown(b)
	if r.Machine.busy() {
		fmt.Fprintf(b, "**The machine was busy with something else** (load average %.1f at the start): take no number from this run.\n\n", r.Machine.Load)
	}
}

// goals lists the figures that have one.
func (r *report) goals(b *strings.Builder) {
	t := table{Title: "Goals", Head: []string{"", "measured", "goal", ""}}
	for _, s := range r.Sections {
		for _, f := range s.Figures {
			if f.Goal != "" {
				t.add(f.Name, f.String(), f.Goal, string(f.Standing))
			}
		}
	}
	if len(t.Rows) > 0 {
		t.markdown(b)
		fmt.Fprint(b, "In parentheses: the interval of 95 %. A goal inside it is unclear.\n\n")
	}
}

func (s *section) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "### %s\n\n%s\n\n", s.Title, s.Method)
	for _, t := range s.Tables {
		t.markdown(b)
	}
	for _, n := range s.Notes {
		fmt.Fprintf(b, "* %s\n", n)
	}
	if len(s.Notes) > 0 {
		fmt.Fprintln(b)
	}
	if s.Error != "" {
		fmt.Fprintf(b, "**Not complete**: %s\n\n", s.Error)
	}
}

// markdown writes the table; all columns but the first are aligned to the right.
func (t table) markdown(b *strings.Builder) {
	if t.Title != "" {
		fmt.Fprintf(b, "**%s**\n\n", t.Title)
	}
	writeRow(b, t.Head)
	fmt.Fprintf(b, "|---%s|\n", strings.Repeat("|---:", len(t.Head)-1))
	for _, row := range t.Rows {
		writeRow(b, row)
	}
	fmt.Fprintln(b)
}

func writeRow(b *strings.Builder, cells []string) {
	escaped := make([]string, len(cells))
	for i, c := range cells {
		escaped[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	fmt.Fprintf(b, "| %s |\n", strings.Join(escaped, " | "))
}
