package release

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever is accepted is what was signed: nothing is dropped or reordered on reading.
func TestOnlyCanonicalManifestsAreRead(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "manifest-v1.json"))
	must(t, err)
	if _, err := parseManifest(golden); err != nil {
		t.Fatal(err)
	}
	edits := map[string][2]string{
		"an unknown field":        {`{"version":1`, `{"version":1,"entrypoint":"x"`},
		"an unknown file field":   {`{"path":"a-b"`, `{"path":"a-b","owner":"root"`},
		"spaces":                  {`,"kind"`, `, "kind"`},
		"another order":           {`"version":1,"kind":"directory"`, `"kind":"directory","version":1`},
		"a key twice":             {`"version":1`, `"version":1,"version":1`},
		"an escaped letter":       {`"a-b"`, `"\u0061-b"`},
		"another case":            {`"version"`, `"Version"`},
		"an unknown mode":         {`"0555"`, `"0755"`},
		"an upper-case sum":       {"6b86b273", "6B86B273"},
		"no newline":              {"]}\n", "]}"},
		"a directory's size":      {`"mode":"dir"`, `"mode":"dir","size":1`},
		"a directory's command":   {`"files"`, `"command":["x"],"files"`},
		"a link to nothing named": {`,"link":"bin/shop"`, ""},
		"a negative size":         {`"size":6`, `"size":-6`},
		"two documents":           {"]}\n", "]}\n{}\n"},
	}
	for name, edit := range edits {
		changed := strings.Replace(string(golden), edit[0], edit[1], 1)
		if changed == string(golden) {
			t.Errorf("%s: nothing to edit", name)
		}
		if m, err := parseManifest([]byte(changed)); err == nil {
			t.Errorf("%s is accepted: %+v", name, m)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "manifest-v1.json"))
	must(f, err)
	f.Add(golden)
	f.Add([]byte(`{"version":1,"kind":"command","command":["sh"],"dir":"/","files":[{"path":"/bin/sh","mode":"0555","sha256":"` + unknownSum + `"}]}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			return
		}
		if d, err := m.Digest(); err != nil || d != digestOf(b) {
			t.Fatalf("digest %s, %v; want %s", d, err, digestOf(b))
		}
	})
}
