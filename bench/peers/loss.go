package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// scenario is a shape of traffic under which losses are counted.
type scenario struct {
	name    string
	options load.Options
	settle  time.Duration // from the last upgrade to the end, so that each client speaks once more
}

func scenarios() []scenario {
	return []scenario{
		{"A", load.Options{Mode: load.NewConn, Clients: 16}, 300 * time.Millisecond},
		{"B", load.Options{Mode: load.Kept, Clients: 32, Think: 2 * time.Millisecond}, 300 * time.Millisecond},
		{"C", load.Options{Mode: load.Kept, Clients: 64, Think: 300 * time.Millisecond}, 700 * time.Millisecond},
	}
}

// sufferer is a system whose clients' losses are counted.
type sufferer struct {
	candidate
	scenarios string // of these names
	still     bool   // nothing happens to it
	toEnd     bool   // the load goes on until every old generation has ended, its drain timeout included
	want      expectation
}

// expectation is what a control must show.
type expectation int

const (
	anything expectation = iota
	unpromised
	noLoss
	someLoss
)

func sufferers() []sufferer {
	return []sufferer{
		{candidate: candidate{name: "control: naive, no upgrade", start: bareNaive}, scenarios: "ABC", still: true, want: noLoss},
		{candidate: candidate{name: "control: naive, stop then start", start: bareNaive}, scenarios: "ABC", want: someLoss},
		{candidate: candidate{name: "zdhost: naive, adopted", start: adoptedNaive}, scenarios: "A"},
		{candidate: candidate{name: "naive under zdhost, adopted, until its drains end", start: adoptedNaive}, scenarios: "BC", toEnd: true, want: unpromised},
		{candidate: candidate{name: "zdhost: zdapp", start: hostedShop}, scenarios: "ABC"},
		{candidate: candidate{name: "nginx reload, naive behind it", needs: needsNginx, start: behindNginx}, scenarios: "ABC"},
		{candidate: candidate{name: "HAProxy reload, naive behind it", needs: needsHAProxy, start: behindHAProxy}, scenarios: "ABC"},
	}
}

// betweenUpgrades is from the beginning of one to that of the next, or longer where one takes longer.
const betweenUpgrades = 250 * time.Millisecond

// suffered is what the clients of one run saw.
type suffered struct {
	load.Result
	upgrades int
}

// loss counts what clients lose while systems are upgraded.
func loss(ctx context.Context, w *workshop, s *section) error {
	s.Title = "Loss"
	s.Method = fmt.Sprintf("Requests that failed, of all, while each system is upgraded or reloaded every %v, %d times; clients never retry. A: a new connection for each request, 16 clients. "+
		"B: kept connections, POST, think time 2 ms, 32 clients. C: the same, think time 300 ms, 64 clients. One run each.", betweenUpgrades, w.scale.upgrades)
	t := table{Head: []string{"", "A", "B", "C", "p99 ms A/B", "connections in B (32 clients)"}}
	var errs []error
	for _, f := range sufferers() {
		if f.missing(w) {
			s.note("%s: %s.", f.name, notInstalled)
			continue
		}
		w.say("loss: %s", f.name)
		seen, err := f.measure(ctx, w)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
			continue
		}
		errs = append(errs, f.check(seen))
		t.add(f.row(seen)...)
		f.figures(s, seen)
	}
	s.Tables = []table{t}
	s.note("0 failures in %d upgrades mean, with 95 %% confidence, fewer than %.2g an upgrade (rule of three).", w.scale.upgrades, 3/float64(w.scale.upgrades))
	s.note("Programs that don't use zdapp keep their connections until these are quiet or the drain timeout comes (30 s, their signal after 25): " +
		"clients that speak all the time are then at the mercy of the program's own shutdown. That row waits for it; nothing is promised there.")
	s.note("An upgrade is a new release of the program, except for the proxies: they are reloaded with a changed configuration, and the program behind them goes on.")
	return errors.Join(errs...)
}

