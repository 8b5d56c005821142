package instance

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// office is an instance with real sockets, to which a test speaks as a program.
type office struct {
	*Instance
	t       *testing.T
	path    string // of the workload API
	notify  string
	notices chan Notice
	signals chan syscall.Signal
	lane    int // what Lanes and Inbox give duplicates of
}

// openOffice runs an instance until the test ends, and then looks for
// descriptors that are left.
func openOffice(t *testing.T, spec Spec) *office {
	t.Helper()
	before := descriptors(t)
	dir := t.TempDir()
	o := &office{t: t, path: filepath.Join(dir, "api"), notify: filepath.Join(dir, "notify"), notices: make(chan Notice, 256), signals: make(chan syscall.Signal, 256)}
	o.lane = null(t)
	spec.ID, spec.Service, spec.Generation = "shop-1", "shop", 7
	if spec.Ready.Timeout == 0 {
		spec.Ready.Timeout = time.Minute
	}
	if spec.Drain.Timeout == 0 {
		spec.Drain = DrainSpec{Timeout: time.Minute, Settle: time.Second, Signal: syscall.SIGTERM}
	}
	o.Instance = New(spec, o.world(), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	go o.Run(ctx, Channels{Notify: socket(t, unix.SOCK_DGRAM, o.notify), Workload: socket(t, unix.SOCK_SEQPACKET, o.path)})
	t.Cleanup(func() {
		cancel()
		<-o.Done()
		_ = unix.Close(o.lane)
		eventually(t, "every descriptor is closed", func() bool { return descriptors(t) <= before })
	})
	return o
}

func (o *office) world() World {
	duplicate := func() (int, error) { return unix.FcntlInt(uintptr(o.lane), unix.F_DUPFD_CLOEXEC, 0) }
	return World{
		Signal:      func(_ context.Context, sig syscall.Signal, _ bool) error { o.signals <- sig; return nil },
		Probe:       func(context.Context, string, func(net.Conn) error) error { return nil },
		Exec:        func(context.Context, []string) error { return nil },
		Connections: func() ([]Connection, error) { return nil, nil },
		Listening:   func() []string { return nil },
		Lanes: func() ([]string, []string, []int, error) {
			fd, err := duplicate()
			return []string{"web"}, []string{"127.0.0.1:80"}, []int{fd}, err
		},
		Inbox: duplicate,
		Note:  func(n Notice) { o.notices <- n },
	}
}

// until takes notices until one is as wanted.
func (o *office) until(what string, wanted func(Notice) bool) Notice {
	o.t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case n := <-o.notices:
			if wanted(n) {
				return n
			}
		case <-late:
			o.t.Fatalf("it never was %s", what)
		}
	}
}

// visitor is the program's end of a connection.
type visitor struct {
	*workload.Conn
	t *testing.T
}

func (o *office) dial() visitor {
	o.t.Helper()
	c, err := workload.Dial(o.t.Context(), o.path)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return visitor{c, o.t}
}

func (v visitor) say(m workload.Message, fds ...int) {
	v.t.Helper()
	if err := v.Send(m, fds...); err != nil {
		v.t.Fatal(err)
	}
}

// hear wants a message of the type with so many descriptors, which it closes.
func (v visitor) hear(typ string, fds int) workload.Message {
	v.t.Helper()
	m, got, err := v.Receive()
	workload.CloseAll(got)
	if err != nil || m.Type != typ || len(got) != fds {
		v.t.Fatalf("%+v with %d descriptors, %v; want %s with %d", m, len(got), err, typ, fds)
	}
	return m
}

func (v visitor) hello(m workload.Message) {
	v.t.Helper()
	m.Type, m.V = workload.TypeHello, workload.Version
	v.say(m)
	if w := v.hear(workload.TypeWelcome, 1); w.Service != "shop" || w.Generation != 7 || w.Instance != "shop-1" || w.V != workload.Version {
		v.t.Errorf("welcome %+v", w)
	}
}

func socket(t *testing.T, typ int, path string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil && typ != unix.SOCK_DGRAM {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func null(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// eventually waits for what other goroutines are about to do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("it never was so that %s", what)
		}
	}
}

func isReady(n Notice) bool { return n.State == Ready }

