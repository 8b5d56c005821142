package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

type drainResult struct {
	seen Drained
	err  error
}

func drain(t testing.TB, lane *Lane) <-chan drainResult {
	ctx := within(t)
	result := make(chan drainResult, 1)
	go func() {
		seen, err := lane.DrainQueue(ctx)
		result <- drainResult{seen, err}
	}()
	return result
}

func TestDrainWaitsForTheQueue(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	for range 3 {
		defer dial(t, l, "127.0.0.1", "").Close()
	}
	setWeights(t, l, Share{lanes[1], traffic.Whole})
	result := drain(t, lanes[0])
	select {
	case r := <-result:
		t.Fatalf("the drain ended over a full queue: %+v", r)
	case <-time.After(100 * time.Millisecond):
	}
	if n := acceptAll(t, lanes[0]); n != 3 {
		t.Fatalf("%d connections were queued", n)
	}
	r := <-result
	if r.err != nil || r.seen.QueueHigh != 3 || r.seen.HalfOpenSeen != 0 || r.seen.Waited < 100*time.Millisecond {
		t.Errorf("drain saw %+v, error %v", r.seen, r.err)
	}
}

// TestDrainWaitsForHandshakes keeps a handshake half open, without privilege, by deferring its acceptance until the
// client speaks. It belongs to the lane that got its SYN, whatever the weights are when it completes.
func TestDrainWaitsForHandshakes(t *testing.T) {
	for _, b := range bindings {
		t.Run(b.name, func(t *testing.T) {
			l, lanes := b.lanes(t, 2, Options{})
			if err := lanes[0].socket.setOption(unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 30, "TCP_DEFER_ACCEPT"); err != nil {
				t.Fatal(err)
			}
			client := dial(t, l, b.hosts[0], "")
			defer client.Close()
			half, err := l.HalfOpen()
			if err != nil || len(half) != 1 || half[0].Port() != client.LocalAddr().(*net.TCPAddr).AddrPort().Port() {
				t.Fatalf("half open are %v, error %v", half, err)
			}
			setWeights(t, l, Share{lanes[1], traffic.Whole})
			result := drain(t, lanes[0])
			select {
			case r := <-result:
				t.Fatalf("the drain ended over a handshake: %+v", r)
			case <-time.After(100 * time.Millisecond):
			}
			if _, err := client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the connection arrives at the lane that got its SYN", func() bool {
				return acceptAll(t, lanes[0]) == 1
			})
			r := <-result
			if r.err != nil || r.seen.HalfOpenSeen != 1 || r.seen.HalfOpenLeft != 0 {
				t.Errorf("drain saw %+v, error %v", r.seen, r.err)
			}
		})
	}
}

// TestDrainGivesUpOnVanishedClients bounds the wait for a handshake that never completes.
func TestDrainGivesUpOnVanishedClients(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	vanish(t, l.Address())
	setWeights(t, l, Share{lanes[1], traffic.Whole})
	seen, err := lanes[0].DrainQueue(within(t))
	if err != nil || seen.HalfOpenSeen != 1 || seen.HalfOpenLeft != 1 {
		t.Errorf("drain saw %+v, error %v", seen, err)
	}
	if seen.Waited < handshakeLimit || seen.Waited > handshakeLimit+time.Second {
		t.Errorf("it waited %s", seen.Waited)
	}
}

// vanish is a client that sends its SYN and never hears the answer.
func vanish(t *testing.T, to Address) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	deaf := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &deaf[0]}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.IP.Port()), Addr: [4]byte{127, 0, 0, 1}}); !errors.Is(err, unix.EINPROGRESS) {
		t.Fatalf("connect gives %v", err)
	}
}

