package view

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zdhost/zdhost/host/control"
)

// Digest shortens "sha256:…" to its first eight digits. Other names are left as they are; nothing
// is "none".
func Digest(release string) string {
	hex, ok := strings.CutPrefix(release, "sha256:")
	switch {
	case release == "":
		return "none"
	case ok && len(hex) > 8:
		return "sha256:" + hex[:8]
	}
	return release
}

// Age is a duration to two figures: 45s, 3m, 3h12m, 5d4h. Negative ones are 0s.
func Age(d time.Duration) string {
	d = d.Round(time.Second)
	days, hours, minutes := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60
	switch {
	case d <= 0:
		return "0s"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(minutes) + "m"
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", hours, minutes)
	}
	return fmt.Sprintf("%dd%dh", days, hours)
}

// Took is a duration of a change: 1.3 ms, 0.25 s, 3.2 s, 12 s, 2m10s.
func Took(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// Percent writes a weight without needless zeros: 100 %, 0.5 %, 33.33 %.
func Percent(weight float64) string {
	return strconv.FormatFloat(weight, 'f', -1, 64) + " %"
}

// Ended says in words how a rollout ended.
func Ended(ended string) string { return strings.ReplaceAll(ended, "_", " ") }

// Count writes a number, or "unknown".
func Count(n *int64) string {
	if n == nil {
		return "unknown"
	}
	return strconv.FormatInt(*n, 10)
}

// Loss is the last line of a rollout: what it meant for clients.
func Loss(r control.LossReport) string {
	moved := Count(r.Moved)
	noun := "connections"
	if moved == "1" {
		noun = "connection"
	}
	queue := Count(r.QueueHigh)
	if r.QueueHigh != nil && r.QueueMax != nil {
		queue += " of " + Count(r.QueueMax)
	}
	requests := ""
	if r.Requests != nil {
		requests = "requests " + Count(r.Requests) + " · "
	}
	return fmt.Sprintf("%smoved %s %s · told %s · cut %s · queue high-water %s · drops %s · lost: %s",
		requests, moved, noun, Count(r.Told), Count(r.Cut), queue, Count(r.Drops), Count(r.Lost))
}

// plural is "1 lane", "2 lanes".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// clock is a time of today's day or, for another day, with its date.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}
