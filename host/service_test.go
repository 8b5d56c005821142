package host

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/config"
)

// TestService_IsReadByTheLoopOnly: what other goroutines need of a service they ask the loop for; here there is none.
func TestService_IsReadByTheLoopOnly(t *testing.T) {
	h, _ := quietHost(t)
	s := h.addService(config.Service{Name: "shop", Command: []string{"/bin/true"}})
	h.memory.committed("shop", payload{Kind: "command", Command: []string{"/bin/true"}, Configured: []string{"/bin/true"}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.ctx, h.do = ctx, nil
	for name, ask := range map[string]func() error{
		"configured":   func() error { _, err := s.configured(t.Context(), nil); return err },
		"firstPayload": func() error { _, err := s.firstPayload(); return err },
		"again":        func() error { _, err := s.asItWas(t.Context(), payload{Kind: "directory"}); return err },
	} {
		if err := ask(); !errors.Is(err, errEnding) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestService_SharesRulesAsTheyWere: the race detector sees a goroutine that reads the generation's lanes.
func TestService_SharesRulesAsTheyWere(t *testing.T) {
	h, n := quietHost(t)
	p := &port{name: "front"}
	h.addPort(p)
	s := h.addService(config.Service{Name: "shop", Listeners: []string{"front"}})
	g := s.generation(payload{})
	g.inst["a"] = &running{id: "a", gen: g}
	s.shareRules(nil)
	for i := range 100 {
		g.lanes[fmt.Sprint(i)] = nil
	}
	if err := unix.SetNonblock(n.keeper, false); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Read(n.keeper, make([]byte, 1<<16)); err != nil {
		t.Fatal(err)
	}
}
