package main

import (
	"fmt"
	"math"
	"slices"
)

// estimate is a median with an interval that holds the true one with probability Coverage.
type estimate struct {
	Median   float64 `json:"median"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Coverage float64 `json:"coverage"` // 0 to 1
	Samples  int     `json:"samples"`
}

// wantedCoverage is that of the intervals where there are enough samples.
const wantedCoverage = 0.95

// estimateMedian takes the interval from the order statistics: the k-th smallest and the k-th largest sample, with the
// largest k whose coverage is at least 95 %. Below six samples even the extremes cover less, and Coverage says so.
// Without samples everything is NaN.
func estimateMedian(samples []float64) estimate {
	n := len(samples)
	if n == 0 {
		return estimate{Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(samples))
	k, coverage := 1, coverageOf(1, n)
	for 2*(k+1) <= n && coverageOf(k+1, n) >= wantedCoverage {
		k++
		coverage = coverageOf(k, n)
	}
	return estimate{Median: middle(sorted), Low: sorted[k-1], High: sorted[n-k], Coverage: coverage, Samples: n}
}

// coverageOf is the probability that the median of a distribution lies between the k-th smallest and the k-th largest
// of n samples: 1 − 2·P(fewer than k of n fair coins show heads).
func coverageOf(k, n int) float64 {
	term, tail := math.Pow(0.5, float64(n)), 0.0
	for i := range k {
		tail += term
		term *= float64(n-i) / float64(i+1)
	}
	return max(0, 1-2*tail)
}

// median of samples; NaN without any.
func median(samples []float64) float64 {
	return middle(slices.Sorted(slices.Values(samples)))
}

func middle(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// String is the median and its interval with three decimals.
func (e estimate) String() string {
	return fmt.Sprintf("%.3f (%.3f–%.3f)", e.Median, e.Low, e.High)
}