func TestProgramAsksForItsLanesAndSaysReady(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}, Adopts: true})
	v := o.dial()
	v.hello(workload.Message{PID: 1, Moves: true})
	v.say(workload.Message{Type: workload.TypeLanes})
	if m := v.hear(workload.TypeLanes, 1); len(m.Names) != 1 || m.Names[0] != "web" || m.Addresses[0] != "127.0.0.1:80" {
		t.Errorf("%+v", m)
	}
	v.say(workload.Message{Type: workload.TypeReady})
	if n := o.until("ready", isReady); !n.Moves {
		t.Error("it is not known to take connections")
	}
	v.say(workload.Message{Type: workload.TypeStats, Stats: workload.Stats{Requests: 9}})
	o.until("counted", func(n Notice) bool { return n.Stats != nil && n.Stats.Requests == 9 })
}

func TestHelloMayBeReadyAlready(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}, Adopts: true})
	o.dial().hello(workload.Message{Ready: true})
	o.until("ready", isReady)
}

func TestAWorkerThatSpeaksIsReadyWhenItSaysSo(t *testing.T) {
	o := openOffice(t, Spec{Adopts: true})
	v := o.dial()
	v.hello(workload.Message{})
	late := time.After(WorkerGrace + 100*time.Millisecond)
	for waiting := true; waiting; {
		select {
		case n := <-o.notices:
			if n.State == Ready {
				t.Fatal("it was taken for ready before it said so")
			}
		case <-late:
			waiting = false
		}
	}
	v.say(workload.Message{Type: workload.TypeReady})
	o.until("ready", isReady)
}

func TestDrainIsAskedWithASuccessor(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}, Drain: DrainSpec{Timeout: 10 * time.Second, Settle: 2 * time.Second, Signal: syscall.SIGTERM}})
	v := o.dial()
	v.hello(workload.Message{Ready: true, Moves: true, Epoch: 5})
	o.until("ready", isReady)
	o.Drain(null(t), Orderly)
	if m := v.hear(workload.TypeDrain, 1); m.Epoch <= 5 || !m.Successor || m.DeadlineMS != 8000 || m.WindowMS != 2000 {
		t.Errorf("%+v", m)
	}
	v.say(workload.Message{Type: workload.TypeDrained, Stats: workload.Stats{MovedOut: 3, Told: 2, Cut: 1}})
	o.until("counted", func(n Notice) bool { return n.Stats != nil && n.Stats.MovedOut == 3 })
	o.Ended(Exit{Text: "exit code 0"})
	n := o.until("exited", func(n Notice) bool { return n.State == Exited })
	if n.Report != (Report{Moved: 3, Told: 2, Cut: 1, Known: true}) {
		t.Errorf("%+v", n.Report)
	}
	select {
	case s := <-o.signals:
		t.Errorf("it was asked, and got %s too", s)
	default:
	}
}

// TestDrainIsAskedAgainInHaste: the successor that was named first may be ending too.
func TestDrainIsAskedAgainInHaste(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}, Drain: DrainSpec{Timeout: 10 * time.Second, Settle: 2 * time.Second, Signal: syscall.SIGTERM}})
	v := o.dial()
	v.hello(workload.Message{Ready: true, Moves: true})
	o.until("ready", isReady)
	o.Drain(null(t), Orderly)
	v.hear(workload.TypeDrain, 1)
	o.Drain(null(t), Orderly) // nothing new
	o.Drain(-1, Stop)
	if m := v.hear(workload.TypeDrain, 0); m.Successor || m.DeadlineMS < 1 || m.DeadlineMS > 8000 || m.WindowMS > 2000 {
		t.Errorf("%+v", m)
	}
	if s := <-o.signals; s != syscall.SIGTERM {
		t.Errorf("got %s", s)
	}
}

func TestQuiesceAndResume(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}})
	o.Quiesce(null(t)) // nobody speaks yet: the descriptor is closed all the same
	v := o.dial()
	v.hello(workload.Message{Ready: true})
	o.until("ready", isReady)
	o.Quiesce(null(t))
	q := v.hear(workload.TypeQuiesce, 1)
	o.until("quiesced", func(n Notice) bool { return n.Quiesced })
	o.Resume()
	if r := v.hear(workload.TypeResume, 0); r.Epoch != q.Epoch+1 {
		t.Errorf("epoch %d after %d", r.Epoch, q.Epoch)
	}
	v.say(workload.Message{Type: workload.TypeResumed})
	o.until("resumed", func(n Notice) bool { return !n.Quiesced })
	o.Quiesce(-1) // without a successor
	if m := v.hear(workload.TypeQuiesce, 0); m.Successor {
		t.Errorf("%+v", m)
	}
}

