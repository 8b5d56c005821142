package traffic

import (
	"encoding/binary"
	"math"
	"net/netip"
	"testing"
)

// TestStickyClientsStay draws each client with many random numbers and ports, which must not matter.
func TestStickyClientsStay(t *testing.T) {
	s := simulate(t, Plan{Shares: []Share{{Lane: 0, Weight: 5000}, {Lane: 1, Weight: 5000}}, Sticky: true})
	for i := range 50 {
		first4, first6 := s.run(packet4(nthClient4(i, 1)), 0), s.run(packet6(nthClient6(i, 1)), 0)
		for port := uint16(2); port < 6; port++ {
			if got := s.run(packet4(nthClient4(i, port)), uint32(port)*977); got != first4 {
				t.Fatalf("IPv4 client %d moved from lane %d to %d", i, first4, got)
			}
			if got := s.run(packet6(nthClient6(i, port)), uint32(port)*977); got != first6 {
				t.Fatalf("IPv6 client %d moved from lane %d to %d", i, first6, got)
			}
		}
	}
}

// TestStickyGrowthKeepsClients raises a canary's weight: who had it keeps it.
func TestStickyGrowthKeepsClients(t *testing.T) {
	plan := func(canary int) simulation {
		return simulate(t, Plan{Shares: []Share{{Lane: 0, Weight: Whole - canary}, {Lane: 1, Weight: canary}}, Sticky: true})
	}
	small, large := plan(500), plan(2500)
	for i := range 1500 {
		packet := packet4(nthClient4(i, 1))
		if small.run(packet, 0) == 1 && large.run(packet, 0) != 1 {
			t.Fatalf("client %d left the canary when it grew", i)
		}
	}
}

// TestStickySpread checks that neighbouring addresses spread as independent ones would: within five standard
// deviations of the weight.
func TestStickySpread(t *testing.T) {
	const clients = 4000
	for _, weight := range []int{500, 5000} {
		s := simulate(t, Plan{Shares: []Share{{Lane: 0, Weight: Whole - weight}, {Lane: 1, Weight: weight}}, Sticky: true})
		p := float64(weight) / Whole
		tolerance := 5 * math.Sqrt(clients*p*(1-p))
		for name, packet := range map[string]func(int) []byte{
			"IPv4":                      func(i int) []byte { return packet4(nthClient4(i, 1)) },
			"IPv6 hosts of one network": func(i int) []byte { return packet6(nthClient6(i, 1)) },
			"IPv6 networks":             func(i int) []byte { return packet6(nthNetwork6(i)) },
		} {
			got := 0
			for i := range clients {
				got += s.run(packet(i), 0)
			}
			if math.Abs(float64(got)-p*clients) > tolerance {
				t.Errorf("%s: %d of %d clients at weight %d", name, got, clients, weight)
			}
		}
	}
}

func nthClient4(i int, port uint16) netip.AddrPort {
	address := [4]byte{10, 0}
	binary.BigEndian.PutUint16(address[2:], uint16(i))
	return netip.AddrPortFrom(netip.AddrFrom4(address), port)
}

func nthClient6(i int, port uint16) netip.AddrPort {
	address := netip.MustParseAddr("2001:db8::").As16()
	binary.BigEndian.PutUint16(address[14:], uint16(i))
	return netip.AddrPortFrom(netip.AddrFrom16(address), port)
}

func nthNetwork6(i int) netip.AddrPort {
	address := netip.MustParseAddr("2001:db8::1").As16()
	binary.BigEndian.PutUint16(address[6:], uint16(i))
	return netip.AddrPortFrom(netip.AddrFrom16(address), 1)
}
