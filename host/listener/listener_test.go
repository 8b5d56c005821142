package listener

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

// TestNothingIsLeft counts descriptors and goroutines around everything that opens some, failures included.
func TestNothingIsLeft(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 3, Options{})
	local, lane := unixLane(t, socketPath(t), Options{})
	everything := func() {
		soon, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		for _, probed := range lanes {
			_ = l.Probe(soon, probed, nil) // which nobody accepts
			acceptAll(t, probed)
		}
		_ = local.Probe(soon, lane, nil)
		acceptAll(t, lane)
		if err := l.Locate(within(t)); err != nil {
			t.Fatal(err)
		}
		setWeights(t, l, Share{lanes[0], traffic.Whole})
		if _, err := lanes[1].DrainQueue(within(t)); err != nil {
			t.Fatal(err)
		}
		for _, used := range append([]*Lane{lane}, lanes...) {
			if err := used.ResetOptions(); err != nil {
				t.Fatal(err)
			}
		}
		shutDown(t, lanes[2])
		if _, err := l.Repair(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	everything() // the runtime opens its own at first use
	files, goroutines := descriptors(), runtime.NumGoroutine()
	for range 5 {
		everything()
	}
	eventually(t, "descriptors and goroutines are as before", func() bool {
		return descriptors() <= files && runtime.NumGoroutine() <= goroutines
	})
}

// TestCloseLeavesTheQueue closes this process's descriptors while another holder keeps a lane.
func TestCloseLeavesTheQueue(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	other, err := unix.FcntlInt(uintptr(lanes[0].FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	client := dial(t, l, "127.0.0.1", "")
	defer client.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(l.Lanes()) > 0 || len(l.Weights()) > 0 {
		t.Errorf("lanes are left: %v", l.Lanes())
	}
	if err := l.SetWeights(); err == nil {
		t.Error("weights of a closed listener were set")
	}
	fd, _, err := unix.Accept(other)
	if err != nil {
		t.Fatalf("the queue was lost: %v", err)
	}
	go echo(fd)
	if err := sayByte(client); err != nil {
		t.Fatal(err)
	}
}
