package inetdiag

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// State is a TCP state, numbered as the kernel does.
type State uint8

// The states of a socket. NewSynRecv never leaves the kernel: half-open handshakes are reported as SynRecv.
const (
	Established State = unix.BPF_TCP_ESTABLISHED
	SynSent     State = unix.BPF_TCP_SYN_SENT
	SynRecv     State = unix.BPF_TCP_SYN_RECV
	FinWait1    State = unix.BPF_TCP_FIN_WAIT1
	FinWait2    State = unix.BPF_TCP_FIN_WAIT2
	TimeWait    State = unix.BPF_TCP_TIME_WAIT
	Close       State = unix.BPF_TCP_CLOSE
	CloseWait   State = unix.BPF_TCP_CLOSE_WAIT
	LastAck     State = unix.BPF_TCP_LAST_ACK
	Listen      State = unix.BPF_TCP_LISTEN
	Closing     State = unix.BPF_TCP_CLOSING
)

const allStates = 1<<(Closing+1) - 1

func (s State) String() string {
	switch s {
	case Established:
		return "ESTABLISHED"
	case SynSent:
		return "SYN_SENT"
	case SynRecv:
		return "SYN_RECV"
	case FinWait1:
		return "FIN_WAIT1"
	case FinWait2:
		return "FIN_WAIT2"
	case TimeWait:
		return "TIME_WAIT"
	case Close:
		return "CLOSE"
	case CloseWait:
		return "CLOSE_WAIT"
	case LastAck:
		return "LAST_ACK"
	case Listen:
		return "LISTEN"
	case Closing:
		return "CLOSING"
	}
	return fmt.Sprintf("state %d", uint8(s))
}
