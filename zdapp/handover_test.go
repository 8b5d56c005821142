package zdapp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// handovers is how many upgrades the load test does.
const handovers = 24

// load is clients that send numbered requests over kept connections, each with its think time.
type load struct {
	stop    chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex
	sent    int
	failed  []error
}

// startLoad starts three clients for each think time, and one that says nothing between its first and last request.
func startLoad(t *testing.T, address string, thinks ...time.Duration) *load {
	t.Helper()
	l := &load{stop: make(chan struct{})}
	for i, think := range append(thinks, time.Hour) {
		for j := range 3 {
			c := dial(t, address, fmt.Sprintf("c%d.%d", i, j))
			l.running.Go(func() { l.drive(c, think) })
		}
	}
	return l
}

func (l *load) drive(c *client, think time.Duration) {
	for last := false; !last; {
		select {
		case <-l.stop:
			last = true
		default:
		}
		_, err := c.post()
		l.mu.Lock()
		l.sent++
		if err != nil {
			l.failed = append(l.failed, err)
			last = true
		}
		l.mu.Unlock()
		if think > 0 && !last {
			select {
			case <-time.After(think):
			case <-l.stop:
			}
		}
	}
}

// end stops the clients and checks that every request was answered by one execution; more of them are somebody else's.
func (l *load) end(t *testing.T, log string, more int) {
	t.Helper()
	close(l.stop)
	l.running.Wait()
	for _, err := range l.failed {
		t.Errorf("failed: %v", err)
	}
	twice, executed := duplicates(t, log)
	if len(twice) > 0 {
		t.Errorf("executed more than once: %v", twice)
	}
	if executed != l.sent+more {
		t.Errorf("%d requests sent, %d executed", l.sent+more, executed)
	}
	t.Logf("%d requests", l.sent)
}

func TestHandoverUnderLoad(t *testing.T) {
	h := newFakeHost(t)
	p := h.ready()
	l := startLoad(t, h.address, 0, 2*time.Millisecond, 300*time.Millisecond)
	var movedOut, movedIn uint64
	for i := range handovers {
		q := h.ready()
		p.quiesce(q, uint64(2*i+1))
		last := p.drain(q, uint64(2*i+2))
		if last.Told != 0 || last.Cut != 0 || last.Connections != 0 {
			t.Errorf("hand-over %d: %+v", i, last.Stats)
		}
		movedOut, movedIn = movedOut+last.MovedOut, movedIn+last.MovedIn
		p = q
	}
	l.end(t, h.log, 0)
	last := p.drain(nil, 1000)
	if movedIn += last.MovedIn; movedIn != movedOut || movedOut < 12*handovers {
		t.Errorf("%d connections moved out, %d moved in, in %d hand-overs of 12", movedOut, movedIn, handovers)
	}
	t.Logf("%d connections moved", movedOut)
}

func TestHandoverByLanesFromTheHost(t *testing.T) {
	h := newFakeHost(t)
	p := h.start(false)
	p.await(workload.TypeReady)
	l := startLoad(t, h.address, 0, 2*time.Millisecond)
	for i := range 3 {
		q := h.start(false)
		q.await(workload.TypeReady)
		p.drain(q, uint64(i+1))
		p = q
	}
	l.end(t, h.log, 0)
}

func TestMovedConnectionOutlivesReadHeaderTimeout(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready("ZDAPP_TEST_HEADER_TIMEOUT=1s")
	spoken, silent := dial(t, h.address, "spoken"), dial(t, h.address, "silent")
	spoken.mustPost(t, p)
	eventually(t, "both connections accepted", func() bool { return p.await(workload.TypeStats).Connections == 2 })
	q := h.ready("ZDAPP_TEST_HEADER_TIMEOUT=1s")
	if m := p.quiesce(q, 1); m.Moved != 2 || m.Kept != 0 {
		t.Fatalf("moved %d, kept %d", m.Moved, m.Kept)
	}
	<-time.After(3 * time.Second)
	spoken.mustPost(t, q)
	silent.mustPost(t, q)
	half := dial(t, h.address, "half") // the timeout is still there for those who begin to speak
	if err := half.write("POST /n HT"); err != nil {
		t.Fatal(err)
	}
	if r, _, err := half.response(); err == nil && r.StatusCode != http.StatusBadRequest {
		t.Errorf("half a header was waited for without end: %v", r)
	}
}

