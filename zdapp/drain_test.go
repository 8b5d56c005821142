package zdapp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// TestDrainWithoutSuccessorForgetsTheOneBefore: when all generations are drained at once, one that was quiesced keeps
// what it has, since nobody reads the inbox that it knew.
func TestDrainWithoutSuccessorForgetsTheOneBefore(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	streamer := streaming(t, h, p, 150)
	q := h.ready()
	p.quiesce(q, 1)
	q.drain(nil, 1)
	p.tell(workload.Message{Type: workload.TypeDrain, Epoch: 2, DeadlineMS: 15_000, WindowMS: 10_000})
	if _, _, err := streamer.response(); err != nil {
		t.Fatal(err)
	}
	told(t, streamer, p)
	if m := p.await(workload.TypeDrained); m.MovedOut != 0 || m.Told != 1 || m.Cut != 0 {
		t.Errorf("%+v", m.Stats)
	}
	p.ended()
}

// TestDrainWithoutSuccessorReadsItsInbox: what was on its way when all generations were drained arrives.
func TestDrainWithoutSuccessorReadsItsInbox(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	moves := streaming(t, h, p, 50)
	q := h.start(false)
	q.await(workload.TypeReady)
	p.quiesce(q, 1)
	var stays *client
	eventually(t, "q has a connection", func() bool {
		stays = dial(t, h.address, "stays")
		pid, err := stays.post()
		return err == nil && pid == q.pid()
	})
	if err := stays.write("GET /stream?chunks=200 HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "q streams", func() bool { return q.await(workload.TypeStats).Active == 1 })
	q.tell(workload.Message{Type: workload.TypeDrain, Epoch: 1, DeadlineMS: 15_000, WindowMS: 10_000})
	if _, _, err := moves.response(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "p has moved it", func() bool { return p.await(workload.TypeStats).Connections == 0 })
	told(t, moves, q)
	if _, text, err := stays.response(); err != nil || strings.Count(text, "chunk") != 200 {
		t.Errorf("stream: %v, %q", err, text)
	}
}

// streaming is a client to which the process streams so many chunks, one each 20 ms.
func streaming(t *testing.T, h *fakeHost, by *process, chunks int) *client {
	t.Helper()
	c := dial(t, h.address, "down")
	if err := c.write(fmt.Sprintf("GET /stream?chunks=%d HTTP/1.1\r\nHost: test\r\n\r\n", chunks)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it streams", func() bool { return by.await(workload.TypeStats).Active == 1 })
	return c
}

// told makes one request that has to be answered by the process, as the connection's last.
func told(t *testing.T, c *client, by *process) {
	t.Helper()
	request, body := c.next()
	if err := c.write(request); err != nil {
		t.Fatal(err)
	}
	r, text, err := c.response()
	if err != nil || !r.Close || text != fmt.Sprintf("%s %d", body, by.pid()) {
		t.Fatalf("response %v, %q, error %v; want the last one, by program %d (%d)", r, text, err, by.number, by.pid())
	}
}
