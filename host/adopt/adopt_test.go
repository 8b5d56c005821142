package adopt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/internal/seqpacket"
)

// ledger is a Book with one lane, that notes what it is told.
type ledger struct {
	lane  Lane
	want  func(Bind) bool
	errno unix.Errno
	kept  string
	given func(pid int) // called while the program still waits

	mu    sync.Mutex
	notes []string
	binds []Bind
}

func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

func (l *ledger) Place(b Bind) (Lane, unix.Errno) {
	l.note("place")
	l.mu.Lock()
	l.binds = append(l.binds, b)
	l.mu.Unlock()
	if l.errno != 0 {
		return Lane{}, l.errno
	}
	if l.want != nil && !l.want(b) {
		return Lane{}, 0
	}
	return l.lane, 0
}

func (l *ledger) Find(c uint64) (Lane, bool) {
	if c == 0 || c != Cookie(l.lane.FD) {
		return Lane{}, false
	}
	return l.lane, true
}

func (l *ledger) Given(pid int, lane Lane, _ Bind) {
	l.note("given %s", lane.Name)
	if l.given != nil {
		l.given(pid)
	}
}

func (l *ledger) Listening(_ int, lane Lane, backlog int) unix.Errno {
	l.note("listening %s %d", lane.Name, backlog)
	return 0
}

func (l *ledger) KeepsPath(path string) bool { return Canonical(path) == l.kept }

func (l *ledger) Failed(_ int, call string, err error) { l.note("failed %s: %v", call, err) }

func (l *ledger) told() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.notes, ", ")
}

// first is the first bind that was asked about.
func (l *ledger) first() Bind {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.binds[0]
}

// play is one program under the filter, with its talk.
type play struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs a program whose calls the book answers until it ends.
func start(t *testing.T, book *ledger, options, name string, args ...string) *play {
	t.Helper()
	ours, theirs, err := seqpacket.Pair()
	if err != nil {
		t.Fatal(err)
	}
	talk, err := seqpacket.New(ours)
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &play{t: t, cmd: exec.Command(exe, append([]string{"_launch", options, name}, args...)...)}
	p.cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(theirs), "talk")}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.ExtraFiles[0].Close()
	stuck := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	t.Cleanup(func() {
		stuck.Stop()
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	_ = talk.SetDeadline(time.Now().Add(10 * time.Second))
	_, fds, err := talk.Receive(make([]byte, 8))
	if err != nil || len(fds) != 1 {
		rest, _ := io.ReadAll(p.out)
		t.Fatalf("no filter: %v\n%s", err, rest)
	}
	go answerCalls(t, fds[0], book)
	return p
}

// answerCalls ends with the last process under the filter.
func answerCalls(t *testing.T, fd int, book *ledger) {
	defer unix.Close(fd)
	for {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(set, -1); err != nil {
			continue // interrupted
		}
		if set[0].Revents&unix.POLLIN == 0 {
			return
		}
		if err := Serve(fd, book); errors.Is(err, ErrGone) {
			book.note("gone")
		} else if err != nil {
			t.Errorf("serve: %v", err)
			return
		}
	}
}

// expect reads the program's next line.
func (p *play) expect(want string) {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if strings.HasPrefix(line, "skipped:") {
		p.t.Skip(line)
	}
	if strings.TrimSpace(line) != want {
		p.t.Fatalf("the program said %q (%v), want %q", line, err, want)
	}
}

func (p *play) tell() { _, _ = io.WriteString(p.in, "go on\n") }

// lane binds and listens on a free port of 127.0.0.1.
func lane(t *testing.T, network string) (Lane, string) {
	t.Helper()
	typ := unix.SOCK_STREAM
	if network == "udp" {
		typ = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if network == "tcp" {
		if err := unix.Listen(fd, 16); err != nil {
			t.Fatal(err)
		}
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return Lane{Name: "lane", FD: fd}, strconv.Itoa(sa.(*unix.SockaddrInet4).Port) //nolint:forcetypeassert // bound above
}

// ask connects, says hello and wants it back.
func ask(t *testing.T, network, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	return c
}

func answered(t *testing.T, c net.Conn) {
	t.Helper()
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v", b, err)
	}
}

// TestAdoption plays every program once as this user.
func TestAdoption(t *testing.T) {
	for _, mode := range []string{"blocking", "nonblock", "cloexec", "nonblock+cloexec"} {
		t.Run("serve "+mode, func(t *testing.T) {
			l, port := lane(t, "tcp")
			book := &ledger{lane: l}
			p := start(t, book, "", "serve", port, mode)
			p.expect("listening")
			answered(t, ask(t, "tcp", "127.0.0.1:"+port))
			p.expect("done")
			if told := book.told(); told != "place, given lane, listening lane 16" {
				t.Errorf("the book was told: %s", told)
			}
			b := book.first()
			if b.PID != p.cmd.Process.Pid || b.Family != unix.AF_INET || b.Type != unix.SOCK_STREAM || b.Addr.String() != "127.0.0.1:"+port {
				t.Errorf("%+v", b)
			}
		})
	}
	for name, typ := range map[string]string{"mapped": "tcp", "thread": "tcp", "mptcp": "tcp", "datagram": "udp"} {
		t.Run(name, func(t *testing.T) {
			l, port := lane(t, typ)
			book := &ledger{lane: l}
			p := start(t, book, "", name, port)
			p.expect("listening")
			answered(t, ask(t, typ, "127.0.0.1:"+port))
			p.expect("done")
			if b := book.first(); b.PID != p.cmd.Process.Pid {
				t.Errorf("%+v is not of process %d", b, p.cmd.Process.Pid)
			}
		})
	}
	t.Run("pass", func(t *testing.T) {
		l, port := lane(t, "tcp")
		book := &ledger{lane: l}
		start(t, book, "", "pass", port, filepath.Join(t.TempDir(), "s")).expect("done")
		if told := book.told(); told != "" {
			t.Errorf("the book was told: %s", told)
		}
	})
	t.Run("refused", func(t *testing.T) {
		l, port := lane(t, "tcp")
		start(t, &ledger{lane: l, errno: unix.EADDRNOTAVAIL}, "", "refused", port).expect("done")
	})
	t.Run("shutdown", func(t *testing.T) {
		l, port := lane(t, "tcp")
		p := start(t, &ledger{lane: l}, "", "shutdown", port)
		p.expect("listening")
		c := ask(t, "tcp", "127.0.0.1:"+port)
		p.tell()
		answered(t, c)
		p.expect("done")
		_ = ask(t, "tcp", "127.0.0.1:"+port) // it listens still
	})
	t.Run("unlink", testUnlink)
	t.Run("path", testPath)
	t.Run("again", func(t *testing.T) {
		l, port := lane(t, "tcp")
		book := &ledger{lane: l}
		p := start(t, book, "", "again", port)
		p.expect("listening")
		answered(t, ask(t, "tcp", "127.0.0.1:"+port))
		p.expect("done")
		if told := book.told(); told != "place, given lane, listening lane 16, listening lane 16" {
			t.Errorf("the book was told: %s", told)
		}
	})
	t.Run("restarted", testRestarted)
	t.Run("held", testHeld)
}

func testUnlink(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kept", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(".", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	l, _ := lane(t, "tcp")
	book := &ledger{lane: l, kept: filepath.Join(dir, "kept")}
	start(t, book, "unlink", "unlink", dir, "kept", "other").expect("done")
	if _, err := os.Stat(filepath.Join(dir, "kept")); err != nil {
		t.Errorf("the kept path: %v", err)
	}
	if told := book.told(); told != "" {
		t.Errorf("the book was told: %s", told)
	}
}

func testPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 16)); err != nil {
		t.Fatal(err)
	}
	book := &ledger{lane: Lane{Name: "local", FD: fd}, kept: path, want: func(b Bind) bool { return Canonical(b.Path) == path }}
	p := start(t, book, "unlink", "path", dir, "s")
	p.expect("listening")
	answered(t, ask(t, "unix", path))
	p.expect("done")
	if b := book.first(); b.Family != unix.AF_UNIX || b.Addr != (netip.AddrPort{}) {
		t.Errorf("%+v", b)
	}
}

