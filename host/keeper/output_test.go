package keeper

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testOutput writes to log and returns the child's end of its stdout,
// non-blocking.
func testOutput(t *testing.T, log string) (o *output, stdout int) {
	t.Helper()
	o, ends, err := newOutput(t.TempDir(), "a", log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeEnds(ends) })
	if err := unix.SetNonblock(ends[0], true); err != nil {
		t.Fatal(err)
	}
	return o, ends[0]
}

// A worker that outlives its master goes on writing; the master's exit must be
// told all the same.
func TestFlushEndsWhileSomebodyGoesOnWriting(t *testing.T) {
	o, stdout := testOutput(t, filepath.Join(t.TempDir(), "log"))
	stop, full := make(chan struct{}), make(chan struct{}, 4)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			lines := bytes.Repeat([]byte("fifteen letters\n"), 256) // more work to take than to write
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := unix.Write(stdout, lines); err != nil {
					select {
					case full <- struct{}{}:
					default:
						runtime.Gosched()
					}
				}
			}
		})
	}
	<-full
	if !o.flush(10 * time.Second) {
		t.Error("it waits for the writers")
	}
	close(stop)
	writers.Wait()
	o.close()
}

// hang returns a path at which a file can't be opened until the test ends.
func hang(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
			t.Cleanup(func() { _ = f.Close() })
		}
	})
	return path
}

func TestFlushDoesNotWaitForAHangingDisk(t *testing.T) {
	o, stdout := testOutput(t, hang(t))
	if _, err := unix.Write(stdout, []byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() { done <- o.flush(50 * time.Millisecond) }()
	select {
	case flushed := <-done:
		if flushed {
			t.Error("it says that a disk that hangs has taken the output")
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}

func TestSweepDoesNotWaitForAHangingDisk(t *testing.T) {
	b := newBench(t, 1)
	o, stdout := testOutput(t, hang(t))
	if _, err := unix.Write(stdout, []byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	b.children["a"] = &child{spec: Spawn{ID: "a"}, notify: -1, out: o, exit: &Exit{}, pid: 1 << 30, strays: noStrays}
	done := make(chan struct{})
	go func() { b.sweep(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}

func TestNoFlushIsForgotten(t *testing.T) {
	o, _ := testOutput(t, filepath.Join(t.TempDir(), "log"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5000 {
				if !o.flush(5 * time.Second) {
					t.Error("nobody answers")
					return
				}
			}
		})
	}
	all.Wait()
	o.close()
}
