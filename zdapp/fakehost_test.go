package zdapp

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// fakeHost holds a listening socket and speaks the workload API to the programs that it starts.
type fakeHost struct {
	t       *testing.T
	dir     string
	lane    int // raw: an os.File could switch it to blocking
	address string
	log     string   // what the programs executed
	sibling *process // whose inbox the next programs share
	started int
}

func newFakeHost(t *testing.T) *fakeHost {
	t.Helper()
	dir, err := os.MkdirTemp("", "zdapp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1024); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	h := &fakeHost{t: t, dir: dir, lane: fd, log: filepath.Join(dir, "executed")}
	h.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*unix.SockaddrInet4).Port))
	t.Cleanup(func() { h.checkLane(); _ = unix.Close(fd) })
	return h
}

// checkLane makes sure that no program switched the shared socket to blocking.
func (h *fakeHost) checkLane() {
	flags, err := unix.FcntlInt(uintptr(h.lane), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		h.t.Errorf("the lane is blocking now (flags %#x, error %v)", flags, err)
	}
}

// process is one program and the host's side of its line.
type process struct {
	t      *testing.T
	number uint64
	cmd    *exec.Cmd
	exited chan error
	path   string
	lane   int

	send, receive int // the ends of its inbox

	mu       sync.Mutex
	listener *workload.Listener
	conn     *workload.Conn
	said     chan workload.Message
	hellos   chan workload.Message
}

// start starts a program; inherit says whether it inherits the lane or has to ask for it.
func (h *fakeHost) start(inherit bool, env ...string) *process {
	h.t.Helper()
	h.started++
	p := &process{
		t: h.t, number: uint64(h.started), lane: h.lane, path: filepath.Join(h.dir, fmt.Sprintf("%d.sock", h.started)),
		exited: make(chan error, 1), said: make(chan workload.Message, 4096), hellos: make(chan workload.Message, 16),
	}
	var err error
	if s := h.sibling; s != nil {
		p.send, _ = unix.FcntlInt(uintptr(s.send), unix.F_DUPFD_CLOEXEC, 0)
		p.receive, err = unix.FcntlInt(uintptr(s.receive), unix.F_DUPFD_CLOEXEC, 0)
	} else {
		p.send, p.receive, err = workload.Pair()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	p.listen()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), roleVariable+"=server", "ZDHOST_SOCKET="+p.path, "ZDAPP_TEST_LOG="+h.log)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = h.t.Output(), h.t.Output()
	if inherit {
		dup, err := unix.FcntlInt(uintptr(h.lane), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		f := os.NewFile(uintptr(dup), "lane")
		defer f.Close()
		p.cmd.ExtraFiles = []*os.File{f}
		p.cmd.Env = append(p.cmd.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
	}
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() { p.exited <- p.cmd.Wait() }()
	h.t.Cleanup(p.cleanUp)
	return p
}

// ready starts a program that inherits the lane and waits until it is ready.
func (h *fakeHost) ready(env ...string) *process {
	h.t.Helper()
	p := h.start(true, env...)
	p.await(workload.TypeReady)
	return p
}

func (p *process) cleanUp() {
	_ = p.cmd.Process.Kill()
	p.breakLine()
	workload.CloseAll([]int{p.send, p.receive})
}

// listen makes the host answer on the program's socket.
func (p *process) listen() {
	l, err := workload.Listen(p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conn = c
			p.mu.Unlock()
			go p.converse(c)
		}
	}()
}

// breakLine is a host that dies.
func (p *process) breakLine() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	if p.conn != nil {
		_ = p.conn.Close()
	}
	_ = os.Remove(p.path)
}

func (p *process) converse(c *workload.Conn) {
	for {
		m, fds, err := c.Receive()
		if err != nil {
			return
		}
		workload.CloseAll(fds)
		switch m.Type {
		case workload.TypeHello:
			p.hellos <- m
			_ = c.Send(workload.Message{Type: "from the future"}, p.receive)
			_ = c.Send(workload.Message{
				Type: workload.TypeWelcome, V: 1, Service: "test", Generation: p.number, Instance: fmt.Sprintf("i%d", p.number),
			}, p.receive)
		case workload.TypeLanes:
			_ = c.Send(workload.Message{Type: workload.TypeLanes, Names: []string{"web"}, Addresses: []string{"?"}}, p.lane)
		default:
			p.said <- m
		}
	}
}

// tell sends a message to the program.
func (p *process) tell(m workload.Message, fds ...int) {
	p.t.Helper()
	p.mu.Lock()
	c := p.conn
	p.mu.Unlock()
	if err := c.Send(m, fds...); err != nil {
		p.t.Fatal(err)
	}
}

// await returns the next message of the type.
func (p *process) await(kind string) workload.Message {
	p.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case m := <-p.said:
			if m.Type == kind {
				return m
			}
		case <-late:
			p.t.Fatalf("program %d never said %s", p.number, kind)
		}
	}
}

// quiesce makes p move its connections to q and returns p's answer.
func (p *process) quiesce(q *process, epoch uint64) workload.Message {
	p.t.Helper()
	p.tell(workload.Message{Type: workload.TypeQuiesce, Epoch: epoch, Successor: true}, q.send)
	m := p.await(workload.TypeQuiesced)
	if m.Epoch != epoch {
		p.t.Fatalf("program %d answered epoch %d to epoch %d", p.number, m.Epoch, epoch)
	}
	return m
}

// resume makes p accept again.
func (p *process) resume(epoch uint64) {
	p.t.Helper()
	p.tell(workload.Message{Type: workload.TypeResume, Epoch: epoch})
	if m := p.await(workload.TypeResumed); m.Epoch != epoch {
		p.t.Fatalf("program %d answered epoch %d to epoch %d", p.number, m.Epoch, epoch)
	}
}

// drain makes p end, in favour of q unless that is nil, and returns its last words.
func (p *process) drain(q *process, epoch uint64) workload.Message {
	p.t.Helper()
	m := workload.Message{Type: workload.TypeDrain, Epoch: epoch, DeadlineMS: 15_000, WindowMS: 5_000}
	if q == nil {
		p.tell(m)
	} else {
		m.Successor = true
		p.tell(m, q.send)
	}
	m = p.await(workload.TypeDrained)
	p.ended()
	return m
}

// ended waits until the program has exited without an error.
func (p *process) ended() {
	p.t.Helper()
	select {
	case err := <-p.exited:
		if err != nil {
			p.t.Fatalf("program %d: %v", p.number, err)
		}
	case <-time.After(20 * time.Second):
		p.t.Fatalf("program %d doesn't end", p.number)
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// unread returns how many bytes from the client's address wait in the server's socket.
func unread(t *testing.T, server, client string) (bytes int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	port := func(address string) string {
		_, digits, _ := net.SplitHostPort(address)
		n, _ := strconv.Atoi(digits)
		return fmt.Sprintf(":%04X", n)
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 5 || !strings.HasSuffix(f[1], port(server)) || !strings.HasSuffix(f[2], port(client)) {
			continue
		}
		if _, err := fmt.Sscanf(f[4][strings.Index(f[4], ":")+1:], "%X", &bytes); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	t.Fatalf("no connection from %s to %s", client, server)
	return 0
}

// drainMessage is a drain with a deadline that no test wants to see.
func drainMessage(epoch uint64, windowMS int64) workload.Message {
	return workload.Message{Type: workload.TypeDrain, Epoch: epoch, DeadlineMS: 15_000, WindowMS: windowMS, Successor: true}
}
