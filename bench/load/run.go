package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Run sends load until ctx is done or Options.Exchanges are used up, lets every client finish what is in flight,
// and returns what they saw. The error is about the options only; failures are in the Result.
func Run(ctx context.Context, options Options) (Result, error) {
	o, err := options.complete()
	if err != nil {
		return newResult(), err
	}
	began := time.Now()
	budget := &budget{limited: o.Exchanges > 0}
	budget.left.Store(int64(o.Exchanges))

	clients := make([]*client, o.Clients)
	var wg sync.WaitGroup
	for i := range clients {
		c := newClient(&o, fmt.Sprintf("%s-%d", o.Name, i+1), budget)
		clients[i] = c
		wg.Go(func() { c.run(ctx) })
	}
	wg.Wait()

	total := newResult()
	for _, c := range clients {
		total.merge(&c.seen, o.KeepFailures)
	}
	total.Elapsed = time.Since(began)
	return total, nil
}

// budget is the rounds that all clients together may still begin.
type budget struct {
	limited bool
	left    atomic.Int64
}

// take reports whether one more round may begin.
func (b *budget) take() bool { return !b.limited || b.left.Add(-1) >= 0 }
