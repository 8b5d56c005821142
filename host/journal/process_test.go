package journal

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// The test binary plays the writer that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("JOURNAL_TEST_WRITER"); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

func writeForEver(dir string) {
	l, err := Open(dir, Options{SegmentBytes: 64 << 10, disk: quickDisk()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		r, err := l.Append(Record{Type: 5, Payload: fmt.Appendf(nil, "record %d", l.Last()+1)})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if _, err := fmt.Println(r.Seq); err != nil {
			os.Exit(1)
		}
	}
}

func startWriter(t *testing.T, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_WRITER="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acknowledged := uint64(0)
	for round := range 8 {
		cmd, lines := startWriter(t, dir)
		for n := 0; lines.Scan(); n++ {
			seq, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			acknowledged = seq
			if n == 200*(round+1) {
				cmd.Process.Kill() // what it had printed until then is still read
			}
		}
		cmd.Wait()
		l := open(t, dir, Options{})
		if l.Err() != nil || l.Last() < acknowledged || l.Epoch() != uint64(2*round+2) {
			t.Fatalf("round %d: last %d of %d, epoch %d, %v", round, l.Last(), acknowledged, l.Epoch(), l.Err())
		}
		for _, r := range readAll(t, l) {
			if string(r.Payload) != fmt.Sprintf("record %d", r.Seq) || r.Epoch%2 != 1 {
				t.Fatalf("round %d: %+v", round, r)
			}
		}
		l.Close()
	}
}

func TestTwoWriters(t *testing.T) {
	dir := t.TempDir()
	cmd, lines := startWriter(t, dir)
	if !lines.Scan() {
		t.Fatal("the writer doesn't write")
	}
	_, err := Open(dir, Options{})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid {
		t.Fatalf("got %v, want it locked by %d", err, cmd.Process.Pid)
	}
	if err := ReadDir(dir, func(Record) error { return nil }); err != nil {
		t.Fatalf("reading beside the writer: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	l := open(t, dir, Options{})
	_, err = Open(dir, Options{})
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("second opening in one process: %v", err)
	}
	appendN(t, l, 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(Record{}); !errors.Is(err, ErrClosed) {
		t.Fatalf("append after close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
}
