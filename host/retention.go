package host

import (
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

const (
	retainFirst = time.Minute
	retainEvery = time.Hour
	// youngRelease is one that may just have been taken in for a rollout that has
	// not begun.
	youngRelease = time.Hour
	// keptBefore is how many releases of a service stay whatever the configuration
	// says: the one that runs and the one before.
	keptBefore = 2
	// keptLogs is how many files of ended instances a service keeps.
	keptLogs = 50
)

// retain lets old logs and releases go: the logs of instances that ended before
// the kept ones, the releases that the configuration doesn't keep. The journal
// loses nothing: what it says of generations, lanes and rollouts is a fold over
// all of it, and there is no snapshot that one could begin with.
func (h *Host) retain() {
	kept := h.keptReleases()
	live := map[string]bool{}
	for id := range h.live {
		live[id] = true
	}
	store, age, dir, services := h.store, h.cfg.Releases.MaxAge, h.cfg.StateDir, slices.Clone(h.order)
	go func() {
		if _, err := store.Retain(0, max(age, youngRelease), func(d digest) bool { return kept[d] }); err != nil {
			h.log.Warn("cannot let old releases go", "error", err)
		}
		for _, name := range services {
			retainLogs(filepath.Join(dir, "logs", name), live)
		}
	}()
	h.after(retainEvery, h.retain)
}

// keptReleases are those that stay whatever their age: what any process runs, and
// the last different ones that each service committed.
func (h *Host) keptReleases() map[digest]bool {
	kept := map[digest]bool{}
	for _, s := range h.services {
		for _, g := range s.gens {
			kept[g.payload.Release] = true
		}
		past, left := h.memory.commits[s.name], max(h.cfg.Releases.Keep, keptBefore)
		of := map[digest]bool{}
		for i := len(past) - 1; i >= 0 && len(of) < left; i-- {
			of[past[i].Release], kept[past[i].Release] = true, true
		}
	}
	for _, r := range h.live { // of services that are configured no more, too
		kept[r.payload.Release], kept[r.gen.payload.Release] = true, true
	}
	return kept
}

func retainLogs(dir string, live map[string]bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	type file struct {
		name string
		at   time.Time
	}
	var ended []file
	for _, e := range entries {
		id, _, _ := strings.Cut(e.Name(), ".log")
		if info, err := e.Info(); err == nil && !live[id] {
			ended = append(ended, file{e.Name(), info.ModTime()})
		}
	}
	sort.Slice(ended, func(i, j int) bool { return ended[i].at.After(ended[j].at) })
	for _, f := range ended[min(len(ended), keptLogs):] {
		_ = os.Remove(filepath.Join(dir, f.name))
	}
}
