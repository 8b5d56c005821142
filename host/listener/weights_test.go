package listener

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

func TestWeightsDivideConnections(t *testing.T) {
	const count = 10_000
	for _, b := range bindings {
		for _, weight := range []int{5000, 1000} {
			t.Run(fmt.Sprintf("%s %d", b.name, weight), func(t *testing.T) {
				l, lanes := b.lanes(t, 2, Options{})
				setWeights(t, l, Share{lanes[0], traffic.Whole - weight}, Share{lanes[1], weight})
				got := spread(t, l, b.hosts, count)
				share := 100 * float64(got[lanes[1]]) / count
				if want := float64(weight) / 100; math.Abs(share-want) > 2 {
					t.Errorf("lane 1 got %.2f %%, want %.0f ± 2", share, want)
				}
			})
		}
	}
}

func TestNothingForWeightZero(t *testing.T) {
	for _, b := range bindings {
		t.Run(b.name, func(t *testing.T) {
			l, lanes := b.lanes(t, 3, Options{})
			if got := spread(t, l, b.hosts, 2000); got[lanes[0]] != 2000 {
				t.Errorf("before weights were set the lanes got %v", got)
			}
			setWeights(t, l, Share{lanes[1], traffic.Whole})
			if got := spread(t, l, b.hosts, 2000); got[lanes[1]] != 2000 {
				t.Errorf("lanes got %v, want all on lane 1", got)
			}
			setWeights(t, l, Share{lanes[0], 5000}, Share{lanes[2], 5000}, Share{lanes[1], 0})
			if got := spread(t, l, b.hosts, 2000); got[lanes[1]] != 0 {
				t.Errorf("lanes got %v, want none on lane 1", got)
			}
		})
	}
}

func TestStickyClientsStay(t *testing.T) {
	b := bindings[0]
	l, lanes := b.lanes(t, 2, Options{Sticky: true})
	setWeights(t, l, Share{lanes[0], 5000}, Share{lanes[1], 5000})
	chosen := func(client int) *Lane {
		c := dial(t, l, "127.0.0.1", fmt.Sprintf("127.0.%d.%d:0", client/100, 1+client%100))
		defer c.Close()
		var lane *Lane
		eventually(t, "the connection is queued", func() bool {
			for _, candidate := range lanes {
				if acceptAll(t, candidate) == 1 {
					lane = candidate
				}
			}
			return lane != nil
		})
		return lane
	}
	first := make(map[int]*Lane)
	counts := make(map[*Lane]int)
	for client := range 300 {
		first[client] = chosen(client)
		counts[first[client]]++
	}
	for client := range 300 {
		if got := chosen(client); got != first[client] {
			t.Fatalf("client %d moved from lane %d to lane %d", client, first[client].Index(), got.Index())
		}
	}
	if counts[lanes[0]] < 90 || counts[lanes[1]] < 90 {
		t.Errorf("300 clients divide into %d and %d", counts[lanes[0]], counts[lanes[1]])
	}
}

func TestSetWeightsRefuses(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	_, foreign := bindings[0].lanes(t, 1, Options{})
	setWeights(t, l, Share{lanes[1], traffic.Whole})
	cases := map[string][]Share{
		"no share":       {},
		"too little":     {{lanes[0], 1}},
		"a lane twice":   {{lanes[0], 5000}, {lanes[0], 5000}},
		"a foreign lane": {{lanes[0], 5000}, {foreign[0], 5000}},
		"no lane":        {{nil, traffic.Whole}},
	}
	for name, shares := range cases {
		if err := l.SetWeights(shares...); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if got := spread(t, l, []string{"127.0.0.1"}, 100); got[lanes[1]] != 100 {
		t.Errorf("a refused change steered: %v", got)
	}
	if lanes[1].Weight() != traffic.Whole || lanes[0].Weight() != 0 {
		t.Errorf("weights are %v", l.Weights())
	}
}

func TestSharedLaneHasNoWeights(t *testing.T) {
	l, lane := unixLane(t, socketPath(t), Options{})
	if err := l.SetWeights(Share{lane, traffic.Whole}); !errors.Is(err, ErrShared) {
		t.Errorf("got %v", err)
	}
	second := openUnix(t, socketPath(t))
	defer unix.Close(second)
	if _, err := l.AddLane(second); !errors.Is(err, ErrShared) {
		t.Errorf("a second unix lane gives %v", err)
	}
}

func BenchmarkSetWeights(b *testing.B) {
	for _, count := range []int{2, 8, 64} {
		b.Run(fmt.Sprintf("%d lanes", count), func(b *testing.B) {
			l, lanes := bindings[0].lanes(b, count, Options{})
			shares := make([]Share, count)
			for i, lane := range lanes {
				shares[i] = Share{lane, traffic.Whole / count}
			}
			shares[0].Weight += traffic.Whole % count
			for b.Loop() {
				setWeights(b, l, shares...)
			}
		})
	}
}
