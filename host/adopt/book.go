package adopt

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Bind is what a program asked for.
type Bind struct {
	PID    int
	Family int            // AF_INET, AF_INET6 or AF_UNIX, of the socket
	Type   int            // SOCK_STREAM or SOCK_DGRAM
	Addr   netip.AddrPort // set for the internet families; a zone is an interface's index or name
	Path   string         // set for AF_UNIX: absolute, links as the program wrote them
	V6Only bool
	Before
}

// Before is what a program sets on a socket before bind because it bears on the
// bind itself. Who binds in its place sets it too.
type Before struct {
	Device      string `json:"device,omitempty"` // SO_BINDTODEVICE: the only interface that reaches it
	FreeBind    bool   `json:"freebind,omitempty"`
	Transparent bool   `json:"transparent,omitempty"`
}

// Lane is the answer's socket as the Book knows it. The Book keeps owning FD.
type Lane struct {
	Name string
	FD   int
	// Held says that a live process has accepted from it before: its blocking
	// mode, which all holders share, must stay.
	Held bool
}

// Book knows whose address is whose for one program. Its methods are called by
// the goroutine that calls [Serve], one at a time.
type Book interface {
	// Place answers a bind: with a lane to give, with an errno that refuses it,
	// or with neither, and the call goes through untouched.
	Place(Bind) (Lane, unix.Errno)
	// Find names the lane whose SO_COOKIE this is.
	Find(cookie uint64) (Lane, bool)
	// Given notes that the program's process now has the lane.
	Given(pid int, lane Lane, asked Bind)
	// Listening notes that the program called listen on the lane. The Book makes
	// sure that the lane listens, and returns an errno where it can't.
	Listening(pid int, lane Lane, backlog int) unix.Errno
	// KeepsPath reports whether path, absolute and with links as the program wrote
	// them, is a listener's, which no program removes.
	KeepsPath(path string) bool
	// Failed notes a call that could not be examined and went through.
	Failed(pid int, call string, err error)
}
