package zdapp

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// allow lets a process have so many more descriptors than now, and returns what takes the limit back.
func (p *process) allow(more int) (undo func()) {
	p.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid()))
	if err != nil {
		p.t.Fatal(err)
	}
	var before unix.Rlimit
	if err := unix.Prlimit(p.pid(), unix.RLIMIT_NOFILE, nil, &before); err != nil {
		p.t.Fatal(err)
	}
	set := func(cur uint64) {
		p.t.Helper()
		if err := unix.Prlimit(p.pid(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: cur, Max: before.Max}, nil); err != nil {
			p.t.Fatal(err)
		}
	}
	set(uint64(len(open) + more))
	return func() { set(before.Cur) }
}

// TestNoDescriptorsLeft: what a successor has no descriptors for waits in the inbox, for better times or for a sibling.
func TestNoDescriptorsLeft(t *testing.T) {
	t.Parallel()
	for _, helped := range []bool{false, true} {
		t.Run(fmt.Sprintf("sibling=%t", helped), func(t *testing.T) {
			t.Parallel()
			const many, some = 40, 8
			h := newFakeHost(t)
			p := h.ready()
			clients := make([]*client, many)
			for i := range clients {
				clients[i] = dial(t, h.address, fmt.Sprintf("c%d", i))
				clients[i].mustPost(t, p)
			}
			q := h.ready()
			undo := q.allow(some)
			if m := p.quiesce(q, 1); m.Moved != many {
				t.Fatalf("moved %d", m.Moved)
			}
			eventually(t, "q is full", func() bool { return q.await(workload.TypeStats).MovedIn >= some-2 })
			by := q
			if helped {
				h.sibling = q
				by = h.ready()
				eventually(t, "the sibling takes the rest", func() bool { return by.await(workload.TypeStats).MovedIn >= many-some })
				by = nil
			} else {
				undo()
			}
			for _, c := range clients {
				c.mustPost(t, by)
			}
			q.tell(workload.Message{Type: workload.TypeDrain, Epoch: 2, DeadlineMS: 15_000, WindowMS: -1})
			if last := q.await(workload.TypeDrained); last.Cut != 0 {
				t.Errorf("%+v", last.Stats)
			}
		})
	}
}
