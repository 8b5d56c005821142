package traffic

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden listings")

var (
	client4 = netip.MustParseAddrPort("192.0.2.7:40000")
	client6 = netip.MustParseAddrPort("[2001:db8::7]:40000")
)

// TestListings pins the program of each kind of plan. The listing reads as the kernel's assembler notation, with
// net[n] for a load at n from the network header.
func TestListings(t *testing.T) {
	half := []Share{{Lane: 0, Weight: 5000}, {Lane: 1, Weight: 5000}}
	plans := map[string]Plan{
		"one-lane":      {Shares: []Share{{Lane: 0, Weight: Whole}}},
		"only-lane-1":   {Shares: []Share{{Lane: 0, Weight: 0}, {Lane: 1, Weight: Whole}}},
		"canary":        {Shares: []Share{{Lane: 0, Weight: 9500}, {Lane: 1, Weight: 500}}},
		"three-lanes":   {Shares: []Share{{Lane: 2, Weight: 1}, {Lane: 0, Weight: 3333}, {Lane: 1, Weight: 6666}}},
		"sticky":        {Shares: half, Sticky: true},
		"probe-4":       {Shares: half, Probes: []Probe{{Source: client4, Lane: 1}}},
		"probe-6":       {Shares: half, Probes: []Probe{{Source: client6, Lane: 1}}},
		"probes-sticky": {Shares: half, Probes: []Probe{{Source: client6, Lane: 1}, {Source: client4, Lane: 0}}, Sticky: true},
	}
	for name, plan := range plans {
		t.Run(name, func(t *testing.T) {
			raw, err := Assemble(plan)
			if err != nil {
				t.Fatal(err)
			}
			got := listing(t, raw)
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("program changed:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestSharesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		s := simulate(t, plan)
		counts := make(map[int]int)
		for number := range uint32(Whole) {
			counts[s.run(packet4(client4), number+Whole*7)]++
		}
		for _, share := range plan.Shares {
			if counts[share.Lane] != share.Weight {
				t.Fatalf("lane %d got %d of %d draws, want %d", share.Lane, counts[share.Lane], Whole, share.Weight)
			}
		}
	})
}

// drawPlan cuts Whole into 1 to 12 shares, of which many are 0.
func drawPlan(t *rapid.T) Plan {
	cuts := rapid.SliceOfN(rapid.IntRange(0, 4*Whole), 0, 11).Draw(t, "cuts")
	lanes := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}).Draw(t, "lanes")
	var plan Plan
	rest := Whole
	for i, cut := range cuts {
		weight := 0
		if cut <= rest {
			weight = cut
		}
		rest -= weight
		plan.Shares = append(plan.Shares, Share{Lane: lanes[i], Weight: weight})
	}
	plan.Shares = append(plan.Shares, Share{Lane: lanes[len(cuts)], Weight: rest})
	return plan
}

func TestRefusedPlans(t *testing.T) {
	whole := []Share{{Lane: 0, Weight: Whole}}
	crowd := make([]Share, 0, 3000)
	for lane := range 3000 {
		crowd = append(crowd, Share{Lane: lane, Weight: 3})
	}
	crowd[0].Weight = Whole - 3*2999
	cases := map[string]struct {
		plan Plan
		want string
	}{
		"empty":           {Plan{}, "no shares"},
		"too little":      {Plan{Shares: []Share{{0, 9999}}}, "add up to 9999"},
		"too much":        {Plan{Shares: []Share{{0, 9999}, {1, 2}}}, "add up to 10001"},
		"negative":        {Plan{Shares: []Share{{0, Whole}, {1, -1}}}, "weight -1"},
		"hidden excess":   {Plan{Shares: []Share{{0, Whole + 1}, {1, -1}}}, "weight 10001"},
		"lane twice":      {Plan{Shares: []Share{{0, 5000}, {0, 5000}}}, "two shares"},
		"negative lane":   {Plan{Shares: []Share{{-1, Whole}}}, "lane -1"},
		"lane too high":   {Plan{Shares: []Share{{1 << 16, Whole}}}, "lane 65536"},
		"probe lane":      {Plan{Shares: whole, Probes: []Probe{{client4, -2}}}, "lane -2"},
		"probe no source": {Plan{Shares: whole, Probes: []Probe{{}}}, "not an address"},
		"probe no port":   {Plan{Shares: whole, Probes: []Probe{{netip.MustParseAddrPort("192.0.2.7:0"), 0}}}, "not an address"},
		"probe any":       {Plan{Shares: whole, Probes: []Probe{{netip.MustParseAddrPort("0.0.0.0:1"), 0}}}, "not an address"},
		"probe twice": {Plan{Shares: whole, Probes: []Probe{{client4, 0},
			{netip.AddrPortFrom(netip.MustParseAddr("::ffff:192.0.2.7"), client4.Port()), 0}}}, "named twice"},
		"too long": {Plan{Shares: crowd}, "the kernel takes 4096"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Assemble(c.plan)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestManyLanesAndProbesFit(t *testing.T) {
	plan := Plan{}
	for lane := range 1000 {
		plan.Shares = append(plan.Shares, Share{Lane: lane, Weight: 10})
	}
	for i := range 100 {
		plan.Probes = append(plan.Probes,
			Probe{Source: netip.AddrPortFrom(client4.Addr(), uint16(1000+i)), Lane: i},
			Probe{Source: netip.AddrPortFrom(client6.Addr(), uint16(1000+i)), Lane: 500 + i})
	}
	s := simulate(t, plan)
	for i := range 100 {
		port := uint16(1000 + i)
		if got := s.run(packet4(netip.AddrPortFrom(client4.Addr(), port)), 0); got != i {
			t.Fatalf("IPv4 probe %d reached lane %d", i, got)
		}
		if got := s.run(packet6(netip.AddrPortFrom(client6.Addr(), port)), 0); got != 500+i {
			t.Fatalf("IPv6 probe %d reached lane %d", i, got)
		}
	}
	if got := s.run(packet6(client6), Whole-1); got != 999 {
		t.Fatalf("last draw reached lane %d", got)
	}
}

func listing(t *testing.T, raw []bpf.RawInstruction) string {
	t.Helper()
	program, all := bpf.Disassemble(raw)
	if !all {
		t.Fatal("an instruction can't be decoded")
	}
	var b strings.Builder
	for i, ins := range program {
		text := fmt.Sprint(ins)
		if at, ok := ins.(bpf.LoadAbsolute); ok && at.Off >= netOffset {
			name := map[int]string{1: "ldb", 2: "ldh", 4: "ld"}[at.Size]
			text = fmt.Sprintf("%s net[%d]", name, at.Off-netOffset)
		}
		fmt.Fprintf(&b, "%3d  %s\n", i, text)
	}
	return b.String()
}