func TestMovedConnectionIdlesOut(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	c := dial(t, h.address, "c")
	c.mustPost(t, p)
	q := h.ready("ZDAPP_TEST_IDLE_TIMEOUT=300ms")
	if m := p.quiesce(q, 1); m.Moved != 1 {
		t.Fatalf("moved %d", m.Moved)
	}
	if _, _, err := c.response(); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the idle timeout of the successor doesn't apply: %v", err)
	}
}

// part is a request that has arrived in part when the hand-over comes.
var parts = map[string]func(request string) (first, rest string){
	"half a request line":  func(r string) (string, string) { return r[:7], r[7:] },
	"one byte":             func(r string) (string, string) { return r[:1], r[1:] },
	"up to a line's end":   func(r string) (string, string) { i := strings.Index(r, "\n") + 1; return r[:i], r[i:] },
	"all but the body":     func(r string) (string, string) { i := strings.Index(r, "\r\n\r\n") + 4; return r[:i], r[i:] },
	"half of the body too": func(r string) (string, string) { return r[:len(r)-2], r[len(r)-2:] },
}

func TestPartOfARequestStays(t *testing.T) {
	t.Parallel()
	for name, split := range parts {
		t.Run(name+", alone", func(t *testing.T) {
			t.Parallel()
			if err := partAcrossHandover(t, split, false); err != nil {
				t.Error(err)
			}
		})
		t.Run(name+", pipelined", func(t *testing.T) {
			t.Parallel()
			if err := partAcrossHandover(t, split, true); err != nil {
				t.Error(err)
			}
		})
	}
}

// The checker above must be able to see the loss that the rule prevents.
func TestIdleHookAloneLosesRequests(t *testing.T) {
	t.Parallel()
	for name, split := range parts {
		if !strings.Contains(name, "body") { // net/http says active as soon as the header is read
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if err := partAcrossHandover(t, split, true, "ZDAPP_TEST_RULE=idle-hook"); err == nil {
					t.Error("moving on the idle hook alone was not noticed")
				} else {
					t.Logf("noticed: %v", err)
				}
			})
		}
	}
}

// partAcrossHandover sends the first part of a request before a hand-over and the rest after it. Pipelined says that
// the first part arrives together with the request before it.
func partAcrossHandover(t *testing.T, split func(string) (string, string), pipelined bool, env ...string) error {
	t.Helper()
	h := newFakeHost(t)
	p := h.ready(env...)
	c := dial(t, h.address, "c")
	before, body := c.next()
	request, body2 := c.next()
	first, rest := split(request)
	if pipelined {
		before += first
	}
	if err := c.write(before); err != nil {
		return err
	}
	if _, err := c.answer(body); err != nil {
		return err
	}
	if !pipelined {
		if err := c.write(first); err != nil {
			return err
		}
		eventually(t, "the first part is read", func() bool { return unread(t, h.address, c.conn.LocalAddr().String()) == 0 })
	}
	q := h.ready(env...)
	if m := p.quiesce(q, 1); m.Moved != 0 {
		return fmt.Errorf("half a request was moved: moved %d, kept %d", m.Moved, m.Kept)
	}
	if err := c.write(rest); err != nil {
		return err
	}
	if pid, err := c.answer(body2); err != nil || pid != p.pid() {
		return errors.Join(err, fmt.Errorf("answered by %d, the old one is %d", pid, p.pid()))
	}
	eventually(t, "the connection has moved", func() bool { return p.await(workload.TypeStats).MovedOut == 1 })
	if pid, err := c.post(); err != nil || pid != q.pid() { // it has moved, so q it is
		return errors.Join(err, fmt.Errorf("answered by %d, the new one is %d", pid, q.pid()))
	}
	if twice, n := duplicates(t, h.log); len(twice) > 0 || n != 3 {
		return fmt.Errorf("%d requests executed, twice: %v", n, twice)
	}
	return nil
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	c := dial(t, h.address, "c")
	q := h.ready()
	var all strings.Builder
	var bodies []string
	for range 200 {
		r, b := c.next()
		all.WriteString(r)
		bodies = append(bodies, b)
	}
	if err := c.write(all.String()); err != nil {
		t.Fatal(err)
	}
	p.quiesce(q, 1)
	for _, b := range bodies {
		if _, err := c.answer(b); err != nil {
			t.Fatal(err)
		}
	}
	c.postUntil(t, q)
	if twice, n := duplicates(t, h.log); len(twice) > 0 || n != c.seq {
		t.Errorf("%d requests executed, twice: %v", n, twice)
	}
}