func TestQuiesceWhileDraining(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}, Drain: DrainSpec{Timeout: time.Minute}})
	v := o.dial()
	v.hello(workload.Message{Ready: true, Moves: true})
	o.until("ready", isReady)
	o.Drain(null(t), Orderly)
	v.hear(workload.TypeDrain, 1)
	o.Quiesce(null(t)) // another generation serves now
	if m := v.hear(workload.TypeQuiesce, 1); !m.Successor {
		t.Errorf("%+v", m)
	}
	if n := o.until("draining", func(n Notice) bool { return n.State == Draining }); n.Quiesced {
		t.Error("it counts as quiesced")
	}
}

func TestReconnect(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}})
	old := o.dial()
	old.hello(workload.Message{Ready: true, Epoch: 3})
	o.until("ready", isReady)
	v := o.dial()
	v.hello(workload.Message{Ready: true, Epoch: 40, Phase: workload.PhaseQuiesced})
	if _, _, err := old.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection before: %v", err)
	}
	o.until("quiesced", func(n Notice) bool { return n.Quiesced })
	o.Resume()
	if m := v.hear(workload.TypeResume, 0); m.Epoch != 41 {
		t.Errorf("epoch %d", m.Epoch)
	}
	_ = v.Close()
	again := o.dial()
	again.hello(workload.Message{Epoch: 41})
	o.Resume()
	if m := again.hear(workload.TypeResume, 0); m.Epoch != 42 {
		t.Errorf("epoch %d", m.Epoch)
	}
}

func TestStrangersAreNotHeard(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}, Adopts: true})
	v := o.dial()
	mine := null(t)
	for _, m := range []workload.Message{ // without a hello, nothing counts; what came with it is closed
		{Type: workload.TypeResumed}, {Type: workload.TypeReady}, {Type: workload.TypeLanes}, {Type: workload.TypeStats}, {Type: "riddle"},
	} {
		v.say(m, mine)
	}
	_ = unix.Close(mine)
	v.hello(workload.Message{})
	v.say(workload.Message{Type: "riddle"})
	v.say(workload.Message{Type: workload.TypeReady})
	o.until("ready", isReady)
}

// TestWhoDoesNotReadDoesNotHoldUpItsEnd floods the instance with questions and
// takes no answer: the deadline comes all the same.
func TestWhoDoesNotReadDoesNotHoldUpItsEnd(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}, Drain: DrainSpec{Timeout: 200 * time.Millisecond, Signal: syscall.SIGTERM}})
	v := o.dial()
	v.hello(workload.Message{Ready: true})
	o.until("ready", isReady)
	_ = v.SetWriteDeadline(time.Now().Add(5 * time.Second))
	for range 2000 {
		if v.Send(workload.Message{Type: workload.TypeLanes}) != nil {
			break // it was cut off
		}
	}
	o.Drain(-1, Orderly)
	late := time.After(10 * time.Second)
	for {
		select {
		case s := <-o.signals:
			if s == syscall.SIGKILL {
				return
			}
		case <-late:
			t.Fatal("its deadline never came")
		}
	}
}

func TestNotifySocket(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}, Ready: ReadySpec{Notify: true}})
	c, err := net.Dial("unixgram", o.notify)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, text := range []string{"\x00\xff garbage", "STATUS=warming up", "READY=1"} {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	o.until("talking", func(n Notice) bool { return n.State == Starting && n.Text == "warming up" })
	o.until("ready", isReady)
}

func TestAfterItsEndDescriptorsAreClosed(t *testing.T) {
	o := openOffice(t, Spec{Ports: []Port{web}})
	for range 20 { // before, while and after
		o.Drain(null(t), Orderly)
		o.Quiesce(null(t))
		o.Ended(Exit{Text: "exit code 0"})
	}
	<-o.Done()
	o.Drain(null(t), Hurry)
	o.Quiesce(null(t))
}
