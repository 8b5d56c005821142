package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		samples []float64
		want    float64
	}{
		{[]float64{3}, 3},
		{[]float64{5, 1, 3}, 3},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(c.samples); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.samples, got, c.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing is %v", got)
	}
}

func TestMedianLeavesTheSamplesInOrder(t *testing.T) {
	samples := []float64{3, 1, 2}
	estimateMedian(samples)
	median(samples)
	if samples[0] != 3 || samples[1] != 1 || samples[2] != 2 {
		t.Errorf("samples are now %v", samples)
	}
}

// The ranks are those of printed tables of the sign test's interval.
func TestIntervalRanks(t *testing.T) {
	for _, c := range []struct {
		n         int
		low, high float64
		coverage  float64
	}{
		{1, 1, 1, 0},
		{5, 1, 5, 0.9375},
		{6, 1, 6, 0.96875},
		{10, 2, 9, 0.9785},
		{20, 6, 15, 0.9586},
		{24, 7, 18, 0.9773},
		{100, 40, 61, 0.9648},
	} {
		samples := make([]float64, c.n)
		for i, rank := range rand.Perm(c.n) {
			samples[i] = float64(rank + 1)
		}
		got := estimateMedian(samples)
		if got.Low != c.low || got.High != c.high || math.Abs(got.Coverage-c.coverage) > 5e-5 || got.Samples != c.n {
			t.Errorf("of 1…%d: %+v, want ranks %v and %v with %v", c.n, got, c.low, c.high, c.coverage)
		}
	}
	if got := estimateMedian(nil); !math.IsNaN(got.Median) || got.Samples != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}

// TestIntervalCoversTheMedian draws from a skewed distribution whose median is known.
func TestIntervalCoversTheMedian(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	const rounds = 4000
	covered := 0
	for range rounds {
		samples := make([]float64, 20)
		for i := range samples {
			samples[i] = source.ExpFloat64()
		}
		if e := estimateMedian(samples); e.Low <= math.Ln2 && math.Ln2 <= e.High {
			covered++
		}
	}
	if share := float64(covered) / rounds; math.Abs(share-0.9586) > 0.012 {
		t.Errorf("the interval holds the median in %.3f of the rounds, want 0.959", share)
	}
}
