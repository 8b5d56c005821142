package rollout_test

import (
	"path/filepath"
	"strings"
	"testing"

	. "github.com/zdhost/zdhost/host/rollout"
)

func TestReference(t *testing.T) {
	var page strings.Builder
	if err := WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	for _, name := range States() {
		if !strings.Contains(page.String(), "| `"+string(name)+"` |") {
			t.Errorf("the page doesn't explain state %s", name)
		}
	}
	goldenFile(t, filepath.Join("..", "..", "docs", "reference", "rollout-states.md"), page.String())
}
