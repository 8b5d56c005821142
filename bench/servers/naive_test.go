package servers_test

import (
	"io"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/bench/servers"
)

// TestNaiveFinishesWhatItHas: SIGTERM lets a response in progress end, and then the process.
func TestNaiveFinishesWhatItHas(t *testing.T) {
	address := freeAddress(t)
	p := naive(t, address)
	answers(t, p, "http://"+address)
	stream, err := http.Get("http://" + address + "/stream?parts=2&pause=300ms")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	text, err := io.ReadAll(stream.Body)
	if want := "part 1/2 v1\npart 2/2 v1\n"; err != nil || string(text) != want {
		t.Errorf("got %q, %v; want %q", text, err, want)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("status %d, said %q", code, p.output)
	}
}

func TestNaiveOnUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p := naive(t, "unix:"+path)
	r := untilConnected(t, p, load.Options{Network: "unix", Address: path, Mode: load.Kept, Clients: 1, Exchanges: 3})
	if r.OK == 0 || r.ByRelease["v1"] != r.OK {
		t.Errorf("got %v\n%v", r, r.Failures)
	}
}

func naive(t *testing.T, address string) *process {
	t.Helper()
	s, err := servers.Named("naive")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Prepare(t.Context(), servers.Site{Dir: t.TempDir(), Address: address, Release: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, c)
}
