package traffic

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
)

// netOffset makes a load relative to the network header (SKF_NET_OFF): the kernel hands the program a packet that
// begins behind the transport header.
const netOffset = 0xfff0_0000

// Offsets in the headers, from the network header on.
const (
	versionAt   = 0  // version, and the length of an IPv4 header
	source4At   = 12 // IPv4 source address
	port4At     = 20 // source port behind an IPv4 header without options
	next6At     = 6  // IPv6 next header
	source6At   = 8  // IPv6 source address
	port6At     = 40 // source port behind an IPv6 header without extensions
	plain4      = 0x45
	version6    = 0x60
	versionMask = 0xf0
	protoTCP    = 6
	protoUDP    = 17
)

func load(at, size int) bpf.Instruction {
	return bpf.LoadAbsolute{Off: netOffset + uint32(at), Size: size}
}

// matchProbes answers with a probe's lane if the packet comes from its source, and falls through otherwise. An IPv4
// packet keeps its IPv4 header on a [::] listener, so the version decides, not the socket's family. Packets with
// IPv4 options or IPv6 extension headers have their ports elsewhere and fall through as ordinary ones.
func matchProbes(probes []Probe) []bpf.Instruction {
	var four, six []bpf.Instruction
	for _, p := range probes {
		source := onWire(p.Source)
		if source.Addr().Is4() {
			four = append(four, matchProbe4(source, p.Lane)...)
		} else {
			six = append(six, matchProbe6(source, p.Lane)...)
		}
	}
	if len(four)+len(six) == 0 {
		return nil
	}
	if len(six) > 0 {
		six = append(onlyIf6(len(six)), six...)
	}
	program := []bpf.Instruction{load(versionAt, 1)}
	if len(four) > 0 {
		// Jump reaches further than JumpIf, whose distance is a byte.
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: plain4, SkipTrue: 1},
			bpf.Jump{Skip: uint32(len(four) + 1)})
		program = append(program, four...)
		program = append(program, bpf.Jump{Skip: uint32(len(six))})
	}
	return append(program, six...)
}

// onlyIf6 skips the next n instructions unless the accumulator holds the first byte of an IPv6 header and TCP or UDP
// follows that header at once.
func onlyIf6(n int) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: versionMask},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: version6, SkipTrue: 1},
		bpf.Jump{Skip: uint32(4 + n)},
		load(next6At, 1),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoTCP, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoUDP, SkipTrue: 1},
		bpf.Jump{Skip: uint32(n)},
	}
}

func matchProbe4(source netip.AddrPort, lane int) []bpf.Instruction {
	address := source.Addr().As4()
	return []bpf.Instruction{
		load(source4At, 4),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(address[:]), SkipTrue: 3},
		load(port4At, 2),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(source.Port()), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(lane)},
	}
}

func matchProbe6(source netip.AddrPort, lane int) []bpf.Instruction {
	address := source.Addr().As16()
	// Each word takes two instructions; after the last come the three that match the port and answer.
	var program []bpf.Instruction
	for word := range 4 {
		rest := uint8(2*(3-word) + 3)
		program = append(program,
			load(source6At+4*word, 4),
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(address[4*word:]), SkipTrue: rest})
	}
	return append(program,
		load(port6At, 2),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(source.Port()), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(lane)})
}
