package load

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsCoverTheirValues(t *testing.T) {
	for _, us := range []int64{0, 1, 63, 64, 65, 127, 128, 1000, 1 << 20, 1<<40 - 1, 1 << 50} {
		b := bucketOf(us)
		clamped := min(us, 1<<40-1)
		if end := upperEnd(b); end <= clamped || float64(end-clamped) > 1+float64(clamped)/64 {
			t.Errorf("%d µs is in bucket %d, which ends at %d", us, b, end)
		}
		if b > 0 && upperEnd(b-1) > clamped {
			t.Errorf("%d µs is in bucket %d, but the one before ends at %d", us, b, upperEnd(b-1))
		}
	}
}

func TestQuantiles(t *testing.T) {
	var a, b Histogram
	var all []time.Duration
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 10000 {
		d := time.Duration(random.ExpFloat64() * float64(3*time.Millisecond)).Truncate(time.Microsecond)
		all = append(all, d)
		if i%2 == 0 {
			a.Add(d)
		} else {
			b.Add(d)
		}
	}
	a.Merge(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.99, 0.999, 1} {
		want := all[max(int(q*10000)-1, 0)]
		if got := a.Quantile(q); got < want || float64(got-want) > float64(want)/64+float64(2*time.Microsecond) {
			t.Errorf("quantile %v is %v, want %v and at most 1/64 more", q, got, want)
		}
	}
	if a.Count() != 10000 || a.Max() != all[9999] {
		t.Errorf("count %d, max %v; want 10000, %v", a.Count(), a.Max(), all[9999])
	}
}

func TestEmptyHistogram(t *testing.T) {
	var h Histogram
	if h.P50() != 0 || h.Max() != 0 {
		t.Errorf("p50 %v, max %v of nothing", h.P50(), h.Max())
	}
	got, err := json.Marshal(&h)
	if want := `{"count":0,"p50_ms":0,"p99_ms":0,"p999_ms":0,"max_ms":0}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}
