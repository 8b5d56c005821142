package view

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zdhost/zdhost/host/control"
)

// Progress shows the events of one rollout as they come: on a terminal in a single line that is
// written over, otherwise in a line each. It is used from one goroutine.
type Progress struct {
	w     io.Writer
	width int // of the terminal in cells; 0 if w is none
	live  bool
	begun time.Time
}

// NewProgress writes to w, a terminal of that width, or, with width 0, something else.
func NewProgress(w io.Writer, width int) *Progress { return &Progress{w: w, width: width} }

// Event shows one event.
func (p *Progress) Event(event control.RolloutEvent) {
	if p.begun.IsZero() {
		p.begun = event.Time
	}
	if event.Dropped > 0 {
		p.line(fmt.Sprintf("… %s not shown", plural(event.Dropped, "event")))
	}
	text := eventText(event)
	if p.width == 0 {
		p.line(event.Time.Local().Format(time.TimeOnly) + " " + text)
		return
	}
	p.live = true
	fmt.Fprintf(p.w, "\r\x1b[K%s", cut(fmt.Sprintf("%s  %s", text, Age(event.Time.Sub(p.begun))), p.width-1))
}

// Done leaves the live line, so that other text can follow.
func (p *Progress) Done() {
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.live = false
	}
}

func (p *Progress) line(text string) {
	p.Done()
	fmt.Fprintln(p.w, text)
}

func eventText(event control.RolloutEvent) string {
	what := event.Step
	if what == "" {
		what = event.State
	}
	text := fmt.Sprintf("%s %s: %s", event.Service, what, event.Text)
	if event.Reason != "" && !strings.Contains(event.Text, event.Reason) {
		text += " (" + event.Reason + ")"
	}
	if len(event.Weights) > 0 {
		var weights []string
		for _, weight := range event.Weights {
			weights = append(weights, fmt.Sprintf("generation %d %s", weight.Generation, Percent(weight.Weight)))
		}
		text += " [" + strings.Join(weights, ", ") + "]"
	}
	return text
}

// cut shortens a line to so many cells, counting each rune as one.
func cut(line string, cells int) string {
	if cells < 1 || utf8.RuneCountInString(line) <= cells {
		return line
	}
	return string([]rune(line)[:cells-1]) + "…"
}
