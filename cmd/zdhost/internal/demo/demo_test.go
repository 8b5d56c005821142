package demo

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// TestMain lets the test binary play the demo's server.
func TestMain(m *testing.M) {
	if address := os.Getenv("DEMO_TEST_ADDRESS"); address != "" {
		_ = Serve(context.Background(), ServerOptions{
			Release: "crashing", Address: address, CrashAfter: 300 * time.Millisecond, Tally: os.Getenv("DEMO_TEST_TALLY"),
		})
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name             string
		requests, failed int
		forgiven         int
		lost             string
		bad              bool
	}{
		{"nothing lost", 1000, 0, 0, "lost: 0\n", false},
		{"the crash's own", 1000, 3, 5, "lost: 0\n", false},
		{"more than the crash's", 1000, 7, 5, "lost: 2\n", true},
		{"without a crash", 1000, 1, 0, "lost: 1\n", true},
		{"nobody asked", 0, 0, 0, "lost: 0\n", true},
	}
	for _, test := range tests {
		var out bytes.Buffer
		result := load.Result{Requests: test.requests, Failed: test.failed, OK: test.requests - test.failed, Latency: &load.Histogram{}}
		err := verdict(&out, result, test.forgiven)
		if (err != nil) != test.bad || !strings.HasSuffix(out.String(), test.lost) {
			t.Errorf("%s: %v, %q", test.name, err, out.String())
		}
	}
}

// TestCrashIsCounted crashes a real server under load that nobody keeps up. (What waits in its queue
// is reset here; under zdhost the queue outlives it.)
func TestCrashIsCounted(t *testing.T) {
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	stage := &stage{dir: t.TempDir()}
	server := exec.Command("/proc/self/exe")
	server.Env = append(os.Environ(), "DEMO_TEST_ADDRESS="+address, "DEMO_TEST_TALLY="+stage.tallyFile())
	listens, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill() }()
	if _, err := listens.Read(make([]byte, 1)); err != nil { // its first line: it listens
		t.Fatal(err)
	}
	audience := seat(t.Context(), address)
	_ = server.Wait()
	result, err := audience.leave()
	if err != nil {
		t.Fatal(err)
	}
	if server.ProcessState.ExitCode() != 3 || result.OK == 0 {
		t.Errorf("the server ended as %v after %d answers", server.ProcessState, result.OK)
	}
	if forgiven := stage.forgiven(); forgiven < 1 || forgiven > clients {
		t.Errorf("it counted %d accepted requests of %d clients", forgiven, clients)
	}
	if result.Failed == 0 {
		t.Error("the clients did not notice the crash of a server that nobody replaces")
	}
	if seen := audience.now(); seen.asked != result.Requests || seen.answeredBy() != "crashing" {
		t.Errorf("the scene has %+v, the run %v", seen, result)
	}
}

func TestAHostThatDoesNotComeUpIsSaid(t *testing.T) {
	err := Play(t.Context(), "/bin/false", &bytes.Buffer{}, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot start the host: it ended") {
		t.Fatal(err)
	}
	_, kept, _ := strings.Cut(err.Error(), "(")
	dir, _, ok := strings.Cut(kept, " is kept)")
	if !ok || !strings.HasPrefix(filepath.Base(dir), "zdhost-demo-") {
		t.Fatalf("no directory in %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
