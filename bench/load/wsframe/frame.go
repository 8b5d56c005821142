package wsframe

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Opcode is what a frame is for.
type Opcode byte

const (
	Text   Opcode = 0x1
	Binary Opcode = 0x2
	Close  Opcode = 0x8
	Ping   Opcode = 0x9
	Pong   Opcode = 0xa
)

// MaxPayload is the longest payload, in bytes.
const MaxPayload = 1<<16 - 1

// Frame is one final frame, unmasked.
type Frame struct {
	Opcode  Opcode
	Payload []byte
}

// Append appends one final frame to b. Clients mask (RFC 6455, 5.3), servers don't. A payload over MaxPayload
// panics.
func Append(b []byte, op Opcode, payload []byte, masked bool) []byte {
	if len(payload) > MaxPayload {
		panic(fmt.Sprintf("wsframe: payload of %d bytes", len(payload)))
	}
	var maskBit byte
	if masked {
		maskBit = 0x80
	}
	b = append(b, 0x80|byte(op))
	if len(payload) < 126 {
		b = append(b, maskBit|byte(len(payload)))
	} else {
		b = append(b, maskBit|126)
		b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	}
	if !masked {
		return append(b, payload...)
	}
	var key [4]byte
	rand.Read(key[:])
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// Read reads one frame and unmasks it. io.EOF means that the connection ended before it, io.ErrUnexpectedEOF
// inside it.
func Read(in *bufio.Reader) (Frame, error) {
	first, err := in.ReadByte()
	if err != nil {
		return Frame{}, err
	}
	if first&0xf0 != 0x80 {
		return Frame{}, fmt.Errorf("cannot read frame: fragment or extension (first byte %#x)", first)
	}
	second, err := in.ReadByte()
	if err != nil {
		return Frame{}, inside(err)
	}
	size := int(second & 0x7f)
	switch size {
	case 127:
		return Frame{}, fmt.Errorf("cannot read frame: payload is over %d bytes", MaxPayload)
	case 126:
		var long [2]byte
		if _, err := io.ReadFull(in, long[:]); err != nil {
			return Frame{}, inside(err)
		}
		size = int(binary.BigEndian.Uint16(long[:]))
	}
	var key [4]byte
	if second&0x80 != 0 {
		if _, err := io.ReadFull(in, key[:]); err != nil {
			return Frame{}, inside(err)
		}
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(in, payload); err != nil {
		return Frame{}, inside(err)
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return Frame{Opcode: Opcode(first & 0x0f), Payload: payload}, nil
}

// Accept is the Sec-WebSocket-Accept value for a Sec-WebSocket-Key.
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
