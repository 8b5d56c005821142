package promises

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// withWorkers are servers whose master accepts nothing itself, and whose workers outlive it.
var withWorkers = []string{"gunicorn", "nginx"}

// TestRow4_MasterKilled: a master that is killed takes at most what its workers had accepted with it. They don't go on
// beside those of its replacement.
func TestRow4_MasterKilled(t *testing.T) {
	for _, server := range withWorkers {
		t.Run(server, func(t *testing.T) {
			h, o := instancesOf(t, server, "1")
			clients := h.flow(newConnections(o.address))
			for range sized().kills {
				victim := h.ready("1")[0]
				workers := h.workersOf(victim.PID, 2)
				h.kill(victim, syscall.SIGKILL)
				h.replaced(victim, "1")
				h.gone(workers)
				clients.more(h.ground, 50)
			}
			wantOnly(t, clients.end(), sized().kills*sized().clients)
		})
	}
}

// TestRow4_OnlyWhatWorkersHadAccepted counts exactly, as TestRow4_OnlyWhatItHadAccepted does: master and workers are
// stopped, and only the master is killed. Those who come then are in the queue, and lose nothing.
func TestRow4_OnlyWhatWorkersHadAccepted(t *testing.T) {
	for _, server := range withWorkers {
		t.Run(server, func(t *testing.T) {
			h, o := instancesOf(t, server, "1")
			options := load.Options{Address: o.address, Mode: load.NewConn, Clients: 16, Timeout: 20 * time.Second}
			clients := h.flow(options)
			victim := h.ready("1")[0]
			workers := h.workersOf(victim.PID, 2)
			h.kill(victim, syscall.SIGSTOP) // first: it would replace them
			for _, pid := range workers {
				if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			h.inState(workers, "T")
			late := drive(t, options)
			h.await("every client waits", patience, func() bool { return h.connections(o.address) >= 32 })
			accepted := 0
			for _, pid := range workers {
				accepted += h.acceptedBy(pid, o.address)
			}
			waiting := h.connections(o.address) - accepted
			h.kill(victim, syscall.SIGKILL)
			h.replaced(victim, "1")
			h.gone(workers)
			clients.more(h.ground, 100)
			t.Logf("they had accepted %d, %d waited", accepted, waiting)
			wantOnly(t, clients.end(), accepted)
			wantNoneFailed(t, late.end())
		})
	}
}

// workersOf waits for so many children of a process and returns them.
func (g *ground) workersOf(pid, n int) []int {
	g.t.Helper()
	var workers []int
	g.await(fmt.Sprintf("%d has %d workers", pid, n), patience, func() bool {
		workers = nil
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		for _, field := range strings.Fields(string(list)) {
			if worker, err := strconv.Atoi(field); err == nil {
				workers = append(workers, worker)
			}
		}
		return len(workers) == n
	})
	return workers
}

// gone waits until none of the processes runs; a zombie has ended too.
func (g *ground) gone(pids []int) {
	g.t.Helper()
	g.inState(pids, "Z")
}

// inState waits until each of the processes is in the state, a letter of proc(5), or is no more.
func (g *ground) inState(pids []int, letter string) {
	g.t.Helper()
	for _, pid := range pids {
		g.await(fmt.Sprintf("worker %d is in state %s", pid, letter), leaveWithin, func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || strings.Contains(string(stat), ") "+letter+" ")
		})
	}
}
