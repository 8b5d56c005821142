package zdapp

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// buckets is the length of the histogram; the last bucket begins at 2^30 µs, 18 minutes.
const buckets = 32

// tally counts what the instance has done. The zero value counts from zero.
type tally struct {
	requests, completed atomic.Uint64
	accepted, movedIn   atomic.Uint64
	movedOut, told, cut atomic.Uint64
	histogram           [buckets]atomic.Uint64
}

// observe notes the latency of one request.
func (t *tally) observe(d time.Duration) {
	i := bits.Len64(uint64(max(d.Microseconds(), 0)))
	t.histogram[min(i, buckets-1)].Add(1)
}

// stats reads the counters one by one: each is exact, their sum is of no instant.
func (t *tally) stats(connections int) workload.Stats {
	completed := t.completed.Load() // before requests, so that active is never negative
	requests := t.requests.Load()
	s := workload.Stats{
		Requests:    requests,
		Active:      int(requests - completed),
		Completed:   completed,
		Accepted:    t.accepted.Load(),
		MovedIn:     t.movedIn.Load(),
		MovedOut:    t.movedOut.Load(),
		Told:        t.told.Load(),
		Cut:         t.cut.Load(),
		Connections: connections,
	}
	for i := range t.histogram {
		if n := t.histogram[i].Load(); n > 0 {
			s.Histogram = append(s.Histogram, make([]uint64, i+1-len(s.Histogram))...)
			s.Histogram[i] = n
		}
	}
	return s
}
