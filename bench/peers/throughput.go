package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// contest is a system beside the bare one.
type contest struct {
	candidate
	goal bool // the ratio of the rates has one
}

// arena is contests with the same bare system.
type arena struct {
	bare     candidate
	contests []contest
}

func arenas() []arena {
	return []arena{
		{candidate{name: "naive, bare", start: bareNaive}, []contest{
			{candidate{name: "naive, bare, a second copy (noise)", start: bareNaive}, false},
			{candidate{name: "naive under zdhost, adopted", start: adoptedNaive}, true},
			{candidate{name: "naive under zdhost, inherited", start: inheritedNaive}, true},
			{candidate{name: "naive behind HAProxy", needs: needsHAProxy, start: behindHAProxy}, false},
			{candidate{name: "naive behind nginx", needs: needsNginx, start: behindNginx}, false},
		}},
		{candidate{name: "zdapp, bare", start: bareShop}, []contest{
			{candidate{name: "zdapp under zdhost", start: hostedShop}, true},
		}},
		{candidate{name: "nginx, bare", needs: needsNginx, start: bareNginx}, []contest{
			{candidate{name: "nginx under zdhost, adopted", needs: needsNginx, start: adoptedNginx}, true},
		}},
	}
}

// demand is a kind of load at which throughput is compared.
type demand struct {
	name    string
	options load.Options
}

func demands() []demand {
	return []demand{
		{"kept connections", load.Options{Mode: load.Kept, Clients: 32}},
		{"new connections", load.Options{Mode: load.NewConn, Clients: 16}},
	}
}

// tally sums up the runs of one system at one kind of load.
type tally struct {
	rates    []float64 // requests a second, of each run
	latency  load.Histogram
	requests int
	cpu      time.Duration
}

// throughput compares systems in pairs of short runs.
func throughput(ctx context.Context, w *workshop, s *section) error {
	s.Title = "Throughput"
	s.Method = fmt.Sprintf("The generator asks as fast as it is answered: 32 clients with kept connections and POST, or 16 with a connection for each "+
		"GET; %d pairs of runs of %v for each row, bare and other by turns. The ratio is the median of the pairs'. CPU counts all processes that serve.",
		w.scale.pairs, w.scale.run)
	for range demands() {
		s.Tables = append(s.Tables, table{Head: []string{"", "req/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs/req", "req/s over bare"}})
	}
	for i, t := range demands() {
		s.Tables[i].Title = t.name
	}
	var errs []error
	for _, a := range arenas() {
		errs = append(errs, a.hold(ctx, w, s))
	}
	return errors.Join(errs...)
}

// hold runs an arena's contests and adds its rows.
func (a arena) hold(ctx context.Context, w *workshop, s *section) (err error) {
	if a.bare.missing(w) {
		s.note("%s: %s.", a.bare.name, notInstalled)
		return nil
	}
	bare, err := a.bare.start(ctx, w)
	if err != nil {
		return fmt.Errorf("%s: %w", a.bare.name, err)
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	ofBare := make([]tally, len(demands()))
	rows := make([][][]string, len(demands()))
	var errs []error
	for _, c := range a.contests {
		if c.missing(w) {
			s.note("%s: %s.", c.name, notInstalled)
			continue
		}
		w.say("throughput: %s", c.name)
		others, ratios, err := c.compete(ctx, w, bare, ofBare)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
			continue
		}
		for i, t := range demands() {
			f := ratio(fmt.Sprintf("throughput, %s / bare, %s", c.name, t.name), ratios[i])
			if c.goal {
				f = f.against(atLeast(0.98))
			}
			s.figure(f)
			rows[i] = append(rows[i], others[i].row(c.name, ratios[i].String()))
		}
	}
	for i := range rows {
		if len(rows[i]) > 0 {
			s.Tables[i].Rows = append(append(s.Tables[i].Rows, ofBare[i].row(a.bare.name, "1")), rows[i]...)
		}
	}
	return errors.Join(errs...)
}

// compete starts the system and compares it with the bare one at each kind of load.
func (c contest) compete(ctx context.Context, w *workshop, bare system, ofBare []tally) (others []tally, ratios []estimate, err error) {
	other, err := c.start(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, other.stop()) }()
	for i, t := range demands() {
		var ofOther tally
		e, err := comparePairs(ctx, w.scale, t.options, bare, other, &ofBare[i], &ofOther)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", t.name, err)
		}
		others, ratios = append(others, ofOther), append(ratios, e)
	}
	return others, ratios, nil
}

// comparePairs runs bare and other by turns, ABBA, after one run each that doesn't count.
func comparePairs(ctx context.Context, size scale, o load.Options, bare, other system, ofBare, ofOther *tally) (estimate, error) {
	var discarded tally
	if err := errors.Join(discarded.run(ctx, size.run, o, bare), discarded.run(ctx, size.run, o, other)); err != nil {
		return estimate{}, err
	}
	var ratios []float64
	for i := range size.pairs {
		first, second := func() error { return ofBare.run(ctx, size.run, o, bare) }, func() error { return ofOther.run(ctx, size.run, o, other) }
		if i%2 == 1 {
			first, second = second, first
		}
		if err := first(); err != nil {
			return estimate{}, err
		}
		if err := second(); err != nil {
			return estimate{}, err
		}
		ratios = append(ratios, last(ofOther.rates)/last(ofBare.rates))
	}
	return estimateMedian(ratios), nil
}

// run adds one run of load on a system.
func (t *tally) run(ctx context.Context, length time.Duration, o load.Options, s system) error {
	before, err := cpuOf(s.roots())
	if err != nil {
		return err
	}
	r, err := drive(ctx, length, o, s.address())
	if err != nil {
		return err
	}
	after, err := cpuOf(s.roots())
	if err != nil {
		return err
	}
	t.rates = append(t.rates, float64(r.OK)/r.Elapsed.Seconds())
	t.latency.Merge(r.Latency)
	t.requests += r.OK
	t.cpu += after - before
	return nil
}

// drive runs load where nothing may fail.
func drive(ctx context.Context, length time.Duration, o load.Options, address string) (load.Result, error) {
	if err := ctx.Err(); err != nil {
		return load.Result{}, err
	}
	window, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	o.Address = address
	r, err := load.Run(window, o)
	switch {
	case err != nil:
		return r, err
	case r.Failed > 0:
		return r, fmt.Errorf("%d of %d requests failed: %s", r.Failed, r.Requests, r.Failures[0])
	case r.OK == 0:
		return r, errors.New("nothing was asked")
	}
	return r, nil
}

// row is the tally as one of a table.
func (t *tally) row(name, ratio string) []string {
	return []string{name, fmt.Sprintf("%.0f", median(t.rates)), ms(t.latency.P50()), ms(t.latency.P99()), ms(t.latency.P999()),
		fmt.Sprintf("%.1f", float64(t.cpu.Microseconds())/float64(t.requests)), ratio}
}

func last(xs []float64) float64 { return xs[len(xs)-1] }

// ms is a duration in milliseconds with three significant digits or so.
func ms(d time.Duration) string {
	f := inMilliseconds(d)
	switch {
	case f < 1:
		return fmt.Sprintf("%.3f", f)
	case f < 10:
		return fmt.Sprintf("%.2f", f)
	default:
		return fmt.Sprintf("%.1f", f)
	}
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
