package adopt

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// option is one that a program may set before bind and that accepted
// connections inherit from the listening socket.
type option struct{ level, name int }

var socketOptions = []option{
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{unix.SOL_SOCKET, unix.SO_PRIORITY},
	{unix.SOL_SOCKET, unix.SO_MARK},
}

var tcpOptions = []option{
	{unix.IPPROTO_TCP, unix.TCP_NODELAY},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	{unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT},
	{unix.IPPROTO_TCP, unix.TCP_FASTOPEN},
}

var inet4Options = []option{{unix.IPPROTO_IP, unix.IP_TOS}, {unix.IPPROTO_IP, unix.IP_TRANSPARENT}}
var inet6Options = []option{{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}}

// copyOptions makes the lane answer as the program's own socket would have.
// Every value is copied, defaults too: a lane out of the pool may carry those of
// the program before. An option that the lane refuses keeps the lane's value,
// since the program got it from a socket of the same family and type and can't
// depend on more than that. Buffer sizes are not copied: their defaults grow by
// themselves, and a fixed one is only seen doubled.
func copyOptions(lane, from int, asked Bind) {
	list := socketOptions
	if asked.Family != unix.AF_UNIX {
		if asked.Type == unix.SOCK_STREAM {
			list = append(list[:len(list):len(list)], tcpOptions...)
		}
		if asked.Family == unix.AF_INET6 {
			list = append(list[:len(list):len(list)], inet6Options...)
		}
		list = append(list[:len(list):len(list)], inet4Options...)
	}
	for _, o := range list {
		want, err := unix.GetsockoptInt(from, o.level, o.name)
		if err != nil {
			continue
		}
		if have, err := unix.GetsockoptInt(lane, o.level, o.name); err == nil && have != want {
			_ = unix.SetsockoptInt(lane, o.level, o.name, want)
		}
	}
}

// BeforeOf reads an internet socket's.
func BeforeOf(fd int) Before {
	var b Before
	b.Device, _ = unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	// The options of IPv4 are those of an IPv6 socket too: the kernel has one flag
	// for both.
	free, _ := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND)
	transparent, _ := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT)
	b.FreeBind, b.Transparent = free != 0, transparent != 0
	return b
}

// Set sets them on an internet socket that is not bound yet.
func (b Before) Set(fd int) error {
	if b.Device != "" {
		if err := unix.BindToDevice(fd, b.Device); err != nil {
			return fmt.Errorf("interface %s: %w", b.Device, err)
		}
	}
	for _, o := range []struct {
		on   bool
		name int
		text string
	}{{b.FreeBind, unix.IP_FREEBIND, "IP_FREEBIND"}, {b.Transparent, unix.IP_TRANSPARENT, "IP_TRANSPARENT"}} {
		if !o.on {
			continue
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, o.name, 1); err != nil {
			return fmt.Errorf("%s: %w", o.text, err)
		}
	}
	return nil
}
