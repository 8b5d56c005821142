package adopt

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/internal/seqpacket"
)

// The test binary plays the launcher, which installs the filter, and the
// program, which knows nothing of it.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "_launch":
			os.Exit(playLauncher(os.Args[2:]))
		case "_program":
			os.Exit(playProgram(os.Args[2], os.Args[3:]))
		}
	}
	os.Exit(m.Run())
}

// playLauncher: options, program, arguments. The talk is descriptor 3.
func playLauncher(args []string) int {
	runtime.LockOSThread()
	fd, err := installAs(args[0])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	talk, err := seqpacket.New(3)
	if err == nil {
		err = talk.Send([]byte("x"), []int{fd})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	_ = talk.Close()
	_ = unix.Close(fd)
	err = syscall.Exec("/proc/self/exe", append([]string{"program", "_program"}, args[1:]...), os.Environ())
	fmt.Println(err)
	return 1
}

// installAs: "unlink" watches unlink, "restart" installs as kernels before 5.19
// do, whose waiting calls any signal interrupts.
func installAs(options string) (int, error) {
	o := Options{Unlink: strings.Contains(options, "unlink")}
	if !strings.Contains(options, "restart") {
		return Install(o)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	prog := filter(o)
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// program is an unmodified program's view: system calls, and a talk with the
// test over its standard streams.
type program struct {
	in   *bufio.Reader
	args []string
}

func (p program) say(words ...any) { fmt.Println(words...) }

func (p program) hear() { _, _ = p.in.ReadString('\n') }

func playProgram(name string, args []string) int {
	p := program{in: bufio.NewReader(os.Stdin), args: args}
	if err := programs[name](p); err != nil {
		p.say("failed:", err)
		return 1
	}
	p.say("done")
	return 0
}

var programs = map[string]func(program) error{
	"serve":    serveOne,
	"mapped":   bindMapped,
	"thread":   bindOnAThread,
	"pass":     bindWhatPasses,
	"refused":  bindRefused,
	"shutdown": shutDownLane,
	"unlink":   removePaths,
	"mptcp":    bindMPTCP,
	"again":    bindAgain,
	"datagram": bindDatagram,
	"path":     bindPath,
}

// address is the first argument: a port of 127.0.0.1.
func (p program) address() *unix.SockaddrInet4 {
	port, err := strconv.Atoi(p.args[0])
	if err != nil {
		panic(err)
	}
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

// answer accepts one connection of fd and sends back what it says.
func answer(fd int) error {
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	defer unix.Close(c)
	var b [64]byte
	n, err := unix.Read(c, b[:])
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	_, err = unix.Write(c, b[:n])
	return err
}

// flags returns which of O_NONBLOCK and O_CLOEXEC fd has.
func flags(fd int) int {
	status, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	f := status & unix.O_NONBLOCK
	if cloexec, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); cloexec&unix.FD_CLOEXEC != 0 {
		f |= unix.O_CLOEXEC
	}
	return f
}

// serveOne binds with the flags of its second argument and options of its own,
// says what became of them, and answers one client.
func serveOne(p program) error {
	var want int
	if strings.Contains(p.args[1], "nonblock") {
		want |= unix.O_NONBLOCK
	}
	if strings.Contains(p.args[1], "cloexec") {
		want |= unix.O_CLOEXEC
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|want, 0)
	if err != nil {
		return err
	}
	set := []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 77}, {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 4321}, {unix.IPPROTO_IP, unix.IP_TOS, 0x10},
	}
	for _, o := range set {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	before := Cookie(fd)
	if err := unix.Bind(fd, p.address()); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, 16); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if Cookie(fd) == before {
		return errors.New("it is still the program's own socket")
	}
	if got := flags(fd); got != want {
		return fmt.Errorf("flags %#o, want %#o", got, want)
	}
	for _, o := range set {
		if got, err := unix.GetsockoptInt(fd, o.level, o.name); err != nil || got != o.value {
			return fmt.Errorf("option %d/%d is %d, want %d: %w", o.level, o.name, got, o.value, err)
		}
	}
	p.say("listening")
	return answer(fd)
}

// bindMapped binds [::] where the lane is IPv4.
func bindMapped(p program) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet6{Port: p.address().Port}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, 16); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	p.say("listening")
	return answer(fd)
}

// bindOnAThread binds where the thread's number is not the process's.
func bindOnAThread(p program) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	runtime.LockOSThread() // so that the goroutine gets another
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			done <- errors.New("it is the main thread")
			return
		}
		if err := unix.Bind(fd, p.address()); err != nil {
			done <- err
			return
		}
		done <- unix.Listen(fd, 16)
	}()
	if err := <-done; err != nil {
		return err
	}
	p.say("listening")
	return answer(fd)
}

