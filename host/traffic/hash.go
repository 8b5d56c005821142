package traffic

import "golang.org/x/net/bpf"

// The odd constants of MurmurHash3's 32-bit finaliser, which spreads every input bit over the whole word.
const (
	mix1 = 0x85eb_ca6b
	mix2 = 0xc2b2_ae35
)

// hashClient leaves a 32-bit hash of the client's whole address in the accumulator: 4 bytes of an IPv4 packet, 16 of
// an IPv6 one. A client keeps its hash over connections, listeners, hosts and versions of this program.
func hashClient() []bpf.Instruction {
	six := []bpf.Instruction{load(source6At, 4)}
	for word := 1; word < 4; word++ {
		six = append(six,
			bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: mix1},
			bpf.TAX{},
			load(source6At+4*word, 4),
			bpf.ALUOpX{Op: bpf.ALUOpXor})
	}
	program := []bpf.Instruction{
		load(versionAt, 1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: versionMask},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: version6, SkipTrue: 2},
		load(source4At, 4),
		bpf.Jump{Skip: uint32(len(six))},
	}
	program = append(program, six...)
	return append(program, finalise()...)
}

// finalise is MurmurHash3's fmix32 of the accumulator.
func finalise() []bpf.Instruction {
	var program []bpf.Instruction
	fold := func(shift uint32) {
		program = append(program, bpf.TAX{}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: shift}, bpf.ALUOpX{Op: bpf.ALUOpXor})
	}
	multiply := func(by uint32) {
		program = append(program, bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: by})
	}
	fold(16)
	multiply(mix1)
	fold(13)
	multiply(mix2)
	fold(16)
	return program
}
