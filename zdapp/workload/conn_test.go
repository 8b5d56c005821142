package workload

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair returns two connected ends.
func pair(t *testing.T) (a, b *Conn) {
	t.Helper()
	s, r, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	if a, err = NewConn(s); err != nil {
		t.Fatal(err)
	}
	if b, err = NewConn(r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// open returns how many descriptors this process has.
func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestMessagesAndDescriptors(t *testing.T) {
	a, b := pair(t)
	want := Message{
		Type: TypeQuiesced, Epoch: 7, Moved: 3, Names: []string{"web"},
		Stats: Stats{Requests: 9, Connections: 2, Histogram: []uint64{0, 4}},
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	if err := a.Send(want, pipe[1]); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(pipe[1])
	got, fds, err := b.Receive()
	if err != nil || len(fds) != 1 || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v, %v", got, fds, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if _, err := unix.Write(fds[0], []byte("x")); err != nil {
		t.Error(err)
	}
	CloseAll(fds)
}

func TestAwaitTakesNothing(t *testing.T) {
	a, b := pair(t)
	_ = b.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if err := b.Await(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("without a message: %v", err)
	}
	_ = b.SetReadDeadline(time.Time{})
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	if err := a.Send(Message{Type: TypeMove}, null); err != nil {
		t.Fatal(err)
	}
	before := open(t)
	for range 2 {
		if err := b.Await(); err != nil {
			t.Fatal(err)
		}
	}
	if after := open(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	m, fds, err := b.TryReceive()
	if err != nil || m.Type != TypeMove || len(fds) != 1 {
		t.Errorf("%+v, %v, %v", m, fds, err)
	}
	CloseAll(fds)
	_ = a.Close()
	if err := b.Await(); err != nil {
		t.Errorf("at the end: %v", err)
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	a, b := pair(t)
	raw(t, a, `{"type":"drain","epoch":3,"colour":{"red":1},"deadline_ms":5}`)
	if m, _, err := b.Receive(); err != nil || m.Type != TypeDrain || m.Epoch != 3 || m.DeadlineMS != 5 {
		t.Errorf("%+v, %v", m, err)
	}
	raw(t, a, `not JSON`)
	if _, _, err := b.Receive(); err == nil {
		t.Error("a message that is no JSON was accepted")
	}
}

// raw sends bytes as they are, with copies of descriptors.
func raw(t *testing.T, c *Conn, text string, fds ...int) {
	t.Helper()
	var sent error
	err := c.SyscallConn().Control(func(fd uintptr) {
		sent = unix.Sendmsg(int(fd), []byte(text), unix.UnixRights(fds...), nil, 0)
	})
	if err = errors.Join(err, sent); err != nil {
		t.Fatal(err)
	}
}

func TestTruncationLosesNoDescriptor(t *testing.T) {
	a, b := pair(t)
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	many := make([]int, MaxDescriptors+3)
	for i := range many {
		many[i] = null
	}
	before := open(t)
	raw(t, a, `{"type":"lanes"}`, many...)
	if _, _, err := b.Receive(); !errors.Is(err, ErrTruncated) {
		t.Errorf("too many descriptors: %v", err)
	}
	raw(t, a, `{"type":"`+strings.Repeat("x", MaxMessage)+`"}`, null)
	if _, _, err := b.Receive(); !errors.Is(err, ErrTruncated) {
		t.Errorf("too long: %v", err)
	}
	if after := open(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if err := a.Send(Message{Type: TypeLanes}, many...); err == nil {
		t.Error("sent more descriptors than a message holds")
	}
	if err := a.Send(Message{Type: strings.Repeat("x", MaxMessage)}); err == nil {
		t.Error("sent more bytes than a message holds")
	}
}

func TestWaiting(t *testing.T) {
	a, b := pair(t)
	if _, _, err := b.TryReceive(); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing there: %v", err)
	}
	_ = b.SetReadDeadline(time.Unix(1, 0))
	if _, _, err := b.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("late: %v", err)
	}
	_ = b.SetReadDeadline(time.Time{})
	_ = a.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	sent := 0
	var err error
	for err == nil { // until the socket is full
		if err = a.Send(Message{Type: TypeStats}); err == nil {
			sent++
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("full: %v", err)
	}
	_ = a.SetWriteDeadline(time.Time{})
	done := make(chan error, 1)
	go func() { done <- a.Send(Message{Type: TypeReady}) }()
	for range sent {
		if m, _, err := b.Receive(); err != nil || m.Type != TypeStats {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("after there was room: %v", err)
	}
	if m, _, err := b.Receive(); err != nil || m.Type != TypeReady {
		t.Errorf("%+v, %v", m, err)
	}
	_ = a.Close()
	if _, _, err := b.Receive(); err != io.EOF {
		t.Errorf("the other end is closed: %v", err)
	}
}

func TestDialAndListen(t *testing.T) {
	dir := t.TempDir()
	far := filepath.Join(dir, strings.Repeat("long", 30))
	if err := os.Mkdir(far, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "s"), filepath.Join(far, "s")} {
		if _, err := Dial(t.Context(), path); !errors.Is(err, unix.ENOENT) {
			t.Errorf("nobody there: %v", err)
		}
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Send(Message{Type: TypeHello, PID: 1}); err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close() // what was sent is still there
		if m, _, err := s.Receive(); err != nil || m.PID != 1 {
			t.Errorf("%+v, %v", m, err)
		}
		_ = s.Close()
		_ = l.Close()
		if _, err := l.Accept(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
}

func TestDialGivesUpOnAFullBacklog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 1000 { // nobody accepts
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		c, err := Dial(ctx, path)
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			return
		}
		defer c.Close()
	}
	t.Error("the backlog is never full")
}

func TestMilliseconds(t *testing.T) {
	for ms, want := range map[int64]time.Duration{-1: 0, 0: 0, 1500: 1500 * time.Millisecond, 1 << 62: 24 * time.Hour} {
		if got := Milliseconds(ms); got != want {
			t.Errorf("%d: %v, want %v", ms, got, want)
		}
	}
}
