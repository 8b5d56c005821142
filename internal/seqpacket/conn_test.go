package seqpacket

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (a, b *Conn) {
	t.Helper()
	x, y, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := New(x)
	b, err2 := New(y)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// null opens n descriptors of one file.
func null(t *testing.T, n int) []int {
	t.Helper()
	fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	fds := make([]int, n)
	for i := range fds {
		fds[i] = fd
	}
	return fds
}

// open counts this process's descriptors.
func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestMessageArrivesWhole(t *testing.T) {
	a, b := pair(t)
	buf := make([]byte, MaxMessage)
	for _, size := range []int{1, 4096, MaxMessage} {
		for _, fds := range []int{0, 1, MaxDescriptors} {
			want := bytes.Repeat([]byte{'x'}, size)
			if err := a.Send(want, null(t, fds)); err != nil {
				t.Fatal(err)
			}
			n, got, err := b.Receive(buf)
			if err != nil || !bytes.Equal(buf[:n], want) || len(got) != fds {
				t.Fatalf("%d of %d bytes, %d of %d descriptors, %v", n, size, len(got), fds, err)
			}
			for _, fd := range got {
				if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
					t.Fatalf("descriptor %d is not close-on-exec: %#x, %v", fd, flags, err)
				}
			}
			CloseAll(got)
		}
	}
}

func TestBoundariesAreKept(t *testing.T) {
	a, b := pair(t)
	for _, s := range []string{"one", "two", "three"} {
		if err := a.Send([]byte(s), nil); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 64)
	for _, want := range []string{"one", "two", "three"} {
		if n, _, err := b.Receive(buf); err != nil || string(buf[:n]) != want {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
}

func TestTruncationIsAnErrorAndLosesNoDescriptor(t *testing.T) {
	a, b := pair(t)
	before := open(t)
	some := null(t, 5)
	if err := a.Send([]byte("longer than the buffer"), some); err != nil {
		t.Fatal(err)
	}
	if _, fds, err := b.Receive(make([]byte, 4)); !errors.Is(err, ErrTruncated) || fds != nil {
		t.Errorf("bytes: %v, %v", fds, err)
	}
	// More descriptors than there is room for, which only a stranger would send.
	b.oob = make([]byte, unix.CmsgSpace(3*4))
	if err := a.Send([]byte("x"), some); err != nil {
		t.Fatal(err)
	}
	if _, fds, err := b.Receive(make([]byte, 4)); !errors.Is(err, ErrTruncated) || fds != nil {
		t.Errorf("descriptors: %v, %v", fds, err)
	}
	if after := open(t) - 1; after != before { // null has one
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestEnd(t *testing.T) {
	a, b := pair(t)
	if err := a.Send([]byte("last words"), nil); err != nil {
		t.Fatal(err)
	}
	_ = a.Close()
	buf := make([]byte, 64)
	if n, _, err := b.Receive(buf); err != nil || string(buf[:n]) != "last words" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if _, _, err := b.Receive(buf); err != io.EOF { // the very value
		t.Errorf("the end: %v", err)
	}
	if err := b.Send([]byte("x"), nil); !errors.Is(err, unix.EPIPE) {
		t.Errorf("nobody reads: %v", err)
	}
}

func TestCloseWakesReceive(t *testing.T) {
	_, b := pair(t)
	done := make(chan error, 1)
	go func() {
		_, _, err := b.Receive(make([]byte, 4))
		done <- err
	}()
	_ = b.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	a, _ := pair(t)
	for name, err := range map[string]error{
		"too long":             a.Send(make([]byte, MaxMessage+1), nil),
		"too many descriptors": a.Send([]byte("x"), null(t, MaxDescriptors+1)),
		"empty":                a.Send(nil, nil),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "cannot send") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeadlines(t *testing.T) {
	a, b := pair(t)
	_ = b.SetDeadline(time.Unix(1, 0))
	if _, _, err := b.Receive(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("receive: %v", err)
	}
	_ = a.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	var err error
	sent := 0
	for ; err == nil; sent++ { // until the socket is full
		err = a.Send(make([]byte, 4096), nil)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("send: %v", err)
	}
	_, _ = a.SetWriteDeadline(time.Time{}), b.SetDeadline(time.Time{})
	done := make(chan error, 1)
	go func() { done <- a.Send([]byte("x"), nil) }()
	buf := make([]byte, 4096)
	for range sent - 1 {
		if _, _, err := b.Receive(buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("once there was room: %v", err)
	}
}

func TestPeer(t *testing.T) {
	a, _ := pair(t)
	if pid, err := a.PeerPID(); err != nil || pid != os.Getpid() {
		t.Errorf("%d, %v", pid, err)
	}
}

func TestNewTakesTheDescriptorOver(t *testing.T) {
	x, y, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(y)
	c, err := New(x)
	if err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(x), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
	_ = c.Close()
	if _, err := unix.FcntlInt(uintptr(x), unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("it is open still: %v", err)
	}
	if _, err := New(-1); err == nil {
		t.Error("no descriptor at all was taken")
	}
}
