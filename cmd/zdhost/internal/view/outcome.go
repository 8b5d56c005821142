package view

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/zdhost/zdhost/host/control"
)

// Outcome writes how a rollout ended and what it meant for clients. Reasons of a bad end are the
// caller's to report: they are errors.
func Outcome(w io.Writer, o control.Outcome) error {
	var text strings.Builder
	switch o.Ended {
	case control.EndedPlanned:
		if o.Plan == nil {
			return nil
		}
		return plan(w, o.Service, *o.Plan)
	case control.EndedUnchanged:
		fmt.Fprintf(&text, "%s: %s runs already\n", o.Service, Digest(o.To))
	case control.EndedDetached:
		if o.Rollout == "" {
			_, err := fmt.Fprintf(w, "%s: waits for the rollout that is under way; zdhost rollout watch %s follows that one\n", o.Service, o.Service)
			return err
		}
		fmt.Fprintf(&text, "%s: rollout %s to %s has begun; zdhost rollout watch %s follows it\n", o.Service, o.Rollout, Digest(o.To), o.Service)
		_, err := io.WriteString(w, text.String())
		return err // what it means for clients isn't known yet
	default:
		text.WriteString(o.Service + ": " + endText(o))
		if !o.Started.IsZero() && !o.Finished.IsZero() {
			fmt.Fprintf(&text, " in %s", Took(o.Finished.Sub(o.Started)))
		}
		text.WriteByte('\n')
	}
	if o.Report != nil {
		text.WriteString(Loss(*o.Report) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// endText says what serves now, and in brackets what was left for it.
func endText(o control.Outcome) string {
	text, now, before := Ended(o.Ended)+" ", o.To, o.From
	switch o.Ended {
	case control.EndedRolledBack:
		text, now, before = "rolled back to ", o.From, o.To
	case control.EndedAborted, control.EndedTimedOut:
		text, now, before = Ended(o.Ended)+", back to ", o.From, o.To
	}
	text += Digest(now)
	if before != "" {
		text += " (from " + Digest(before) + ")"
	}
	return text
}

func plan(w io.Writer, service string, p control.Plan) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s: %s → %s by %s; nothing was changed\n", service, Digest(p.From), Digest(p.To), p.Strategy)
	for _, change := range p.Changes {
		fmt.Fprintf(table, "  %s\n", change)
	}
	for _, step := range p.Steps {
		cells := []string{step.ID, "up to " + plural(step.Instances, "instance"), "at most " + Percent(step.Weight)}
		if step.WaitsFor != "" {
			cells = append(cells, "waits for "+step.WaitsFor)
		}
		if step.Text != "" {
			cells = append(cells, step.Text)
		}
		fmt.Fprintln(table, "  "+strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// History writes one line a rollout, newest first.
func History(w io.Writer, entries []control.HistoryEntry, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STARTED\tROLLOUT\tKIND\tFROM\tTO\tBY\tTOOK\tENDED\tLOST\tREASON")
	for _, e := range entries {
		took, ended := "", Ended(e.Outcome)
		if !e.Ended.IsZero() {
			took = Took(e.Ended.Sub(e.Started))
		}
		if e.Outcome == "" {
			ended = "runs"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", clock(e.Started, now), e.Rollout, e.Kind,
			Digest(e.From), Digest(e.To), actor(e.Actor), took, ended, Count(e.Lost), why(e))
	}
	return table.Flush()
}

func actor(a control.Actor) string {
	if a.Name != "" {
		return a.Name
	}
	return fmt.Sprintf("user %d", a.UID)
}

// LogLine writes a line that an instance printed.
func LogLine(w io.Writer, line control.LogLine) error {
	_, err := fmt.Fprintf(w, "%s %s | %s\n", line.Time.Local().Format("2006-01-02 15:04:05.000"), line.Instance, printable(line.Text))
	return err
}

// LogTail writes a candidate's last lines under an error.
func LogTail(w io.Writer, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(w, "  | %s\n", printable(line))
	}
}

// printable keeps a program's output from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, text)
}

// why is what was asked for and how it came to its end.
func why(e control.HistoryEntry) string {
	switch {
	case e.Why == "":
		return e.Reason
	case e.Reason == "":
		return e.Why
	}
	return e.Why + "; " + e.Reason
}
