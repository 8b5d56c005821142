package keeper

import (
	"encoding/json"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/adopt"
)

// Version is the protocol's version. A keeper serves hosts of this version and
// of the one before.
const Version = 1

// Kinds of requests (host → keeper).
const (
	kindHello    = "hello"
	kindBind     = "bind"
	kindPublish  = "publish"
	kindStash    = "stash"
	kindFetch    = "fetch"
	kindDrop     = "drop"
	kindSpawn    = "spawn"
	kindRules    = "rules"
	kindSignal   = "signal"
	kindForget   = "forget"
	kindServing  = "serving"
	kindShutdown = "shutdown"
)

// Kinds of events (keeper → host).
const (
	kindExited    = "exited"
	kindGiven     = "given"
	kindListening = "listening"
	kindOpened    = "opened"
	kindRefused   = "refused"
	kindFailed    = "failed"
	kindStop      = "stop"
)

// Welcome is the answer to a host's hello: all that the keeper holds.
type Welcome struct {
	Version     int          `json:"version"`
	KeeperPID   int          `json:"keeper_pid"`
	Started     time.Time    `json:"started"`
	Restarts    int          `json:"restarts"` // of the host, so far
	Descriptors []Descriptor `json:"descriptors,omitempty"`
	Children    []Child      `json:"children,omitempty"`
}

// Descriptor is a named descriptor that the keeper holds.
type Descriptor struct {
	Name string `json:"name"`
	// Address is set for a socket that the keeper bound.
	Address *Address `json:"address,omitempty"`
	// Listener is the rule's, for a socket that a program's bind has opened.
	Listener string `json:"listener,omitempty"`
	// Private is the path at which a unix socket answers, published or not.
	Private string `json:"private,omitempty"`
	// Meta is the host's own note, returned as it was given.
	Meta json.RawMessage `json:"meta,omitempty"`
}

// Address is where a socket is bound. Networks are tcp, udp, unix (stream),
// unixgram and unixpacket (seqpacket).
type Address struct {
	Network string `json:"network"`
	// Host is an IP address; empty in a [Rule] stands for both families,
	// decided by the program's first bind.
	Host   string `json:"host,omitempty"`
	Port   uint16 `json:"port,omitempty"`
	V6Only bool   `json:"v6only,omitempty"`
	Path   string `json:"path,omitempty"`  // unix
	Mode   uint32 `json:"mode,omitempty"`  // unix: permission bits, 0 for 0777 less umask
	Owner  *User  `json:"owner,omitempty"` // unix: whose the path is
	// Before is what the program had set that opened the address.
	adopt.Before
}

// String writes the address as the configuration does.
func (a Address) String() string {
	switch {
	case a.local():
		return "unix:" + a.Path
	case a.Network == "udp":
		return "udp:" + a.hostPort()
	}
	return a.hostPort()
}

// local says that the address is a path.
func (a Address) local() bool {
	return a.Network == "unix" || a.Network == "unixgram" || a.Network == "unixpacket"
}

// BindRequest asks for a socket.
type BindRequest struct {
	Name    string  `json:"name"`
	Address Address `json:"address"`
	// First binds without SO_REUSEPORT, so that an address in use is an error,
	// and sets it after; later lanes of the address bind with it.
	First bool            `json:"first"`
	Meta  json.RawMessage `json:"meta,omitempty"`
}

// Spawn describes a program to start.
type Spawn struct {
	ID         string   `json:"id"` // unique among the children; names its files
	Service    string   `json:"service"`
	Generation uint64   `json:"generation"`
	Path       string   `json:"path"` // resolved executable
	Argv       []string `json:"argv"`
	Env        []string `json:"env"`
	Dir        string   `json:"dir"`
	User       *User    `json:"user,omitempty"`
	Limits     Limits   `json:"limits"`
	Sockets    string   `json:"sockets"` // adopt, inherit or none
	Rules      []Rule   `json:"rules,omitempty"`
	// Open says that other fixed addresses which the program binds become
	// listeners of their own (event opened).
	Open bool   `json:"open"`
	Log  string `json:"log"` // file that takes its output
	// Cgroup is the keeper\'s own: where the launcher puts itself.
	Cgroup string          `json:"cgroup,omitempty"`
	Meta   json.RawMessage `json:"meta,omitempty"`
}

