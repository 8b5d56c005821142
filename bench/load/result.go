package load

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Unnamed is the key in Result.ByRelease of answers that don't say which release they come from.
const Unnamed = "unnamed"

// Result is what the clients of one run saw.
type Result struct {
	Requests int `json:"requests"` // asked, or tried to: every one is in OK or in Failed
	OK       int `json:"ok"`       // answered completely, correctly and once
	// Failed counts every failure. An answer that nobody asked for is one too, though its request is in OK; so
	// Requests = OK + Failed − Unasked.
	Failed     int `json:"failed"`
	Hung       int `json:"hung"`       // failures of kind timeout
	Duplicated int `json:"duplicated"` // failures of kind duplicate
	Unasked    int `json:"unasked"`    // bytes that came over a kept connection between two requests

	ByKind   map[Kind]int `json:"by_kind,omitempty"`
	Failures []Failure    `json:"failures,omitempty"` // the first Options.KeepFailures by time

	Opened         int `json:"opened"`           // connections
	ClosedByServer int `json:"closed_by_server"` // kept connections that the server ended between two requests
	Announced      int `json:"announced"`        // those of them that ended as the server had said (Connection: close, a close frame)

	ByRelease map[string]int `json:"by_release,omitempty"` // requests in OK, by who answered: X-Release, else a short body's first line
	Latency   *Histogram     `json:"latency"`              // of the requests in OK
	Elapsed   time.Duration  `json:"elapsed_ns"`
}

func newResult() Result {
	return Result{ByKind: map[Kind]int{}, ByRelease: map[string]int{}, Latency: &Histogram{}}
}

// String is one line for people.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %d failed", r.Requests, r.Failed)
	if r.Failed > 0 {
		fmt.Fprintf(&b, " (%s)", counts(r.ByKind))
	}
	fmt.Fprintf(&b, ", %d connections (%d closed by the server, %d announced)", r.Opened, r.ClosedByServer, r.Announced)
	if r.Latency != nil && r.Latency.Count() > 0 {
		h := r.Latency
		fmt.Fprintf(&b, ", p50 %v p99 %v p99.9 %v max %v", h.P50().Round(time.Microsecond), h.P99().Round(time.Microsecond),
			h.P999().Round(time.Microsecond), h.Max().Round(time.Microsecond))
	}
	if len(r.ByRelease) > 0 {
		fmt.Fprintf(&b, ", answered by %s", counts(r.ByRelease))
	}
	return b.String()
}

// JSON is the result as one indented object, without a final newline.
func (r Result) JSON() ([]byte, error) { return json.MarshalIndent(r, "", "  ") }

// fail counts a failure, and keeps it if there is room.
func (r *Result) fail(f Failure, keep int) {
	r.Failed++
	r.ByKind[f.Kind]++
	switch f.Kind {
	case KindTimeout:
		r.Hung++
	case KindDuplicate:
		r.Duplicated++
	}
	if len(r.Failures) < keep {
		r.Failures = append(r.Failures, f)
	}
}

// merge adds another client's result; keep bounds the failures, the earliest first.
func (r *Result) merge(other *Result, keep int) {
	r.Requests += other.Requests
	r.OK += other.OK
	r.Failed += other.Failed
	r.Hung += other.Hung
	r.Duplicated += other.Duplicated
	r.Unasked += other.Unasked
	r.Opened += other.Opened
	r.ClosedByServer += other.ClosedByServer
	r.Announced += other.Announced
	for k, n := range other.ByKind {
		r.ByKind[k] += n
	}
	for k, n := range other.ByRelease {
		r.ByRelease[k] += n
	}
	r.Latency.Merge(other.Latency)
	r.Failures = append(r.Failures, other.Failures...)
	slices.SortStableFunc(r.Failures, func(a, b Failure) int { return a.When.Compare(b.When) })
	r.Failures = r.Failures[:min(len(r.Failures), keep)]
}

// counts lists a map's entries by name.
func counts[K ~string](m map[K]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}
