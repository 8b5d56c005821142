package keeper

import (
	"fmt"
	"net/netip"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/adopt"
)

// book answers the calls of one child from its rules and the store. It lives for
// one call and runs on the loop's goroutine.
type book struct {
	k *Keeper
	c *child
}

// Place implements adopt.Book.
func (b book) Place(asked adopt.Bind) (adopt.Lane, unix.Errno) {
	rule, ok := b.match(asked)
	if !ok {
		if !b.c.spec.Open || asked.Path != "" {
			return adopt.Lane{}, 0
		}
		a := Address{Network: network(asked), Host: asked.Addr.Addr().String(), Port: asked.Addr.Port(), V6Only: asked.V6Only, Before: asked.Before}
		return b.open(Rule{Address: a}, a, asked)
	}
	if rule.Descriptor == "" {
		a := rule.Address
		a.Before = asked.Before
		if a.Host == "" {
			a.Host = map[int]string{unix.AF_INET: "0.0.0.0", unix.AF_INET6: "::"}[asked.Family]
			a.V6Only = asked.V6Only
		}
		return b.open(rule, a, asked)
	}
	h, err := b.k.store.get(rule.Descriptor)
	if err != nil {
		return b.refuse(asked, rule.Address, err.Error(), unix.EADDRNOTAVAIL)
	}
	return b.lane(h, asked)
}

// match finds the rule whose address the program means: the same network and
// port, and the same host, or one of the two being a wildcard. The closest wins.
func (b book) match(asked adopt.Bind) (Rule, bool) {
	var best Rule
	score := 0
	for _, r := range b.c.spec.Rules {
		if s := closeness(r.Address, asked); s > score {
			best, score = r, s
		}
	}
	return best, score > 0
}

func closeness(a Address, asked adopt.Bind) int {
	if a.Network != network(asked) {
		return 0
	}
	if asked.Path != "" {
		return btoi(samePath(a.Path, asked.Path))
	}
	if a.Port != asked.Addr.Port() {
		return 0
	}
	if a.Host == "" {
		return 1
	}
	host, err := netip.ParseAddr(a.Host)
	if err != nil {
		return 0
	}
	ip := asked.Addr.Addr()
	switch {
	case host.WithZone("") == ip.WithZone(""):
		return 3 * btoi(sameZone(host, ip))
	case ip.IsUnspecified():
		return 2
	case host.IsUnspecified() && (host.Is6() && !a.V6Only || host.Is4() == ip.Is4()):
		return 1
	}
	return 0
}

// samePath looks at the file system only where the names are the same: it runs on
// the loop, and the program's path may lead to where nothing ever answers.
func samePath(rule, asked string) bool {
	return filepath.Base(rule) == filepath.Base(asked) && adopt.Canonical(rule) == adopt.Canonical(asked)
}

// sameZone compares by index: one side may have the interface's name.
func sameZone(a, b netip.Addr) bool {
	if a.Zone() == b.Zone() {
		return true
	}
	i, err1 := zoneIndex(a.Zone())
	j, err2 := zoneIndex(b.Zone())
	return err1 == nil && err2 == nil && i == j
}

// open binds an address that has no socket yet, for the generation whose child
// asked, and tells the host.
func (b book) open(rule Rule, a Address, asked adopt.Bind) (adopt.Lane, unix.Errno) {
	name := fmt.Sprintf("open/%s/%d/%s", b.c.spec.Service, b.c.spec.Generation, a)
	h, err := b.k.store.get(name)
	if err != nil {
		if h, err = b.k.hold(name, a, true, nil); err != nil {
			return b.refuse(asked, a, err.Error(), errnoOf(err, unix.EADDRINUSE))
		}
		h.listener = rule.Listener
		b.k.tell(Event{Kind: EventOpened, Child: b.c.spec.ID, Descriptor: name, Listener: rule.Listener, Address: &a}, h.fd)
	}
	return b.lane(h, asked)
}

