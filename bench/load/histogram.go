package load

import (
	"encoding/json"
	"math/bits"
	"time"
)

// Histogram counts latencies in buckets whose width is at most 1/64 of their value, from 1 µs up to 2^40 µs
// (12 days). The zero value is ready to use; it isn't safe for concurrent use.
type Histogram struct {
	buckets [subBuckets * (41 - subBits)]int64
	count   int64
	max     time.Duration
}

const (
	subBits    = 6
	subBuckets = 1 << subBits
)

// Add counts one latency; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	h.buckets[bucketOf(max(d, 0).Microseconds())]++
	h.count++
	h.max = max(h.max, d)
}

// Merge adds what another histogram has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

// Count is the number of latencies.
func (h *Histogram) Count() int64 { return h.count }

// Max is the largest latency, exactly; 0 if there is none.
func (h *Histogram) Max() time.Duration { return h.max }

// P50 is the median.
func (h *Histogram) P50() time.Duration { return h.Quantile(0.50) }

// P99 is the 99th percentile.
func (h *Histogram) P99() time.Duration { return h.Quantile(0.99) }

// P999 is the 99.9th percentile.
func (h *Histogram) P999() time.Duration { return h.Quantile(0.999) }

// Quantile is the smallest bucket's upper end below which at least the share q (0 to 1) of the latencies lie,
// and never more than Max; 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	wanted := max(int64(q*float64(h.count)+0.999999), 1)
	var seen int64
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen >= wanted {
			return min(time.Duration(upperEnd(i))*time.Microsecond, h.max)
		}
	}
	return h.max
}

// MarshalJSON writes the count and the quantiles in milliseconds, not the buckets.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return json.Marshal(struct {
		Count int64   `json:"count"`
		P50   float64 `json:"p50_ms"`
		P99   float64 `json:"p99_ms"`
		P999  float64 `json:"p999_ms"`
		Max   float64 `json:"max_ms"`
	}{h.count, ms(h.P50()), ms(h.P99()), ms(h.P999()), ms(h.max)})
}

// bucketOf is the bucket of a number of microseconds: exact below 64, then 64 buckets a power of two.
func bucketOf(us int64) int {
	us = min(us, 1<<40-1)
	if us < subBuckets {
		return int(us)
	}
	shift := bits.Len64(uint64(us)) - subBits - 1
	return (shift+1)*subBuckets + int(us>>shift) - subBuckets
}

// upperEnd is the smallest number of microseconds that is beyond a bucket.
func upperEnd(bucket int) int64 {
	if bucket < subBuckets {
		return int64(bucket) + 1
	}
	shift := bucket/subBuckets - 1
	return int64(bucket%subBuckets+subBuckets+1) << shift
}