func TestBytesInTheKernelTravelAlong(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	c := dial(t, h.address, "c")
	c.mustPost(t, p)
	q := h.ready()
	q.signal(syscall.SIGSTOP)
	if m := p.quiesce(q, 1); m.Moved != 1 {
		t.Fatalf("moved %d", m.Moved)
	}
	request, body := c.next() // nobody has the connection now: it is in the inbox
	if err := c.write(request); err != nil {
		t.Fatal(err)
	}
	q.signal(syscall.SIGCONT)
	if pid, err := c.answer(body); err != nil || pid != q.pid() {
		t.Fatalf("answered by %d, %v", pid, err)
	}
}

func TestFullInboxKeepsConnectionsHere(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	const many = 600 // more than an inbox holds
	clients := make([]*client, many)
	for i := range clients {
		clients[i] = dial(t, h.address, fmt.Sprintf("c%d", i))
	}
	for _, c := range clients {
		c.mustPost(t, p)
	}
	q := h.ready()
	q.signal(syscall.SIGSTOP) // nobody reads its inbox
	m := p.quiesce(q, 1)
	if m.Moved == 0 || m.Kept == 0 || m.Moved+m.Kept != many {
		t.Errorf("moved %d, kept %d", m.Moved, m.Kept)
	}
	t.Logf("moved %d, kept %d", m.Moved, m.Kept)
	type result struct {
		pid int
		err error
	}
	results := make(chan result, many)
	for _, c := range clients {
		go func() {
			pid, err := c.post()
			results <- result{pid, err}
		}()
	}
	for i := range many {
		if i == m.Kept {
			q.signal(syscall.SIGCONT) // all that p kept are answered, and nobody else
		}
		by := q
		if i < m.Kept {
			by = p
		}
		if r := <-results; r.err != nil || r.pid != by.pid() {
			t.Fatalf("answer %d of %d: by %d, %v", i, many, r.pid, r.err)
		}
	}
	p.quiesce(q, 2)
	for _, c := range clients {
		c.postUntil(t, q)
	}
}

func TestQuiescedProgramMovesOnWhatStillReachesIt(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	q := h.start(false)
	q.await(workload.TypeReady)
	q.signal(syscall.SIGSTOP) // the lane is p's alone
	p.quiesce(q, 1)
	var late []*client
	for i := range 50 {
		late = append(late, dial(t, h.address, fmt.Sprintf("c%d", i)))
	}
	eventually(t, "p has moved them", func() bool { return p.await(workload.TypeStats).MovedOut == 50 })
	q.signal(syscall.SIGCONT)
	for _, c := range late {
		c.mustPost(t, q)
	}
	if last := p.drain(q, 2); last.Accepted != 50 || last.Told != 0 || last.Cut != 0 {
		t.Errorf("%+v", last.Stats)
	}
}

func TestQuiescedProgramMovesOnWhatItIsGiven(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	c := dial(t, h.address, "c")
	c.mustPost(t, p)
	q, r := h.ready(), h.ready()
	q.quiesce(r, 1)
	if m := p.quiesce(q, 1); m.Moved != 1 {
		t.Fatalf("moved %d", m.Moved)
	}
	c.postUntil(t, r)
	last := q.drain(r, 2)
	if last.MovedIn == 0 || last.MovedIn+last.Accepted != last.MovedOut || last.Told != 0 || last.Cut != 0 {
		t.Errorf("%+v", last.Stats)
	}
}

