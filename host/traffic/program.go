package traffic

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// maxInstructions is the kernel's limit for a classic program, BPF_MAXINSNS.
const maxInstructions = 4096

// Assemble returns the steering program of a plan, for SO_ATTACH_REUSEPORT_CBPF on any member of the group. The
// program answers with the lane of each new connection.
//
// Shares are exact: a draw is a 32-bit number modulo Whole, compared with the running sum of the weights. As 2³² is
// no multiple of Whole, the draws below 7,296 are favoured by one part in 429,496, far below what a count of
// connections can show.
//
// The error says what is wrong with the plan; a retry can't help.
func Assemble(p Plan) ([]bpf.RawInstruction, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("cannot assemble steering program: %w", err)
	}
	program := instructions(p)
	if len(program) > maxInstructions {
		return nil, fmt.Errorf("cannot assemble steering program: %d lanes and %d probes need %d instructions, the kernel takes %d",
			len(p.Shares), len(p.Probes), len(program), maxInstructions)
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("cannot assemble steering program: %w", err)
	}
	return raw, nil
}

// instructions lays the program out: probes first, then the draw, then the choice. A plan with a single live share
// needs no draw.
func instructions(p Plan) []bpf.Instruction {
	live := make([]Share, 0, len(p.Shares))
	for _, s := range p.Shares {
		if s.Weight > 0 {
			live = append(live, s)
		}
	}
	program := matchProbes(p.Probes)
	if len(live) > 1 {
		program = append(program, draw(p.Sticky)...)
	}
	return append(program, choose(live)...)
}

// draw leaves a number from 0 to Whole-1 in the accumulator.
func draw(sticky bool) []bpf.Instruction {
	reduce := bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: Whole}
	if sticky {
		return append(hashClient(), reduce)
	}
	return []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtRand}, reduce}
}

// choose answers with the share whose range holds the accumulator. Every weight is positive and they add up to
// Whole, so the last share needs no comparison.
func choose(live []Share) []bpf.Instruction {
	var program []bpf.Instruction
	below := 0
	for _, s := range live[:len(live)-1] {
		below += s.Weight
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: uint32(below), SkipTrue: 1},
			bpf.RetConstant{Val: uint32(s.Lane)})
	}
	return append(program, bpf.RetConstant{Val: uint32(live[len(live)-1].Lane)})
}