// measure runs the scenarios, each with a system of its own.
func (f sufferer) measure(ctx context.Context, w *workshop) (map[string]suffered, error) {
	seen := map[string]suffered{}
	for _, sc := range scenarios() {
		if !strings.Contains(f.scenarios, sc.name) {
			continue
		}
		r, err := f.suffer(ctx, w, sc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sc.name, err)
		}
		seen[sc.name] = r
	}
	return seen, nil
}

func (f sufferer) suffer(ctx context.Context, w *workshop, sc scenario) (seen suffered, err error) {
	sys, err := f.start(ctx, w)
	if err != nil {
		return seen, err
	}
	defer func() { err = errors.Join(err, sys.stop()) }()
	traffic, end := context.WithCancel(ctx)
	defer end()
	o := sc.options
	o.Address = sys.address()
	done := make(chan error, 1)
	go func() {
		var err error
		seen.Result, err = load.Run(traffic, o)
		done <- err
	}()
	upgrades, err := f.upgrades(ctx, w.scale.upgrades, sys)
	if old, ok := sys.(interface{ drained(context.Context) error }); ok && err == nil && f.toEnd {
		err = old.drained(ctx)
	}
	if err == nil {
		err = pause(ctx, sc.settle)
	}
	end()
	err = errors.Join(err, <-done)
	seen.upgrades = upgrades
	if n := seen.ByKind[load.KindLocal]; n > 0 {
		err = errors.Join(err, fmt.Errorf("the generator ran out of something %d times: %s", n, seen.Failures[0]))
	}
	if err == nil && !f.still && len(seen.ByRelease) < 2 {
		err = fmt.Errorf("one release answered everything: %v", seen.ByRelease)
	}
	return seen, err
}

// upgrades upgrades the system at its pace, after a first pause. It returns how many it did.
func (f sufferer) upgrades(ctx context.Context, n int, s system) (int, error) {
	pace := time.NewTicker(betweenUpgrades)
	defer pace.Stop()
	for i := range n + 1 {
		if i > 0 && !f.still {
			if err := s.upgrade(ctx, fmt.Sprintf("r%d", i)); err != nil {
				return i - 1, err
			}
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return i, context.Cause(ctx)
		}
	}
	return n, nil
}

// check compares a control with what it must show. Stop-then-start must lose something in one scenario at least.
func (f sufferer) check(seen map[string]suffered) error {
	failed := 0
	for _, r := range seen {
		failed += r.Failed
	}
	switch {
	case f.want == noLoss && failed > 0:
		return fmt.Errorf("%s: %d requests failed: the losses below aren't the upgrades' alone", f.name, failed)
	case f.want == someLoss && failed == 0:
		return fmt.Errorf("%s: nothing failed: the generator doesn't see losses", f.name)
	}
	return nil
}

func (f sufferer) row(seen map[string]suffered) []string {
	const none = "—"
	row := []string{f.name}
	for _, sc := range scenarios() {
		cell := none
		if r, ok := seen[sc.name]; ok {
			cell = fmt.Sprintf("%d of %d", r.Failed, r.Requests)
		}
		row = append(row, cell)
	}
	tail := func(name string) string {
		if r, ok := seen[name]; ok {
			return ms(r.Latency.P99())
		}
		return none
	}
	tails, connections := tail("A")+"/"+tail("B"), none
	if b, ok := seen["B"]; ok {
		connections = fmt.Sprint(b.Opened)
	}
	return append(row, tails, connections)
}

func (f sufferer) figures(s *section, seen map[string]suffered) {
	for _, sc := range scenarios() {
		r, ok := seen[sc.name]
		if !ok {
			continue
		}
		n := number(fmt.Sprintf("lost, %s, %s", f.name, sc.name), float64(r.Failed), fmt.Sprintf("of %d requests", r.Requests))
		if f.want == anything && f.needs == nil {
			n = n.against(atMost(0))
			if r.Failed > 0 {
				s.note("%s, %s: %v; the first: %s.", f.name, sc.name, r.ByKind, r.Failures[0])
			}
		}
		s.figure(n)
	}
}
