package host

import (
	"maps"
	"slices"
	"testing"

	"github.com/zdhost/zdhost/host/config"
)

// historic is a host whose service has committed these releases, one after another.
func historic(keep int, releases ...digest) *Host {
	m := &memory{commits: map[string][]payload{}}
	for _, d := range releases {
		m.committed("web", payload{Release: d})
	}
	return &Host{
		cfg: &config.Config{Releases: config.Releases{Keep: keep}}, memory: m,
		services: map[string]*service{"web": {name: "web"}}, live: map[string]*running{},
	}
}

func TestKeptReleases(t *testing.T) {
	for _, test := range []struct {
		what     string
		keep     int
		releases []digest
		want     []digest
	}{
		{"the one before stays through a restart", 1, []digest{"a", "b", "b"}, []digest{"a", "b"}},
		{"and through many", 1, append([]digest{"a"}, slices.Repeat([]digest{"b"}, 2*keptCommits)...), []digest{"a", "b"}},
		{"as many of a service as are configured", 3, []digest{"a", "b", "c", "d", "c"}, []digest{"b", "c", "d"}},
		{"all where there are fewer", 5, []digest{"a"}, []digest{"a"}},
	} {
		kept := historic(test.keep, test.releases...).keptReleases()
		if got := slices.Sorted(maps.Keys(kept)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
}

func TestKeptReleasesOfEveryService(t *testing.T) {
	h := historic(1, "a", "b")
	h.services["idle"] = &service{name: "idle"}
	h.memory.committed("idle", payload{Release: "x"})
	for _, d := range []digest{"c", "d", "e"} { // newer ones of another service push nothing out
		h.memory.committed("web", payload{Release: d})
	}
	if kept := h.keptReleases(); !kept["x"] || kept["a"] {
		t.Errorf("%v", kept)
	}
}

func TestKeptReleasesThatRun(t *testing.T) {
	h := historic(1, "a", "b", "c")
	h.services["web"].gens = map[uint64]*generation{4: {payload: payload{Release: "candidate"}}}
	gone := &generation{payload: payload{Release: "of a removed service"}}
	h.live["x"] = &running{gen: gone, payload: payload{Release: "swept for"}}
	want := []digest{"b", "c", "candidate", "of a removed service", "swept for"}
	if got := slices.Sorted(maps.Keys(h.keptReleases())); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A rollback finds the release before the one that runs, however often that was started again.
func TestEarlierAfterRestarts(t *testing.T) {
	h := historic(1, "a", "b", "b", "a", "a")
	s := h.services["web"]
	s.h, s.serving = h, &generation{payload: payload{Release: "a"}}
	if p, err := s.earlier(""); err != nil || p.Release != "b" {
		t.Errorf("%v, %v", p, err)
	}
}
