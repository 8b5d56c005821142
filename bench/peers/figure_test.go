package main

import (
	"math"
	"testing"
)

func TestStanding(t *testing.T) {
	for _, c := range []struct {
		goal      goal
		low, high float64
		want      standing
	}{
		{atLeast(0.98), 0.98, 1.02, met},
		{atLeast(0.98), 0.97, 1.02, unclear},
		{atLeast(0.98), 0.90, 0.979, missed},
		{atMost(1.1), 0.9, 1.1, met},
		{atMost(1.1), 1.0, 1.2, unclear},
		{atMost(1.1), 1.11, 1.2, missed},
		{atMost(40), 17.5, 17.5, met},
		{atMost(40), 41, 41, missed},
		{atMost(40), math.NaN(), math.NaN(), unclear},
	} {
		if got := c.goal.standing(c.low, c.high); got != c.want {
			t.Errorf("%v…%v against %v is %s, want %s", c.low, c.high, c.goal, got, c.want)
		}
	}
}

func TestFigureJudgesItsInterval(t *testing.T) {
	f := ratio("r", estimate{Median: 0.99, Low: 0.97, High: 1.01}).against(atLeast(0.98))
	if f.Standing != unclear || f.Goal != "≥ 0.98" || f.String() != "0.990 (0.970–1.010)" {
		t.Errorf("got %+v, %s", f, f)
	}
	n := number("n", 17.53, "MB").against(atMost(40))
	if n.Standing != met || n.Goal != "≤ 40" || n.String() != "17.5 MB" {
		t.Errorf("got %+v, %s", n, n)
	}
}