func TestDrainingProgramMovesOnWhatItIsGiven(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	q := h.ready()
	streamer := dial(t, h.address, "down")
	if err := streamer.write("GET /stream?chunks=200 HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "q streams", func() bool { return q.await(workload.TypeStats).Active == 1 })
	p := h.ready()
	var c *client // one that p has
	eventually(t, "p takes a connection", func() bool {
		c = dial(t, h.address, fmt.Sprintf("c%d", p.number))
		pid, err := c.post()
		return err == nil && pid == p.pid()
	})
	r := h.ready()
	q.tell(drainMessage(1, 5_000), r.send)
	if m := p.quiesce(q, 1); m.Moved != 1 {
		t.Fatalf("moved %d", m.Moved)
	}
	c.mustPost(t, r)
	if _, text, err := streamer.response(); err != nil || strings.Count(text, fmt.Sprintf("of %d\n", q.pid())) != 200 {
		t.Fatalf("stream: %v, %q", err, text)
	}
	streamer.postUntil(t, r)
	if m := q.await(workload.TypeDrained); m.MovedIn != 1 || m.MovedOut != m.Accepted+1 || m.Told != 0 || m.Cut != 0 {
		t.Errorf("%+v", m.Stats)
	}
	q.ended()
}

func TestSiblingsShareAnInbox(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	var clients []*client
	for i := range 40 {
		clients = append(clients, dial(t, h.address, fmt.Sprintf("c%d", i)))
		clients[i].mustPost(t, p)
	}
	q1 := h.ready()
	h.sibling = q1
	q2 := h.ready()
	if last := p.drain(q1, 1); last.MovedOut != 40 || last.Told != 0 {
		t.Errorf("%+v", last.Stats)
	}
	for _, c := range clients {
		c.mustPost(t, nil)
	}
	if last := q1.drain(q2, 1); last.Told != 0 || last.Cut != 0 { // through the inbox that was its own, too
		t.Errorf("%+v", last.Stats)
	}
	for _, c := range clients {
		c.mustPost(t, q2)
	}
}

func TestBodyAndStreamFinishOnTheOldProcess(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	uploader, streamer := dial(t, h.address, "up"), dial(t, h.address, "down")
	request, body := uploader.next()
	head, text, _ := strings.Cut(request, "\r\n\r\n")
	if err := uploader.write(head + "\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := streamer.write("GET /stream?chunks=40 HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both requests are under way", func() bool { return p.await(workload.TypeStats).Active == 2 })
	q := h.ready()
	if m := p.quiesce(q, 1); m.Moved != 0 || m.Kept != 2 || m.Active != 2 {
		t.Fatalf("moved %d, kept %d, active %d", m.Moved, m.Kept, m.Active)
	}
	p.tell(workload.Message{Type: workload.TypeDrain, Epoch: 2, DeadlineMS: 15_000, Successor: true}, q.send)
	for _, b := range []byte(text) {
		if err := uploader.write(string(b)); err != nil {
			t.Fatal(err)
		}
		<-time.After(30 * time.Millisecond)
	}
	if pid, err := uploader.answer(body); err != nil || pid != p.pid() {
		t.Fatalf("answered by %d, %v", pid, err)
	}
	r, streamed, err := streamer.response()
	if err != nil || r.Close || strings.Count(streamed, fmt.Sprintf("of %d\n", p.pid())) != 40 {
		t.Fatalf("stream: %v, %q", err, streamed)
	}
	uploader.postUntil(t, q)
	streamer.postUntil(t, q)
	if m := p.await(workload.TypeDrained); m.MovedOut != 2 || m.Told != 0 || m.Cut != 0 {
		t.Errorf("%+v", m.Stats)
	}
	p.ended()
}

func TestResumeGivesConnectionsBack(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p, q := h.ready(), h.start(true)
	q.await(workload.TypeReady)
	c := dial(t, h.address, "c")
	pid, err := c.post()
	if err != nil {
		t.Fatal(err)
	}
	from, to := p, q
	if pid == q.pid() {
		from, to = q, p
	}
	l := startLoad(t, h.address, 0, 2*time.Millisecond)
	to.quiesce(from, 1) // all on one side
	epoch := uint64(2)
	for range 10 {
		to.resume(epoch)
		from.quiesce(to, epoch+1)
		c.mustPost(t, to)
		from, to = to, from
		epoch += 2
	}
	l.end(t, h.log, c.seq)
}

func TestHostComesBack(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	first := <-p.hellos
	if first.V != 1 || first.Lib != "zdapp" || first.PID != p.pid() || !first.Moves {
		t.Errorf("first hello: %+v", first)
	}
	c := dial(t, h.address, "c")
	c.mustPost(t, p)
	p.breakLine()
	c.mustPost(t, p)
	p.listen()
	again := <-p.hellos
	if !again.Ready || again.Phase != workload.PhaseServing {
		t.Errorf("hello again: %+v", again)
	}
	q := h.ready()
	p.quiesce(q, 7)
	c.mustPost(t, q)
	p.breakLine()
	p.listen()
	if again = <-p.hellos; again.Phase != workload.PhaseQuiesced || again.Epoch != 7 {
		t.Errorf("hello after quiesce: %+v", again)
	}
	if m := p.await(workload.TypeQuiesced); m.Epoch != 7 || m.Moved != 1 {
		t.Errorf("the answer was not repeated: %+v", m)
	}
	p.resume(8)
	q.quiesce(p, 9)
	c.mustPost(t, p) // through the inbox that came with the second welcome
	p.drain(nil, 10)
}

func TestSignalUnderAHostDrains(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready("ZDAPP_TEST_WINDOW=200ms")
	c := dial(t, h.address, "c")
	c.mustPost(t, p)
	p.signal(syscall.SIGTERM)
	if m := p.await(workload.TypeDrained); m.Told != 1 || m.MovedOut != 0 || m.Cut != 0 {
		t.Errorf("%+v", m.Stats)
	}
	p.ended()
}
