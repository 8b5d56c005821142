package view

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zdhost/zdhost/host/control"
)

// Status writes the host, then each service with its instances, its listeners' lanes, its rollout and
// what was last decided. A service's name, if given, leaves out the rest.
func Status(w io.Writer, status control.Status, service string, now time.Time) error {
	page := &statusPage{status: status, now: now}
	if service == "" {
		page.host()
	}
	for _, s := range status.Services {
		if service == "" || s.Name == service {
			page.service(s)
		}
	}
	if service == "" {
		page.unserved()
	}
	_, err := w.Write(page.out.Bytes())
	return err
}

// statusPage gathers the text; label is how wide the first column of the current service is.
type statusPage struct {
	out    bytes.Buffer
	status control.Status
	now    time.Time
	label  int
}

func (p *statusPage) host() {
	host := p.status.Host
	fmt.Fprintf(&p.out, "zdhost %s · host pid %d · keeper pid %d · up %s\n",
		host.Version, host.PID, host.KeeperPID, Age(p.now.Sub(host.Started)))
	if host.ReadOnly != "" {
		fmt.Fprintf(&p.out, "changes are refused: %s\n", host.ReadOnly)
	}
	if host.LastRefused != nil {
		fmt.Fprintf(&p.out, "last change refused %s\n", p.refusal(*host.LastRefused))
	}
	if len(p.status.Services) == 0 {
		fmt.Fprintln(&p.out, "no services")
	}
}

func (p *statusPage) service(s control.Service) {
	if p.out.Len() > 0 {
		p.out.WriteByte('\n')
	}
	fmt.Fprintf(&p.out, "%s  %s  %s  generation %d  revision %d", s.Name, s.State, Digest(s.Release), s.Generation, s.Revision)
	if s.Restarts > 0 {
		fmt.Fprintf(&p.out, "  %s", plural(s.Restarts, "restart"))
	}
	p.out.WriteByte('\n')
	listeners := p.listenersOf(s)
	p.label = labelWidth(listeners)
	if s.Reason != "" {
		p.row("reason", s.Reason)
	}
	p.instances(s)
	for _, listener := range listeners {
		p.listener(listener, s.Name)
	}
	if s.Warm != 0 {
		p.row("warm", fmt.Sprintf("generation %d%s", s.Warm, p.until(s.WarmUntil)))
	}
	if s.Rollout != nil {
		p.row("rollout", p.rollout(*s.Rollout))
	}
	if s.Last != nil {
		p.row("last", p.last(*s.Last))
	}
	if s.LastRefused != nil {
		p.row("refused", p.refusal(*s.LastRefused))
	}
}

func labelWidth(listeners []control.Listener) int {
	width := len("instances")
	for _, listener := range listeners {
		width = max(width, utf8.RuneCountInString(listener.Name))
	}
	return width
}

func (p *statusPage) row(label, text string) {
	line := "  " + label + strings.Repeat(" ", max(0, p.label-utf8.RuneCountInString(label))) + "  " + text
	p.out.WriteString(strings.TrimRight(line, " ") + "\n")
}

// listenersOf returns the listeners that the service names, then others that have a lane of it.
func (p *statusPage) listenersOf(s control.Service) []control.Listener {
	var found []control.Listener
	for _, listener := range p.status.Listeners {
		ours := slices.Contains(s.Listeners, listener.Name)
		for _, lane := range listener.Lanes {
			ours = ours || lane.Service == s.Name
		}
		if ours {
			found = append(found, listener)
		}
	}
	return found
}

func (p *statusPage) instances(s control.Service) {
	if len(s.Instances) == 0 {
		p.row("instances", "none")
		return
	}
	ids, pids, states := 0, 0, 0
	for _, i := range s.Instances {
		ids, pids, states = max(ids, len(i.ID)), max(pids, len(fmt.Sprint(i.PID))), max(states, len(i.State))
	}
	label := "instances"
	for _, i := range s.Instances {
		text := fmt.Sprintf("%-*s  pid %-*d  %-*s %s", ids, i.ID, pids, i.PID, states, i.State, Age(p.now.Sub(i.Since)))
		if i.Generation != s.Generation {
			text += fmt.Sprintf("  generation %d", i.Generation)
		}
		if i.Connections != nil {
			text += "  " + plural(int(*i.Connections), "connection")
		}
		for _, more := range []string{i.Reason, i.Text} {
			if more != "" {
				text += "  (" + more + ")"
			}
		}
		p.row(label, text)
		label = ""
	}
}

func (p *statusPage) listener(l control.Listener, service string) {
	text := l.Address
	if l.Adopted {
		text += "  (bound by the program)"
	}
	p.row(l.Name, text)
	for _, lane := range l.Lanes {
		if lane.Service == "" || lane.Service == service {
			p.row("", laneText(lane))
		}
	}
}

func laneText(lane control.Lane) string {
	name := fmt.Sprintf("generation %d", lane.Generation)
	switch {
	case lane.Instance != nil:
		name = "instance " + *lane.Instance
	case lane.Generation == 0:
		name = "in the pool"
	}
	text := fmt.Sprintf("%-15s %s %8s  queue %d/%d  %s", name, bar(lane.Weight), Percent(lane.Weight),
		lane.Queue, lane.QueueMax, plural(int(lane.Drops), "drop"))
	if lane.QueueHigh > 0 {
		text += fmt.Sprintf("  high-water %d", lane.QueueHigh)
	}
	return text
}

// bar is a weight in twenty cells; a weight above zero fills at least one.
func bar(weight float64) string {
	const cells = 20
	full := int(weight/100*cells + 0.5)
	if weight > 0 {
		full = max(full, 1)
	}
	full = min(max(full, 0), cells)
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}

func (p *statusPage) rollout(r control.RolloutStatus) string {
	text := fmt.Sprintf("%s  %s", r.ID, r.State)
	if r.Step != "" {
		text += ", step " + r.Step
	}
	text += fmt.Sprintf(": %s → %s", Digest(r.From), Digest(r.To))
	if r.WaitsFor != "" {
		text += ", waits for " + r.WaitsFor
	}
	text += p.until(r.Until)
	if r.Reason != "" {
		text += " (" + r.Reason + ")"
	}
	return text
}

func (p *statusPage) until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " until " + clock(t, p.now)
}

func (p *statusPage) last(l control.LastRollout) string {
	text := Ended(l.Ended)
	if !l.Time.IsZero() {
		text += " " + Age(p.now.Sub(l.Time)) + " ago"
	}
	text += " (" + l.Rollout + "), lost " + Count(l.Lost)
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}

func (p *statusPage) refusal(r control.Refusal) string {
	return fmt.Sprintf("%s ago: %s: %s", Age(p.now.Sub(r.Time)), r.What, r.Reason)
}

// unserved lists the listeners that no service shows.
func (p *statusPage) unserved() {
	p.label = 0
	for _, listener := range p.status.Listeners {
		if slices.ContainsFunc(p.status.Services, func(s control.Service) bool {
			return slices.ContainsFunc(p.listenersOf(s), func(l control.Listener) bool { return l.Name == listener.Name })
		}) {
			continue
		}
		fmt.Fprintf(&p.out, "\nlistener %s  %s  no service\n", listener.Name, listener.Address)
		for _, lane := range listener.Lanes {
			p.row("", laneText(lane))
		}
	}
}
