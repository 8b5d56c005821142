package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// tail is a system whose latency is looked at while something happens to it each second.
type tail struct {
	candidate
	during  string // what happens
	options load.Options
	// disturbance returns what happens, and what ends it.
	disturbance func(w *workshop, s system) (happen func(context.Context) error, end func() error)
	goal        bool
}

func tails() []tail {
	fresh := load.Options{Mode: load.NewConn, Clients: 16, Think: 5 * time.Millisecond}
	kept := load.Options{Mode: load.Kept, Clients: 32, Think: 5 * time.Millisecond}
	return []tail{
		{candidate{name: "naive, bare, new connections", start: bareNaive}, "a copy of it is started and stopped", fresh, startNeighbour, false},
		{candidate{name: "naive under zdhost, adopted, new connections", start: adoptedNaive}, "it is upgraded", fresh, upgradeIt, true},
		{candidate{name: "zdapp under zdhost, kept connections", start: hostedShop}, "it is upgraded", kept, upgradeIt, true},
	}
}

const (
	firstHappening = 100 * time.Millisecond // after the beginning of a window
	betweenThem    = time.Second
)

// latency compares the tail of windows with and without upgrades.
func latency(ctx context.Context, w *workshop, s *section) error {
	s.Title = "Latency during upgrades"
	s.Method = fmt.Sprintf("Clients with a think time of 5 ms (16 with new connections, 32 with kept ones); %d pairs of windows of %v, in one of each pair something "+
		"happens each second. The ratio is the median of the pairs' ratios of p99. The first row is no upgrade: it shows what starting a process costs its neighbours on this machine.",
		w.scale.windows, w.scale.window)
	t := table{Head: []string{"", "each second", "p50 ms", "p99 ms", "p99.9 ms", "p99 during", "p99.9 during", "p99 during / without"}}
	var errs []error
	for _, l := range tails() {
		w.say("latency: %s", l.name)
		row, e, err := l.measure(ctx, w)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", l.name, err))
			continue
		}
		t.add(row...)
		f := ratio("p99 during upgrades / without, "+l.name, e)
		if l.goal {
			f = f.against(atMost(1.1))
		} else {
			f.Name = "p99 while a copy is started / without, " + l.name
		}
		s.figure(f)
	}
	s.Tables = []table{t}
	return errors.Join(errs...)
}

func (l tail) measure(ctx context.Context, w *workshop) (row []string, e estimate, err error) {
	sys, err := l.start(ctx, w)
	if err != nil {
		return nil, e, err
	}
	defer func() { err = errors.Join(err, sys.stop()) }()
	happen, end := l.disturbance(w, sys)
	defer func() { err = errors.Join(err, end()) }()
	nothing := func(context.Context) error { return nil }
	if _, err := window(ctx, w.scale.window/4, l.options, sys, nothing); err != nil {
		return nil, e, err
	}
	var without, with load.Histogram
	var ratios []float64
	for i := range w.scale.windows {
		kinds := []func(context.Context) error{nothing, happen}
		p99 := make([]float64, 2)
		for j := range kinds {
			kind := (i + j) % 2 // ABBA
			h, err := window(ctx, w.scale.window, l.options, sys, kinds[kind])
			if err != nil {
				return nil, e, err
			}
			p99[kind] = float64(h.P99())
			[]*load.Histogram{&without, &with}[kind].Merge(h)
		}
		ratios = append(ratios, p99[1]/p99[0])
	}
	e = estimateMedian(ratios)
	return []string{l.name, l.during, ms(without.P50()), ms(without.P99()), ms(without.P999()), ms(with.P99()), ms(with.P999()), e.String()}, e, nil
}

// window runs load, while something happens at its beginning and then each second.
func window(ctx context.Context, length time.Duration, o load.Options, s system, happen func(context.Context) error) (*load.Histogram, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, length+comeUp, errors.New("the window did not end"))
	defer cancel()
	var wg sync.WaitGroup
	var happened error
	wg.Go(func() {
		for at := firstHappening; at < length && happened == nil; at += betweenThem {
			began := time.Now()
			happened = happen(ctx)
			_ = pause(ctx, min(betweenThem, length-at)-time.Since(began))
		}
	})
	r, err := drive(ctx, length, o, s.address())
	wg.Wait()
	if err := errors.Join(err, happened); err != nil {
		return nil, err
	}
	return r.Latency, nil
}

// upgradeIt upgrades the system itself.
func upgradeIt(_ *workshop, s system) (func(context.Context) error, func() error) {
	n := 0
	return func(ctx context.Context) error {
		n++
		return s.upgrade(ctx, fmt.Sprintf("r%d", n))
	}, func() error { return nil }
}

// startNeighbour starts a naive server that nobody asks, and stops the one before.
func startNeighbour(w *workshop, _ system) (func(context.Context) error, func() error) {
	var neighbour system
	end := func() error {
		if neighbour == nil {
			return nil
		}
		return neighbour.stop()
	}
	return func(ctx context.Context) error {
		if err := end(); err != nil {
			return err
		}
		next, err := bareNaive(ctx, w)
		neighbour = next
		return err
	}, end
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