// User is whom a program runs as.
type User struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
}

// Limits bounds an instance; zero leaves the keeper's own limit.
type Limits struct {
	Memory    uint64  `json:"memory,omitempty"` // bytes
	CPUs      float64 `json:"cpus,omitempty"`
	Files     uint64  `json:"files,omitempty"`
	Processes uint64  `json:"processes,omitempty"`
}

// Rule says which descriptor answers for an address in one program.
type Rule struct {
	Listener   string  `json:"listener"`
	Address    Address `json:"address"`
	Descriptor string  `json:"descriptor,omitempty"` // empty: bound at the program's bind
}

// Child is a program that the keeper started and that was not forgotten yet.
type Child struct {
	ID        string    `json:"id"`
	PID       int       `json:"pid"`
	Started   time.Time `json:"started"`
	Exit      *Exit     `json:"exit,omitempty"`
	Listening []string  `json:"listening,omitempty"` // descriptors it called listen on
	Rules     []Rule    `json:"rules,omitempty"`
	// Unenforced says which limits this machine could not set, and why.
	Unenforced string          `json:"unenforced,omitempty"`
	Meta       json.RawMessage `json:"meta,omitempty"`
}

// Exit is how a program ended.
type Exit struct {
	Code       int            `json:"code"` // -1 where a signal ended it
	Signal     syscall.Signal `json:"signal,omitempty"`
	CoreDumped bool           `json:"core_dumped,omitempty"`
	At         time.Time      `json:"at"`
	// Leftovers are processes of its session that outlived it.
	Leftovers []int `json:"leftovers,omitempty"`
}

// String says it in words: "exit code 3", "killed by SIGSEGV".
func (e Exit) String() string {
	if e.Signal != 0 {
		s := "killed by " + unix.SignalName(e.Signal)
		if e.CoreDumped {
			s += " (core dumped)"
		}
		return s
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Event is what the keeper tells the host by itself.
type Event struct {
	Kind       string   `json:"kind"`
	Child      string   `json:"child,omitempty"`
	Exit       *Exit    `json:"exit,omitempty"`       // exited
	Descriptor string   `json:"descriptor,omitempty"` // given, listening, opened
	Listener   string   `json:"listener,omitempty"`   // opened: the rule's, empty for an address nobody named
	Address    *Address `json:"address,omitempty"`    // opened, refused
	Asked      string   `json:"asked,omitempty"`      // given, refused: the program's own words
	Reason     string   `json:"reason,omitempty"`     // refused, failed
	FD         int      `json:"-"`                    // opened: a duplicate, the receiver's; else -1
	// Urgent is set on stop where the user asked twice.
	Urgent bool `json:"urgent,omitempty"`
}

// Names of the events, for a switch in the host.
const (
	EventExited    = kindExited    // a child ended
	EventGiven     = kindGiven     // a child's bind was answered with a lane
	EventListening = kindListening // a child called listen on a lane
	EventOpened    = kindOpened    // a child bound an address that had no socket yet
	EventRefused   = kindRefused   // a child's bind was refused
	EventFailed    = kindFailed    // a call could not be examined and went through
	EventStop      = kindStop      // the user wants everything stopped
)

// Error says why a request came to nothing. Where Step is set, a launcher failed
// at that step, and starting the same program again fails the same way until the
// file or the limits change.
type Error struct {
	Step  string        `json:"step"` // what the launcher was doing
	Errno syscall.Errno `json:"errno,omitempty"`
	Text  string        `json:"text"`
}

func (e *Error) Error() string {
	if e.Step == "" {
		return e.Text
	}
	return e.Step + ": " + e.Text
}

// Unwrap gives the system's error number.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}
