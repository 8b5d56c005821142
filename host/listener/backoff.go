package listener

import (
	"context"
	"time"
)

// backoff paces the polling of kernel state that nothing announces: 1 ms at first, doubling to 20 ms.
type backoff struct{ next time.Duration }

const (
	backoffFirst = time.Millisecond
	backoffLast  = 20 * time.Millisecond
)

// wait returns the context's error if that ends first.
func (b *backoff) wait(ctx context.Context) error {
	b.next = min(max(2*b.next, backoffFirst), backoffLast)
	return pause(ctx, b.next)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