// bindWhatPasses makes calls of which none is the Book's.
func bindWhatPasses(p program) error {
	tcp, err1 := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	netlink, err2 := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	local, err3 := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	port0 := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	pathOfTCP := &unix.SockaddrUnix{Name: p.args[1]}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"an address of another family", unix.Bind(tcp, pathOfTCP), unix.EAFNOSUPPORT},
		{"an IPv6 address", unix.Bind(tcp, &unix.SockaddrInet6{Port: p.address().Port}), unix.EAFNOSUPPORT},
		{"port 0", unix.Bind(tcp, port0), nil},
		{"listen on it", unix.Listen(tcp, 1), nil},
		{"shutdown of it", unix.Shutdown(tcp, unix.SHUT_RDWR), nil},
		{"netlink", unix.Bind(netlink, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}), nil},
		{"an abstract name", unix.Bind(local, &unix.SockaddrUnix{Name: "@zdhost-test-" + strconv.Itoa(os.Getpid())}), nil},
		{"no descriptor", unix.Bind(9999, p.address()), unix.EBADF},
		{"listen on none", unix.Listen(9999, 1), unix.EBADF},
		{"shutdown of none", unix.Shutdown(9999, unix.SHUT_RDWR), unix.EBADF},
		{"no socket", unix.Bind(0, p.address()), unix.ENOTSOCK},
	} {
		if !errors.Is(c.err, c.want) {
			return fmt.Errorf("%s: %w", c.name, c.err)
		}
	}
	sa, err := unix.Getsockname(tcp)
	if in, ok := sa.(*unix.SockaddrInet4); err != nil || !ok || in.Port == 0 {
		return fmt.Errorf("the bind of port 0 went nowhere: %v %w", sa, err)
	}
	return nil
}

func bindRefused(p program) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, p.address()); !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// shutDownLane does to its lane what WEBrick does.
func shutDownLane(p program) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Bind(fd, p.address()), unix.Listen(fd, 16)); err != nil {
		return err
	}
	p.say("listening")
	p.hear() // a client is in the queue
	for _, how := range []int{unix.SHUT_RDWR, unix.SHUT_RD, unix.SHUT_RDWR} {
		if err := unix.Shutdown(fd, how); err != nil {
			return fmt.Errorf("shutdown(%d): %w", how, err)
		}
	}
	return answer(fd)
}

// removePaths removes a kept path in every way, and others.
func removePaths(p program) error {
	dir, kept, other := p.args[0], p.args[1], p.args[2]
	if err := os.Chdir(dir); err != nil {
		return err
	}
	d, err := unix.Open(".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for name, err := range map[string]error{
		"unlink":              unix.Unlink(dir + "/" + kept),
		"unlink, relative":    unix.Unlink(kept),
		"unlink, roundabout":  unix.Unlink("./link/../" + kept),
		"unlink, over a link": unix.Unlink("link/" + kept),
		"unlinkat":            unix.Unlinkat(unix.AT_FDCWD, dir+"/"+kept, 0),
		"unlinkat, directory": unix.Unlinkat(d, kept, 0),
	} {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := unix.Unlink(other); err != nil {
		return err
	}
	if err := unix.Unlink(other); !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("a second unlink: %w", err)
	}
	return nil
}

func bindMPTCP(p program) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if slices.Contains([]error{unix.EPROTONOSUPPORT, unix.ENOPROTOOPT, unix.EINVAL}, err) {
		p.say("skipped:", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Bind(fd, p.address()), unix.Listen(fd, 16)); err != nil {
		return err
	}
	if proto, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || proto != unix.IPPROTO_TCP {
		return fmt.Errorf("protocol %d, %w", proto, err)
	}
	p.say("listening")
	return answer(fd)
}

// bindAgain binds twice, as a call does that a signal has restarted.
func bindAgain(p program) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for range 2 {
		if err := unix.Bind(fd, p.address()); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
	}
	for range 2 { // nginx does
		if err := unix.Listen(fd, 16); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	p.say("listening")
	return answer(fd)
}

func bindDatagram(p program) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, p.address()); err != nil {
		return err
	}
	p.say("listening")
	var b [64]byte
	n, from, err := unix.Recvfrom(fd, b[:], 0)
	if err != nil {
		return err
	}
	return unix.Sendto(fd, b[:n], 0, from)
}

// bindPath does what programs with unix sockets do: unlink, bind, listen.
func bindPath(p program) error {
	if err := os.Chdir(p.args[0]); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Unlink(p.args[1]); err != nil {
		return err
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: p.args[1]}), unix.Listen(fd, 16)); err != nil {
		return err
	}
	p.say("listening")
	return answer(fd)
}
