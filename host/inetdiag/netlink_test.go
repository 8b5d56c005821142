package inetdiag

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// message builds a netlink message as the kernel would.
func message(kind, flags uint16, payload ...byte) []byte {
	m := make([]byte, unix.SizeofNlMsghdr)
	binary.NativeEndian.PutUint32(m, uint32(unix.SizeofNlMsghdr+len(payload)))
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], flags)
	m = append(m, payload...)
	return append(m, make([]byte, align(len(m))-len(m))...)
}

func errno(code int32) []byte {
	return binary.NativeEndian.AppendUint32(nil, uint32(code))
}

func TestAnswerReads(t *testing.T) {
	var a answer
	first := slices.Concat(message(20, unix.NLM_F_MULTI, 1, 2, 3), message(unix.NLMSG_NOOP, 0), message(20, unix.NLM_F_MULTI, 4))
	if err := a.read(first); err != nil || a.done {
		t.Fatalf("error %v, done %v", err, a.done)
	}
	if err := a.read(message(unix.NLMSG_DONE, unix.NLM_F_MULTI, errno(0)...)); err != nil || !a.done || a.interrupted {
		t.Fatalf("error %v, answer %+v", err, a)
	}
	if len(a.rows) != 2 || !slices.Equal(a.rows[0], []byte{1, 2, 3}) || !slices.Equal(a.rows[1], []byte{4}) {
		t.Fatalf("rows are %v", a.rows)
	}
}

func TestAnswerRefuses(t *testing.T) {
	whole := message(20, 0, 1, 2, 3, 4)
	short, long := slices.Clone(whole), slices.Clone(whole)
	binary.NativeEndian.PutUint32(short, 3)
	binary.NativeEndian.PutUint32(long, 400)
	cases := map[string][]byte{
		"half a header":    whole[:9],
		"half a message":   whole[:18],
		"length too short": short,
		"length too long":  long,
	}
	for name, datagram := range cases {
		if err := new(answer).read(datagram); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if err := new(answer).read(message(unix.NLMSG_ERROR, 0, errno(-int32(unix.EPERM))...)); !errors.Is(err, unix.EPERM) {
		t.Errorf("the kernel's error became %v", err)
	}
	if err := new(answer).read(message(unix.NLMSG_DONE, 0, errno(-int32(unix.EINVAL))...)); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a failed dump became %v", err)
	}
	if err := new(answer).read(message(unix.NLMSG_OVERRUN, 0)); !errors.Is(err, unix.ENOBUFS) {
		t.Errorf("an overrun became %v", err)
	}
}

func TestAnswerNotesInterruption(t *testing.T) {
	var a answer
	if err := a.read(message(20, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR, 1)); err != nil || !a.interrupted {
		t.Fatalf("error %v, answer %+v", err, a)
	}
}

func TestAttributesStopAtDamage(t *testing.T) {
	var got []uint16
	note := func(kind uint16, value []byte) { got = append(got, kind) }
	good := []byte{8, 0, 1, 0, 9, 9, 9, 9, 5, 0, 2, 0, 7, 0, 0, 0}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the bytes above are little-endian")
	}
	attributes(append(good, 99, 0, 3, 0), note)
	attributes([]byte{2, 0, 4, 0}, note)
	attributes([]byte{4, 0}, note)
	if !slices.Equal(got, []uint16{1, 2}) {
		t.Fatalf("attributes are %v", got)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(message(20, 0, 1, 2, 3, 4))
	f.Add(message(unix.NLMSG_ERROR, 0, errno(-2)...))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		var a answer
		if a.read(datagram) != nil {
			return
		}
		for _, row := range a.rows {
			_, _ = decodeConn(row)
		}
	})
}
