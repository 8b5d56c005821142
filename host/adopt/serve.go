package adopt

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Serve receives one notification from fd and answers it. It returns ErrGone
// where there was nothing to answer any more, and an error where the descriptor
// itself failed; what is wrong with a single call is the Book's to note.
func Serve(fd int, book Book) error {
	n, err := Receive(fd)
	if err != nil {
		return err
	}
	c, err := newCaller(n.TID)
	if err != nil {
		return Continue(fd, n.ID) // died meanwhile, or out of our sight
	}
	s := session{fd: fd, n: n, c: c, book: book}
	switch n.NR {
	case unix.SYS_BIND:
		return s.bind()
	case unix.SYS_LISTEN:
		return s.listen()
	case unix.SYS_SHUTDOWN:
		return s.shutdown()
	default:
		return s.unlink()
	}
}

// session is the handling of one notification.
type session struct {
	fd   int
	n    Notification
	c    caller
	book Book
}

func (s session) bind() error {
	target := int(int32(s.n.Arg[0]))
	sock, err := s.c.socket(target)
	if errors.Is(err, unix.EBADF) {
		return Continue(s.fd, s.n.ID) // the kernel will tell the program
	}
	if err != nil {
		return s.pass("bind", err)
	}
	defer unix.Close(sock)
	if _, ok := s.book.Find(cookie(sock)); ok {
		return Answer(s.fd, s.n.ID, 0) // a bind that was restarted after its answer
	}
	asked, ours, err := s.asked(sock)
	if err != nil {
		return s.pass("bind", err)
	}
	if !ours {
		return Continue(s.fd, s.n.ID)
	}
	lane, errno := s.book.Place(asked)
	if errno != 0 {
		return Answer(s.fd, s.n.ID, errno)
	}
	if lane.Name == "" {
		return Continue(s.fd, s.n.ID)
	}
	return s.give(lane, asked, sock, target)
}

// asked reads what the program wants to bind; ours is false for what is never
// adopted: other families and types, and ports chosen by the kernel.
func (s session) asked(sock int) (Bind, bool, error) {
	b := Bind{PID: s.c.pid}
	var err error
	if b.Family, err = unix.GetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_DOMAIN); errors.Is(err, unix.ENOTSOCK) {
		return b, false, nil // the kernel will tell the program
	} else if err != nil {
		return b, false, err
	}
	if b.Type, err = unix.GetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return b, false, err
	}
	inet := b.Family == unix.AF_INET || b.Family == unix.AF_INET6
	if !inet && b.Family != unix.AF_UNIX || b.Type != unix.SOCK_STREAM && b.Type != unix.SOCK_DGRAM {
		return b, false, nil
	}
	size := int(uint32(s.n.Arg[2]))
	if size < 2 || size > unix.SizeofSockaddrAny {
		return b, false, nil // the kernel will say what is wrong with it
	}
	raw, err := s.c.read(s.n.Arg[1], size)
	if err != nil {
		return b, false, err
	}
	b.Addr, b.Path, err = parseSockaddr(raw, func(p string) string { return s.c.path(p, unix.AT_FDCWD) })
	if err != nil {
		return b, false, nil //nolint:nilerr // as above
	}
	if !sameFamily(b.Family, raw) {
		return b, false, nil // as above
	}
	if b.Family == unix.AF_INET6 {
		only, _ := unix.GetsockoptInt(sock, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		b.V6Only = only == 1
		if b.Addr.Addr().Is4In6() {
			b.Addr = netip.AddrPortFrom(b.Addr.Addr().Unmap(), b.Addr.Port())
		}
	}
	if inet {
		b.Before = BeforeOf(sock)
		if ip := b.Addr.Addr(); scoped(ip) && ip.Zone() == "" && b.Device != "" {
			b.Addr = netip.AddrPortFrom(ip.WithZone(b.Device), b.Addr.Port())
		}
	}
	if !Valid(s.fd, s.n.ID) {
		return b, false, ErrGone
	}
	return b, b.Path != "" || inet && b.Addr.IsValid() && b.Addr.Port() != 0, nil
}

// give puts the lane over the program's descriptor with the options and the
// mode that the program had chosen for its own socket.
func (s session) give(lane Lane, asked Bind, sock, target int) error {
	flags, err := s.c.fileFlags(target)
	if err != nil {
		return s.pass("bind", err)
	}
	if !lane.Held {
		if err := unix.SetNonblock(lane.FD, flags&unix.O_NONBLOCK != 0); err != nil {
			return s.pass("bind", err)
		}
	}
	copyOptions(lane.FD, sock, asked)
	if err := place(s.fd, s.n.ID, lane.FD, target, flags&unix.O_CLOEXEC != 0); err != nil {
		if errors.Is(err, ErrGone) {
			return err
		}
		return s.pass("bind", err)
	}
	s.book.Given(s.c.pid, lane, asked)
	return Answer(s.fd, s.n.ID, 0)
}

func (s session) listen() error {
	lane, ok, err := s.lane()
	if err != nil {
		return s.pass("listen", err)
	}
	if !ok {
		return Continue(s.fd, s.n.ID)
	}
	return Answer(s.fd, s.n.ID, s.book.Listening(s.c.pid, lane, int(int32(s.n.Arg[1]))))
}

// shutdown keeps a lane alive: on any duplicate it would reset the queue for
// everybody. The filter has let SHUT_WR through already.
func (s session) shutdown() error {
	_, ok, err := s.lane()
	if err != nil {
		return s.pass("shutdown", err)
	}
	if ok {
		return Answer(s.fd, s.n.ID, 0)
	}
	return Continue(s.fd, s.n.ID)
}

func (s session) unlink() error {
	arg, dirArg := pathArg(s.n.NR)
	name, err := s.c.text(s.n.Arg[arg])
	if err != nil {
		return s.pass("unlink", err)
	}
	dir := unix.AT_FDCWD
	if dirArg >= 0 {
		dir = int(int32(s.n.Arg[dirArg]))
	}
	if s.book.KeepsPath(s.c.path(name, dir)) {
		return Answer(s.fd, s.n.ID, 0)
	}
	return Continue(s.fd, s.n.ID)
}

// lane looks up the lane behind the call's first argument.
func (s session) lane() (Lane, bool, error) {
	sock, err := s.c.socket(int(int32(s.n.Arg[0])))
	if errors.Is(err, unix.EBADF) {
		return Lane{}, false, nil // the kernel will tell the program
	}
	if err != nil {
		return Lane{}, false, err
	}
	defer unix.Close(sock)
	lane, ok := s.book.Find(cookie(sock))
	if ok && !Valid(s.fd, s.n.ID) { // the number may be another process's by now
		return Lane{}, false, ErrGone
	}
	return lane, ok, nil
}

// pass lets a call through that could not be examined.
func (s session) pass(call string, err error) error {
	if errors.Is(err, ErrGone) {
		return err
	}
	s.book.Failed(s.c.pid, call, err)
	return Continue(s.fd, s.n.ID)
}

// Cookie returns the socket's SO_COOKIE, by which it is told from every other,
// or 0 for what is no socket.
func Cookie(fd int) uint64 { return cookie(fd) }

func cookie(fd int) uint64 {
	c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return 0
	}
	return c
}