// lane gives h unless the program could not talk through it.
func (b book) lane(h *held, asked adopt.Bind) (adopt.Lane, unix.Errno) {
	if family := laneFamily(h.fd); asked.Family == unix.AF_INET && family == unix.AF_INET6 {
		return b.refuse(asked, *h.address, "the program binds an IPv4 socket, the listener is IPv6, and an IPv4 program can't serve it", unix.EADDRNOTAVAIL)
	}
	// A link-local address ties a socket to its interface by itself.
	have := adopt.BeforeOf(h.fd).Device
	if h.address != nil && asked.Addr.IsValid() && asked.Device != h.address.Device && asked.Device != have {
		return b.refuse(asked, *h.address, fmt.Sprintf("the program binds to %s, the listener to %s", device(asked.Device), device(have)), unix.EADDRNOTAVAIL)
	}
	_, mine := h.holders[b.c.spec.ID]
	return adopt.Lane{Name: h.name, FD: h.fd, Held: len(h.holders) > 1 || len(h.holders) == 1 && !mine}, 0
}

func (b book) refuse(asked adopt.Bind, a Address, reason string, errno unix.Errno) (adopt.Lane, unix.Errno) {
	b.k.tell(Event{Kind: EventRefused, Child: b.c.spec.ID, Address: &a, Asked: askedText(asked), Reason: reason}, -1)
	return adopt.Lane{}, errno
}

// Find implements adopt.Book.
func (b book) Find(cookie uint64) (adopt.Lane, bool) {
	h := b.k.store.byCookie[cookie]
	if cookie == 0 || h == nil || h.address == nil {
		return adopt.Lane{}, false
	}
	return adopt.Lane{Name: h.name, FD: h.fd, Held: true}, true
}

// Given implements adopt.Book.
func (b book) Given(_ int, lane adopt.Lane, asked adopt.Bind) {
	h := b.k.store.byName[lane.Name]
	if h == nil {
		return
	}
	if _, again := h.holders[b.c.spec.ID]; again {
		return
	}
	h.holders[b.c.spec.ID] = struct{}{}
	b.k.tell(Event{Kind: EventGiven, Child: b.c.spec.ID, Descriptor: lane.Name, Asked: askedText(asked)}, -1)
	if asked.Type == unix.SOCK_DGRAM {
		b.listens(lane.Name)
	}
}

// Listening implements adopt.Book. A lane that the host prepared listens
// already; one that was opened by this program starts to with its first call.
func (b book) Listening(_ int, lane adopt.Lane, _ int) unix.Errno {
	on, err := unix.GetsockoptInt(lane.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && on == 0 {
		err = unix.Listen(lane.FD, backlog)
	}
	if err != nil {
		return errnoOf(err, unix.EADDRINUSE)
	}
	b.listens(lane.Name)
	return 0
}

// backlog is what is asked for; the kernel takes net.core.somaxconn where that
// is less.
const backlog = 4096

func (b book) listens(name string) {
	if b.c.listening[name] {
		return
	}
	b.c.listening[name] = true
	b.k.tell(Event{Kind: EventListening, Child: b.c.spec.ID, Descriptor: name}, -1)
}

// KeepsPath implements adopt.Book.
func (b book) KeepsPath(path string) bool {
	for _, r := range b.c.spec.Rules {
		if r.Address.Network == "unix" && samePath(r.Address.Path, path) {
			return true
		}
	}
	return false
}

// Failed implements adopt.Book.
func (b book) Failed(pid int, call string, err error) {
	b.k.tell(Event{Kind: EventFailed, Child: b.c.spec.ID, Reason: fmt.Sprintf("%s by process %d: %v", call, pid, err)}, -1)
}

func network(asked adopt.Bind) string {
	switch {
	case asked.Path != "" && asked.Type == unix.SOCK_STREAM:
		return "unix"
	case asked.Path != "":
		return "unixgram"
	case asked.Type == unix.SOCK_DGRAM:
		return "udp"
	}
	return "tcp"
}

func askedText(asked adopt.Bind) string {
	switch {
	case asked.Path != "":
		return "unix:" + asked.Path
	case asked.Type == unix.SOCK_DGRAM:
		return "udp:" + asked.Addr.String()
	}
	return asked.Addr.String()
}

func device(name string) string {
	if name == "" {
		return "all interfaces"
	}
	return "interface " + name + " alone"
}

func laneFamily(fd int) int {
	f, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return 0
	}
	return f
}

func errnoOf(err error, otherwise unix.Errno) unix.Errno {
	if e := wireError(err); e.Errno != 0 {
		return e.Errno
	}
	return otherwise
}
