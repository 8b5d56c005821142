package keeper

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"syscall"

	"github.com/zdhost/zdhost/internal/seqpacket"
)

// A message travels in frames: a header of frameHeader bytes and a part of its
// JSON. Descriptors ride on the frames, at most seqpacket.MaxDescriptors each.
//
//	magic "ZK" | version u8 | flags u8 (bit 0: more follows) | descriptors in all u32 | bytes in all u32
const (
	frameHeader = 12
	framePart   = seqpacket.MaxMessage - frameHeader
	frameMore   = 1

	// maxBytes and maxDescriptors bound one message: an environment and
	// arguments at the kernel's own limit fit, a runaway does not.
	maxBytes       = 8 << 20
	maxDescriptors = 4096
)

// message is the envelope of requests, replies and events.
type message struct {
	ID    uint64          `json:"id,omitempty"` // of the request; 0 for an event
	Kind  string          `json:"kind"`
	Error *Error          `json:"error,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
	fds   []int
	epoch int // of the host that sent it
}

// link sends and receives whole messages. One goroutine sends, one receives.
type link struct {
	conn *seqpacket.Conn
	in   []byte
	out  []byte
}

func newLink(fd int) (*link, error) {
	c, err := seqpacket.New(fd)
	if err != nil {
		return nil, err
	}
	return &link{conn: c, in: make([]byte, seqpacket.MaxMessage), out: make([]byte, 0, seqpacket.MaxMessage)}, nil
}

// send sends m. The caller keeps its descriptors.
func (l *link) send(m message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(body) > maxBytes || len(m.fds) > maxDescriptors {
		return fmt.Errorf("cannot send %q: %d bytes and %d descriptors are over the limit", m.Kind, len(body), len(m.fds))
	}
	total, fds := len(body), m.fds
	for first := true; first || len(body) > 0 || len(fds) > 0; first = false {
		part := body[:min(len(body), framePart)]
		some := fds[:min(len(fds), seqpacket.MaxDescriptors)]
		body, fds = body[len(part):], fds[len(some):]
		flags := byte(0)
		if len(body) > 0 || len(fds) > 0 {
			flags = frameMore
		}
		l.out = append(l.out[:0], 'Z', 'K', Version, flags)
		l.out = binary.LittleEndian.AppendUint32(l.out, uint32(len(m.fds)))
		l.out = binary.LittleEndian.AppendUint32(l.out, uint32(total))
		l.out = append(l.out, part...)
		if err := l.conn.Send(l.out, some); err != nil {
			return err
		}
	}
	return nil
}

// receive returns the next message; its descriptors are the caller's.
func (l *link) receive() (message, error) {
	var m message
	var body []byte
	for {
		n, fds, err := l.conn.Receive(l.in)
		m.fds = append(m.fds, fds...)
		if err != nil {
			seqpacket.CloseAll(m.fds)
			return message{}, err
		}
		more, wantFDs, wantBytes, err := header(l.in[:n])
		if err != nil {
			seqpacket.CloseAll(m.fds)
			return message{}, err
		}
		body = append(body, l.in[frameHeader:n]...)
		if more && len(body) <= wantBytes && len(m.fds) <= wantFDs {
			continue
		}
		if len(body) != wantBytes || len(m.fds) != wantFDs {
			seqpacket.CloseAll(m.fds)
			return message{}, fmt.Errorf("cannot read message: %d of %d bytes and %d of %d descriptors came", len(body), wantBytes, len(m.fds), wantFDs)
		}
		break
	}
	if err := json.Unmarshal(body, &m); err != nil {
		seqpacket.CloseAll(m.fds)
		return message{}, fmt.Errorf("cannot read message: %w", err)
	}
	return m, nil
}

func (l *link) close() { _ = l.conn.Close() }

func header(b []byte) (more bool, fds, bytes int, err error) {
	if len(b) < frameHeader || b[0] != 'Z' || b[1] != 'K' {
		return false, 0, 0, fmt.Errorf("cannot read message: not a frame")
	}
	if b[2] == 0 || b[2] > Version {
		return false, 0, 0, fmt.Errorf("cannot read message: protocol version %d, this program speaks %d", b[2], Version)
	}
	fds, bytes = int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint32(b[8:]))
	if fds > maxDescriptors || bytes > maxBytes {
		return false, 0, 0, fmt.Errorf("cannot read message: %d bytes and %d descriptors are over the limit", bytes, fds)
	}
	return b[3]&frameMore != 0, fds, bytes, nil
}

// wireError turns any error into what travels, keeping its number.
func wireError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // only the bare one is sent as it is
		return e
	}
	e := &Error{Text: err.Error()}
	for u := err; u != nil; {
		if n, ok := u.(syscall.Errno); ok { //nolint:errorlint // the chain is walked here
			e.Errno = n
			break
		}
		w, ok := u.(interface{ Unwrap() error })
		if !ok {
			break
		}
		u = w.Unwrap()
	}
	return e
}
