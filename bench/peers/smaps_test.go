package main

import (
	"os"
	"testing"
)

func TestParseSmaps(t *testing.T) {
	const text = `00400000-7ffe4a5f2000 ---p 00000000 00:00 0                          [rollup]
Rss:               12088 kB
Pss:                7918 kB
Pss_Dirty:          3756 kB
Pss_Anon:           3756 kB
Shared_Clean:       8332 kB
Private_Clean:         4 kB
Private_Dirty:      3752 kB
`
	got, err := parseSmaps([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := (footprint{PSS: 7918 << 10, RSS: 12088 << 10, Private: 3756 << 10}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, bad := range []string{"", "Rss: 1 kB\n", "Pss: many kB\n"} {
		if got, err := parseSmaps([]byte(bad)); err == nil {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
}

func TestReadFootprint(t *testing.T) {
	f, err := readFootprint(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	if f.PSS <= 0 || f.RSS < f.PSS || f.RSS < f.Private {
		t.Errorf("got %+v", f)
	}
}
