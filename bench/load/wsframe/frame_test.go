package wsframe

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535} {
		for _, masked := range []bool{false, true} {
			payload := bytes.Repeat([]byte{'a', 0xff}, size)[:size]
			wire := Append(nil, Binary, payload, masked)
			f, err := Read(bufio.NewReader(bytes.NewReader(wire)))
			if err != nil || f.Opcode != Binary || !bytes.Equal(f.Payload, payload) {
				t.Errorf("%d bytes, masked %v: got %d bytes, %v", size, masked, len(f.Payload), err)
			}
			if masked && size > 16 && bytes.Contains(wire, payload) {
				t.Errorf("%d bytes went out unmasked", size)
			}
			for cut := range min(len(wire), 12) {
				_, err := Read(bufio.NewReader(bytes.NewReader(wire[:cut])))
				if want := io.ErrUnexpectedEOF; cut > 0 && err != want || cut == 0 && err != io.EOF {
					t.Errorf("%d of %d bytes: error is %v", cut, len(wire), err)
				}
			}
		}
	}
}

// TestExamples are those of RFC 6455, 1.3 and 5.7.
func TestExamples(t *testing.T) {
	if got, want := Accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("accept is %q, want %q", got, want)
	}
	if got, want := Append(nil, Text, []byte("Hello"), false), []byte{0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}; !bytes.Equal(got, want) {
		t.Errorf("frame is %x, want %x", got, want)
	}
	wire := []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}
	if f, err := Read(bufio.NewReader(bytes.NewReader(wire))); err != nil || f.Opcode != Text || string(f.Payload) != "Hello" {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestRefused(t *testing.T) {
	for name, wire := range map[string][]byte{
		"fragment":  {0x01, 0x01, 'x'},
		"extension": {0xc1, 0x01, 'x'},
		"too long":  {0x81, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0},
	} {
		if _, err := Read(bufio.NewReader(bytes.NewReader(wire))); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
