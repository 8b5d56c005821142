package main

import (
	"fmt"
	"math"
)

// figure is one number that has a goal, or that a reader of the JSON wants by name.
type figure struct {
	Name     string   `json:"name"`
	Value    float64  `json:"value"`
	Low      *float64 `json:"low,omitempty"` // of the interval of 95 %, where there is one
	High     *float64 `json:"high,omitempty"`
	Unit     string   `json:"unit,omitempty"`
	Goal     string   `json:"goal,omitempty"` // "≥ 0.98"
	Standing standing `json:"standing,omitempty"`
}

// standing is where a figure stands to its goal.
type standing string

const (
	met     standing = "met"
	missed  standing = "missed"
	unclear standing = "unclear" // the interval includes the goal
)

// goal is a bound on a figure.
type goal struct {
	atLeast bool // else at most
	bound   float64
}

func atLeast(bound float64) goal { return goal{true, bound} }
func atMost(bound float64) goal  { return goal{false, bound} }

func (g goal) String() string {
	if g.atLeast {
		return fmt.Sprintf("≥ %g", g.bound)
	}
	return fmt.Sprintf("≤ %g", g.bound)
}

// holds reports whether a value reaches the goal.
func (g goal) holds(value float64) bool {
	if g.atLeast {
		return value >= g.bound
	}
	return value <= g.bound
}

// standing judges an interval; a single number is one with equal ends.
func (g goal) standing(low, high float64) standing {
	switch lowHolds, highHolds := g.holds(low), g.holds(high); {
	case math.IsNaN(low), math.IsNaN(high), lowHolds != highHolds:
		return unclear
	case lowHolds:
		return met
	default:
		return missed
	}
}

// number is a figure without an interval.
func number(name string, value float64, unit string) figure {
	return figure{Name: name, Value: value, Unit: unit}
}

// ratio is a figure with an interval.
func ratio(name string, e estimate) figure {
	return figure{Name: name, Value: e.Median, Low: &e.Low, High: &e.High}
}

// against sets the goal of a figure.
func (f figure) against(g goal) figure {
	low, high := f.Value, f.Value
	if f.Low != nil && f.High != nil {
		low, high = *f.Low, *f.High
	}
	f.Goal, f.Standing = g.String(), g.standing(low, high)
	return f
}

// String is the value with its interval and unit.
func (f figure) String() string {
	s := fmt.Sprintf("%.3g", f.Value)
	if f.Low != nil && f.High != nil {
		s = estimate{Median: f.Value, Low: *f.Low, High: *f.High}.String()
	}
	if f.Unit != "" {
		s += " " + f.Unit
	}
	return s
}
