package listener

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

// shutDown destroys a lane as a program with a duplicate of its descriptor can.
func shutDown(t testing.TB, lane *Lane) {
	t.Helper()
	duplicate, err := unix.FcntlInt(uintptr(lane.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(duplicate)
	if err := unix.Shutdown(duplicate, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
}

// checkSteering names each lane alone and sees that it gets everything.
func checkSteering(t *testing.T, l *Listener, hosts []string) {
	t.Helper()
	for _, lane := range l.Lanes() {
		setWeights(t, l, Share{lane, traffic.Whole})
		if got := spread(t, l, hosts, 40); got[lane] != 40 {
			t.Errorf("lane with index %d got %d of 40", lane.Index(), got[lane])
		}
	}
}

// TestRepair shuts lanes down in orders that permute the group, and expects the weights as they were.
func TestRepair(t *testing.T) {
	for _, b := range []binding{bindings[0], bindings[4]} {
		for _, victims := range [][]int{{0}, {1}, {3}, {0, 1}, {1, 0}, {3, 0}, {0, 3}, {2, 0, 1}, {0, 1, 2, 3}, {3, 1, 0, 2}} {
			t.Run(fmt.Sprintf("%s %v", b.name, victims), func(t *testing.T) {
				l, lanes := b.lanes(t, 4, Options{})
				setWeights(t, l, Share{lanes[1], 5000}, Share{lanes[2], 5000})
				for _, victim := range victims {
					shutDown(t, lanes[victim])
				}
				if err := l.SetWeights(Share{lanes[0], traffic.Whole}); !errors.Is(err, ErrLaneLost) {
					t.Fatalf("weights on a lost lane give %v", err)
				}
				if _, _, err := lanes[victims[0]].Queue(); !errors.Is(err, ErrLaneLost) {
					t.Fatalf("the queue of a lost lane gives %v", err)
				}
				lost, err := l.Repair(within(t))
				if err != nil {
					t.Fatal(err)
				}
				if len(lost) != len(victims) {
					t.Errorf("%d lanes were lost, want %d", len(lost), len(victims))
				}
				for _, victim := range victims {
					if !slices.Contains(lost, lanes[victim]) {
						t.Errorf("the loss of lane %d isn't reported", victim)
					}
				}
				got := spread(t, l, b.hosts, 200)
				if got[lanes[0]]+got[lanes[3]] > 0 || got[lanes[1]] == 0 || got[lanes[2]] == 0 {
					t.Errorf("after the repair lanes 0 to 3 got %d %d %d %d", got[lanes[0]], got[lanes[1]], got[lanes[2]], got[lanes[3]])
				}
				checkSteering(t, l, b.hosts)
				addLane(t, l, b.open(t, l.Address().IP.Port(), false))
				checkSteering(t, l, b.hosts)
			})
		}
	}
}

func TestRepairOfHealthyLanes(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 3, Options{})
	setWeights(t, l, Share{lanes[2], traffic.Whole})
	if lost, err := l.Repair(within(t)); err != nil || len(lost) > 0 {
		t.Errorf("lost %v, error %v", lost, err)
	}
	if got := spread(t, l, []string{"127.0.0.1"}, 100); got[lanes[2]] != 100 {
		t.Errorf("lanes got %v", got)
	}
	empty := New("web", l.Address(), Options{})
	if lost, err := empty.Repair(within(t)); err != nil || len(lost) > 0 {
		t.Errorf("a listener without lanes lost %v, error %v", lost, err)
	}
}

func TestRepairCantHelpUnix(t *testing.T) {
	l, lane := unixLane(t, socketPath(t), Options{})
	if listening, err := lane.Listening(); err != nil || !listening {
		t.Errorf("a new lane listens: %v, error %v", listening, err)
	}
	if lost, err := l.Repair(within(t)); err != nil || len(lost) > 0 {
		t.Errorf("lost %v, error %v", lost, err)
	}
	shutDown(t, lane)
	if listening, err := lane.Listening(); err != nil || listening {
		t.Errorf("a lane that was shut down listens: %v, error %v", listening, err)
	}
	if lost, err := l.Repair(within(t)); !errors.Is(err, ErrLaneLost) || len(lost) != 1 {
		t.Errorf("lost %v, error %v", lost, err)
	}
}

// TestLocate restores lanes in a random order with their indices forgotten, with clients arriving meanwhile.
func TestLocate(t *testing.T) {
	for _, b := range bindings {
		t.Run(b.name, func(t *testing.T) {
			before, lanes := b.lanes(t, 8, Options{})
			var servers []*server
			for _, lane := range lanes {
				servers = append(servers, serve(t, lane))
			}
			known := make([]Known, len(lanes))
			for to, from := range rand.Perm(len(lanes)) {
				fd, err := unix.FcntlInt(uintptr(lanes[from].FD()), unix.F_DUPFD_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				known[to] = Known{FD: fd, Index: UnknownIndex, Weight: traffic.Whole / len(lanes)}
			}
			l := New("web", before.Address(), Options{})
			defer l.Close()
			if err := l.Restore(known...); err != nil {
				t.Fatal(err)
			}
			if err := l.SetWeights(Share{l.Lanes()[0], traffic.Whole}); !errors.Is(err, ErrUnlocated) {
				t.Fatalf("weights before the lanes are located give %v", err)
			}
			if err := l.Probe(within(t), l.Lanes()[0], nil); !errors.Is(err, ErrUnlocated) {
				t.Fatalf("a probe before the lanes are located gives %v", err)
			}
			repaired := make(chan error, 1)
			go func() {
				_, err := l.Repair(within(t))
				repaired <- err
			}()
			for i := range 300 {
				c := dial(t, l, b.hosts[i%len(b.hosts)], "")
				if err := sayByte(c); err != nil {
					t.Fatalf("a client failed while lanes were located: %v", err)
				}
				c.Close()
			}
			if err := <-repaired; err != nil {
				t.Fatal(err)
			}
			accepted := int64(0)
			for i, s := range servers {
				s.stop()
				accepted += s.accepted.Load()
				if got := l.Lanes()[i]; got.Cookie() != lanes[i].Cookie() || got.Index() != i {
					t.Errorf("index %d was given to another lane", i)
				}
				checkHops(t, lanes[i], 0)
			}
			if accepted != 300 {
				t.Errorf("programs accepted %d connections, want 300", accepted)
			}
			checkSteering(t, l, b.hosts)
		})
	}
}

// TestLocateFindsStrangers puts a socket into the group that is no lane.
func TestLocateFindsStrangers(t *testing.T) {
	b := bindings[0]
	l, lanes := b.lanes(t, 2, Options{})
	stranger := b.open(t, l.Address().IP.Port(), false)
	defer unix.Close(stranger)
	if err := unix.Listen(stranger, 1); err != nil {
		t.Fatal(err)
	}
	if err := l.Locate(within(t)); err != nil {
		t.Fatalf("a stranger behind the lanes: %v", err)
	}
	shutDown(t, lanes[0]) // its place goes to the stranger
	if _, err := l.Repair(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := l.Locate(within(t)); err == nil {
		t.Fatal("a stranger between the lanes wasn't noticed")
	}
	for _, lane := range lanes {
		checkHops(t, lane, 0)
	}
}

// TestLocateKeepsOwnDemands locates lanes of a program that demands neighbours by itself.
func TestLocateKeepsOwnDemands(t *testing.T) {
	l, lanes := bindings[0].lanes(t, 3, Options{})
	if err := lanes[1].socket.setOption(unix.IPPROTO_IP, unix.IP_MINTTL, 255, "IP_MINTTL"); err != nil {
		t.Fatal(err)
	}
	undo, err := demandHops(lanes, hopsOf(l.Address().IP.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	for i, least := range []int{demandedHops, 255, demandedHops} {
		checkHops(t, lanes[i], least)
	}
	if err := errors.Join(undo(), l.Locate(within(t))); err != nil {
		t.Fatal(err)
	}
	for i, least := range []int{0, 255, 0} {
		checkHops(t, lanes[i], least)
	}
}

func checkHops(t testing.TB, lane *Lane, want int) {
	t.Helper()
	h := hopsOf(lane.targets(false)[0].Addr()).least
	if got, err := lane.socket.option(h.level, h.name, h.text); err != nil || got != want {
		t.Errorf("lane %d has %s %d, want %d, error %v", lane.Index(), h.text, got, want, err)
	}
}