// TestDrainEndsDeferredAccepts: a client that is silent on a lane that defers the accept has connected as far as it
// knows: it comes into the queue with the kernel's next SYN-ACK, while somebody serves that.
func TestDrainEndsDeferredAccepts(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	if err := lanes[0].socket.setOption(unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 60, "TCP_DEFER_ACCEPT"); err != nil {
		t.Fatal(err)
	}
	defer dial(t, l, "127.0.0.1", "").Close()
	setWeights(t, l, Share{lanes[1], traffic.Whole})
	result := drain(t, lanes[0])
	eventually(t, "the silent client is there", func() bool { return acceptAll(t, lanes[0]) == 1 })
	if r := <-result; r.err != nil || r.seen.HalfOpenSeen != 1 || r.seen.HalfOpenLeft != 0 {
		t.Errorf("drain saw %+v, error %v", r.seen, r.err)
	}
}

func TestDrainRefusesWeightedLanes(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 2, Options{})
	if _, err := lanes[0].DrainQueue(within(t)); !errors.Is(err, ErrWeighted) {
		t.Errorf("a weighted lane gives %v", err)
	}
	defer dial(t, l, "127.0.0.1", "").Close()
	setWeights(t, l, Share{lanes[1], traffic.Whole})
	result := drain(t, lanes[0])
	setWeights(t, l, Share{lanes[0], 1}, Share{lanes[1], traffic.Whole - 1})
	if r := <-result; !errors.Is(r.err, ErrWeighted) {
		t.Errorf("a lane that gets a weight meanwhile gives %v", r.err)
	}
	setWeights(t, l, Share{lanes[1], traffic.Whole})
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if seen, err := lanes[0].DrainQueue(short); !errors.Is(err, context.DeadlineExceeded) || seen.QueueHigh != 1 {
		t.Errorf("a queue that nobody empties: %+v, error %v", seen, err)
	}
	shutDown(t, lanes[0])
	if _, err := lanes[0].DrainQueue(within(t)); !errors.Is(err, ErrLaneLost) {
		t.Errorf("a lost lane gives %v", err)
	}
}

// TestDrainUnderLoad moves all traffic to and fro under clients that never retry. A server is stopped right after
// its lane was drained: if one connection were still on its way there, its client would fail.
func TestDrainUnderLoad(t *testing.T) {
	const rounds, clients = 20, 8
	for _, b := range []binding{bindings[0], bindings[4]} {
		t.Run(b.name, func(t *testing.T) {
			l, lanes := b.lanes(t, 2, Options{})
			load := startLoad(l, b.hosts, clients)
			active := serve(t, lanes[0])
			total := int64(0)
			for round := range rounds {
				from, to := lanes[round%2], lanes[1-round%2]
				next := serve(t, to)
				setWeights(t, l, Share{to, traffic.Whole})
				if _, err := from.DrainQueue(within(t)); err != nil {
					t.Fatal(err)
				}
				active.stop()
				total += active.accepted.Load()
				before := next.accepted.Load()
				eventually(t, "clients go on", func() bool { return next.accepted.Load() >= before+20 })
				if length, _, err := from.Queue(); err != nil || length > 0 {
					t.Errorf("round %d: %d connections reached a drained lane, error %v", round, length, err)
				}
				active = next
			}
			done, failures := load()
			active.stop()
			total += active.accepted.Load()
			if len(failures) > 0 {
				t.Errorf("%d of %d clients failed, the first with %v", len(failures), done, failures[0])
			}
			if total != done {
				t.Errorf("servers accepted %d connections, clients made %d", total, done)
			}
		})
	}
}

// startLoad lets clients make one connection after another; stop ends them and returns how many they made.
func startLoad(l *Listener, hosts []string, clients int) (stop func() (done int64, failures []error)) {
	quit := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	var done int64
	var failures []error
	for i := range clients {
		target := net.JoinHostPort(hosts[i%len(hosts)], fmt.Sprint(l.Address().IP.Port()))
		all.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				err := request(target)
				mu.Lock()
				done++
				if err != nil {
					failures = append(failures, err)
				}
				mu.Unlock()
			}
		})
	}
	return func() (int64, []error) {
		close(quit)
		all.Wait()
		return done, slices.Clone(failures)
	}
}

func request(target string) error {
	c, err := net.DialTimeout("tcp", target, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(c.(*net.TCPConn).SetLinger(0), c.SetDeadline(time.Now().Add(patience))); err != nil {
		return err
	}
	return sayByte(c)
}
