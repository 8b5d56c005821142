package config

import (
	"bytes"
	"os"
	"testing"
)

// TestReference compares the page with docs/reference/configuration.md.
// UPDATE_GOLDEN=1 writes it.
func TestReference(t *testing.T) {
	const file = "../../docs/reference/configuration.md"
	var page bytes.Buffer
	if err := WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page.Bytes(), want) {
		t.Errorf("%s is not what the schema says; UPDATE_GOLDEN=1 writes it", file)
	}
}

// TestSchema: every row is documented, and every default and example is a
// right value of its own key.
func TestSchema(t *testing.T) {
	var walk func(keys []Key, path string)
	walk = func(keys []Key, path string) {
		seen := map[string]bool{}
		for i := range keys {
			k := &keys[i]
			at := path + k.Name
			if k.Doc == "" {
				t.Errorf("%s: no doc", at)
			}
			if seen[k.Name] {
				t.Errorf("%s is there twice", at)
			}
			seen[k.Name] = true
			switch k.Type {
			case TypeBlock, TypeNamed, TypeChoice, TypeChoices:
				if len(k.Keys) == 0 {
					t.Errorf("%s: a block without keys", at)
				}
				walk(k.Keys, at+".")
				continue
			}
			if k.Default != "" && defaultValue(k, "/") == nil {
				t.Errorf("%s: its default %s is wrong", at, k.Default)
			}
			if k.Example != "" {
				checkExample(t, k, at)
			}
		}
	}
	walk(Schema(), "")
}
