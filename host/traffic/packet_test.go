package traffic

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"
)

// simulation runs a program on packets that begin at the network header, which the virtual machine of x/net can't
// address as the kernel does, and reads the kernel's random number, which it lacks, from behind the packet.
type simulation struct {
	t  fataler
	vm *bpf.VM
}

// randomAt is where a simulation expects the random number: behind every packet of these tests.
const randomAt = 64

// fataler is what both *testing.T and *rapid.T offer.
type fataler interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Helper()
}

func simulate(t fataler, plan Plan) simulation {
	t.Helper()
	raw, err := Assemble(plan)
	if err != nil {
		t.Fatal(err)
	}
	return newSimulation(t, raw)
}

func newSimulation(t fataler, raw []bpf.RawInstruction) simulation {
	t.Helper()
	program, all := bpf.Disassemble(raw)
	if !all {
		t.Fatal("an instruction can't be decoded")
	}
	for i, ins := range program {
		switch ins := ins.(type) {
		case bpf.LoadAbsolute:
			if ins.Off < netOffset {
				t.Fatalf("instruction %d doesn't load from the network header", i)
			}
			program[i] = bpf.LoadAbsolute{Off: ins.Off - netOffset, Size: ins.Size}
		case bpf.LoadExtension:
			program[i] = bpf.LoadAbsolute{Off: randomAt, Size: 4}
		}
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return simulation{t: t, vm: vm}
}

func (s simulation) run(packet []byte, random uint32) int {
	s.t.Helper()
	var input [randomAt + 4]byte
	copy(input[:], packet)
	binary.BigEndian.PutUint32(input[randomAt:], random)
	lane, err := s.vm.Run(input[:])
	if err != nil {
		s.t.Fatal(err)
	}
	return lane
}

func packet4(source netip.AddrPort) []byte {
	packet := make([]byte, 40)
	packet[0] = 0x45
	address := source.Addr().As4()
	copy(packet[12:], address[:])
	packet[20], packet[21] = byte(source.Port()>>8), byte(source.Port())
	return packet
}

// packet4WithOptions carries four bytes of options that look like the source port, behind a 24-byte header.
func packet4WithOptions(source netip.AddrPort) []byte {
	packet := append(packet4(source), 0, 0, 0, 0)
	packet[0] = 0x46
	return packet
}

func packet6(source netip.AddrPort) []byte {
	packet := make([]byte, 60)
	packet[0], packet[6] = 0x6a, protoTCP
	address := source.Addr().As16()
	copy(packet[8:], address[:])
	packet[40], packet[41] = byte(source.Port()>>8), byte(source.Port())
	return packet
}

func packet6WithExtension(source netip.AddrPort) []byte {
	packet := packet6(source)
	packet[6] = 0 // hop-by-hop options
	return packet
}

func TestProbesMatchExactly(t *testing.T) {
	other4, other6 := netip.MustParseAddr("192.0.2.8"), netip.MustParseAddr("2001:db8::1:7")
	mapped := netip.AddrPortFrom(netip.MustParseAddr("::ffff:192.0.2.7"), client4.Port())
	zoned := netip.AddrPortFrom(client6.Addr().WithZone("eth0"), client6.Port())
	udp6 := packet6(client6)
	udp6[6] = protoUDP
	cases := map[string]struct {
		probe  netip.AddrPort
		packet []byte
		want   int
	}{
		"IPv4":                {client4, packet4(client4), 1},
		"IPv6":                {client6, packet6(client6), 1},
		"IPv6 over UDP":       {client6, udp6, 1},
		"v4-mapped source":    {mapped, packet4(client4), 1},
		"zoned source":        {zoned, packet6(client6), 1},
		"other IPv4 port":     {client4, packet4(netip.AddrPortFrom(client4.Addr(), 40001)), 0},
		"other IPv4 address":  {client4, packet4(netip.AddrPortFrom(other4, client4.Port())), 0},
		"other IPv6 port":     {client6, packet6(netip.AddrPortFrom(client6.Addr(), 40001)), 0},
		"other IPv6 address":  {client6, packet6(netip.AddrPortFrom(other6, client6.Port())), 0},
		"IPv4 options":        {client4, packet4WithOptions(client4), 0},
		"IPv6 extension":      {client6, packet6WithExtension(client6), 0},
		"IPv6 to IPv4 probe":  {client4, packet6(client6), 0},
		"IPv4 to IPv6 probe":  {client6, packet4(client4), 0},
		"v4-mapped on the v6": {mapped, packet6(mapped), 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, Plan{
				Shares: []Share{{Lane: 0, Weight: Whole}, {Lane: 1}},
				Probes: []Probe{{Source: c.probe, Lane: 1}},
			})
			if got := s.run(c.packet, 0); got != c.want {
				t.Errorf("packet reached lane %d, want %d", got, c.want)
			}
		})
	}
}

func TestProbesOfBothFamiliesBesideEachOther(t *testing.T) {
	s := simulate(t, Plan{
		Shares: []Share{{Lane: 0, Weight: Whole}, {Lane: 1}, {Lane: 2}, {Lane: 3}},
		Probes: []Probe{
			{Source: client4, Lane: 1}, {Source: client6, Lane: 2},
			{Source: netip.AddrPortFrom(client6.Addr(), 5), Lane: 3}, {Source: netip.AddrPortFrom(client4.Addr(), 5), Lane: 2},
		},
	})
	for _, c := range []struct {
		packet []byte
		want   int
	}{
		{packet4(client4), 1}, {packet6(client6), 2},
		{packet6(netip.AddrPortFrom(client6.Addr(), 5)), 3}, {packet4(netip.AddrPortFrom(client4.Addr(), 5)), 2},
		{packet4(netip.AddrPortFrom(client4.Addr(), 6)), 0}, {packet6(netip.AddrPortFrom(client6.Addr(), 6)), 0},
	} {
		if got := s.run(c.packet, 0); got != c.want {
			t.Errorf("packet % x reached lane %d, want %d", c.packet[:44], got, c.want)
		}
	}
}