// testRestarted interrupts a bind after its lane was put in place and before its
// answer: the kernel restarts it, and it must find its lane.
func testRestarted(t *testing.T) {
	l, port := lane(t, "tcp")
	book := &ledger{lane: l}
	book.given = func(pid int) { interrupt(t, pid) }
	p := start(t, book, "restart", "serve", port, "cloexec")
	p.expect("listening")
	answered(t, ask(t, "tcp", "127.0.0.1:"+port))
	p.expect("done")
	if told := book.told(); told != "place, given lane, gone, listening lane 16" {
		t.Errorf("the book was told: %s", told)
	}
}

// interrupt signals the threads of a program that wait for the answer to a bind,
// and returns when they wait anew.
func interrupt(t *testing.T, pid int) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Error(err)
		return
	}
	for _, e := range threads {
		tid, _ := strconv.Atoi(e.Name())
		before := switches(pid, tid)
		if before == "" || unix.Tgkill(pid, tid, unix.SIGURG) != nil {
			continue
		}
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
			if now := switches(pid, tid); now != "" && now != before {
				break // it waits anew
			}
		}
	}
}

// switches counts how often a thread in bind has gone to sleep; empty for one
// that is elsewhere.
func switches(pid, tid int) string {
	call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, tid))
	if !strings.HasPrefix(string(call), strconv.Itoa(unix.SYS_BIND)+" ") {
		return ""
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	_, count, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
	return strings.TrimSpace(strings.SplitN(count, "\n", 2)[0])
}

// testHeld gives a lane that a live process accepts from: its mode stays.
func testHeld(t *testing.T) {
	l, port := lane(t, "tcp")
	if err := unix.SetNonblock(l.FD, true); err != nil {
		t.Fatal(err)
	}
	l.Held = true
	p := start(t, &ledger{lane: l}, "", "thread", port) // binds blocking
	p.expect("listening")
	if flags(l.FD)&unix.O_NONBLOCK == 0 {
		t.Error("the mode of a lane in use was changed")
	}
	answered(t, ask(t, "tcp", "127.0.0.1:"+port))
	p.expect("done")
}

// TestAdoptionWithoutPrivileges plays all of it as an ordinary user, who needs
// no_new_privs to install a filter.
func TestAdoptionWithoutPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this user has no privileges: TestAdoption shows it")
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "adopt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "adopt.test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, exe, 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o700), os.Chown(filepath.Join(dir, "tmp"), 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-test.run=^TestAdoption$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(os.Environ()), "TMPDIR="+filepath.Join(dir, "tmp"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAdoption/serve") {
		t.Fatalf("%v\n%s", err, out)
	}
}
