package promises

import (
	"syscall"
	"testing"
)

// TestRow1_UnmodifiedServers: upgrades of servers that know nothing of zdhost lose no request, whoever runs it.
func TestRow1_UnmodifiedServers(t *testing.T) {
	for _, user := range []struct {
		name string
		as   func(*testing.T) *syscall.Credential
	}{
		{"me", func(*testing.T) *syscall.Credential { return nil }},
		{"nobody", nobody},
	} {
		for _, server := range []string{"python", "node", "nginx", "gunicorn", "naive", "jdk"} {
			t.Run(server+" as "+user.name, func(t *testing.T) {
				unmodified(t, server, user.as(t))
			})
		}
	}
}

func unmodified(t *testing.T, server string, as *syscall.Credential) {
	g := newGround(t, as)
	address := freeAddress(t)
	o := g.offers(server, address)
	h := g.up(append([]string{"--name", "web", "--"}, o.release("v1")...)...)
	clients := g.flow(newConnections(address))
	n := sized().upgradesOf(server)
	h.upgrades("web", n, o.release)
	clients.more(g, 100)
	r := clients.end()
	t.Logf("%d upgrades", n)
	wantNoneFailed(t, r)
	wantAnsweredBy(t, r, "v1", "v2")
	if got := h.service("web").Generation; got <= uint64(n) {
		t.Errorf("generation %d serves after %d upgrades", got, n)
	}
}
