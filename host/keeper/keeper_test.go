package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary plays all parts: keeper, launcher, and a host that runs one
// scenario and ends with its verdict.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "_launch":
		os.Exit(Launch())
	case "_keeper":
		var o Options
		if err := json.Unmarshal([]byte(os.Args[2]), &o); err != nil {
			panic(err)
		}
		code, err := New(o, slog.New(slog.NewTextHandler(os.Stderr, nil))).Run(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	case "_host":
		os.Exit(playHost(os.Args[2], os.Args[3]))
	default:
		os.Exit(m.Run())
	}
}

// stage is what a scenario has at hand.
type stage struct {
	ctx    context.Context
	c      *Client
	dir    string
	events <-chan Event
}

func playHost(name, dir string) int {
	c, err := NewClient(LinkFD)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go c.Run() // its end ends every call
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := c.Hello(ctx); err != nil {
		fmt.Println(err)
		return 1
	}
	if err := scenarios[name](stage{ctx, c, dir, c.Events()}); err != nil {
		fmt.Println("scenario:", err)
		_ = c.Shutdown(ctx, 1)
		return 1
	}
	_ = c.Serving(ctx)
	_ = c.Shutdown(ctx, 0)
	<-ctx.Done()
	return 0
}

// run plays a scenario under a keeper of its own and fails with what it said.
func run(t *testing.T, scenario string) {
	t.Helper()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	runDir := filepath.Join(dir, "run")
	o, _ := json.Marshal(Options{RunDir: runDir, Sockets: []string{filepath.Join(dir, "host.sock")}, Host: []string{exe, "_host", scenario, dir}})
	cmd := exec.Command(exe, "_keeper", string(o))
	out, err := cmd.CombinedOutput()
	if err != nil {
		logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
		for _, path := range logs {
			log, _ := os.ReadFile(path)
			out = append(out, log...)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(runDir); !os.IsNotExist(err) {
		t.Errorf("the run directory is left: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "host.sock")); !os.IsNotExist(err) {
		t.Errorf("the host's socket is left: %v", err)
	}
}

var scenarios = map[string]func(stage) error{
	"python":  adoptPython,
	"missing": spawnMissing,
	"output":  keepOutput,
	"inherit": inheritLanes,
	"killed":  dieWithSocket,
	"device":  adoptDevice,
	"scope":   adoptLinkLocal,
}

func TestAdoptsUnmodifiedProgram(t *testing.T)      { run(t, "python") }
func TestSpawnOfMissingProgramSaysWhy(t *testing.T) { run(t, "missing") }
func TestOutputIsWholeAtExit(t *testing.T)          { run(t, "output") }
func TestInheritPassesLanesAndNames(t *testing.T)   { run(t, "inherit") }

func TestProgramStaysOnItsDevice(t *testing.T)          { run(t, "device") }
func TestAdoptsLinkLocalAddress(t *testing.T)           { run(t, "scope") }
func TestStoppedWithoutHostLeavesNoSocket(t *testing.T) { run(t, "killed") }

func freePort() uint16 {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // tcp
}

// await takes events until one of the kind comes for the child.
func (s stage) await(kind, child string) (Event, error) {
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				return e, ErrCut
			}
			if e.Kind == kind && e.Child == child {
				return e, nil
			}
			if e.Kind == EventFailed || e.Kind == EventExited {
				return e, fmt.Errorf("%+v %v", e, e.Exit)
			}
		case <-s.ctx.Done():
			return Event{}, fmt.Errorf("no %s: %w", kind, s.ctx.Err())
		}
	}
}

func (s stage) spawn(id string, argv ...string) Spawn {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		path = argv[0]
	}
	return Spawn{ID: id, Service: "test", Generation: 1, Path: path, Argv: argv, Dir: s.dir, Sockets: "adopt",
		Env: []string{"PATH=" + os.Getenv("PATH"), "ZDHOST_INSTANCE=" + id}, Log: filepath.Join(s.dir, id+".log")}
}

func adoptPython(s stage) error {
	port := freePort()
	a := Address{Network: "tcp", Host: "127.0.0.1", Port: port}
	lane, _, err := s.c.Bind(s.ctx, BindRequest{Name: "lane", Address: a, First: true})
	if err != nil {
		return err
	}
	if err := unix.Listen(lane, 128); err != nil {
		return err
	}
	sp := s.spawn("py", "/usr/bin/python3", "-m", "http.server", fmt.Sprint(port))
	sp.Rules = []Rule{{Listener: "web", Address: a, Descriptor: "lane"}}
	if _, err := s.c.Spawn(s.ctx, sp); err != nil {
		return err
	}
	if e, err := s.await(EventGiven, "py"); err != nil || e.Descriptor != "lane" {
		return fmt.Errorf("%+v: %w", e, err)
	}
	if _, err := s.await(EventListening, "py"); err != nil {
		return err
	}
	r, err := http.Get("http://" + a.String() + "/") //nolint:noctx // bounded by the scenario
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.ReadAll(r.Body); err != nil || r.StatusCode != 200 {
		return fmt.Errorf("%s: %w", r.Status, err)
	}
	return nil
}

func spawnMissing(s stage) error {
	_, err := s.c.Spawn(s.ctx, s.spawn("none", "/no/such/program"))
	if err == nil || !strings.Contains(err.Error(), "executing /no/such/program: no such file") {
		return fmt.Errorf("got %v", err)
	}
	_, err = s.c.Spawn(s.ctx, s.spawn("none", "/no/such/program")) // the id is free again
	if err == nil || strings.Contains(err.Error(), "id") {
		return fmt.Errorf("got %v", err)
	}
	return nil
}

func keepOutput(s stage) error {
	const lines = 5000
	_, err := s.c.Spawn(s.ctx, s.spawn("loud", "/bin/sh", "-c", fmt.Sprintf("seq %d; echo oops >&2; printf unfinished; exit 3", lines)))
	if err != nil {
		return err
	}
	e, err := s.await(EventExited, "loud")
	if err != nil || e.Exit.Code != 3 {
		return fmt.Errorf("%+v %w", e.Exit, err)
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "loud.log"))
	if err != nil {
		return err
	}
	text := string(b)
	if n := strings.Count(text, " stdout F "); n != lines {
		return fmt.Errorf("%d lines of %d", n, lines)
	}
	if !strings.Contains(text, " stderr F oops\n") || !strings.Contains(text, " stdout P unfinished\n") {
		return fmt.Errorf("the last lines are missing")
	}
	return nil
}

func inheritLanes(s stage) error {
	var rules []Rule
	for _, name := range []string{"web", "admin"} {
		a := Address{Network: "tcp", Host: "127.0.0.1", Port: freePort()}
		fd, _, err := s.c.Bind(s.ctx, BindRequest{Name: name, Address: a, First: true})
		if err != nil {
			return err
		}
		_ = unix.Close(fd)
		rules = append(rules, Rule{Listener: name, Address: a, Descriptor: name})
	}
	sp := s.spawn("sh", "/bin/sh", "-c", `[ "$LISTEN_PID" = $$ ] && [ $LISTEN_FDS = 2 ] && [ $LISTEN_FDNAMES = web:admin ] &&
		[ -S /proc/$$/fd/3 ] && [ -S /proc/$$/fd/4 ] && [ ! -e /proc/$$/fd/5 ]; exit $?`)
	sp.Sockets, sp.Rules = "inherit", rules
	if _, err := s.c.Spawn(s.ctx, sp); err != nil {
		return err
	}
	e, err := s.await(EventExited, "sh")
	if err != nil || e.Exit.Code != 0 {
		return fmt.Errorf("%+v %w", e.Exit, err)
	}
	return nil
}

// dieWithSocket has the keeper stopped while the host is dead.
func dieWithSocket(s stage) error {
	if _, err := net.Listen("unix", filepath.Join(s.dir, "host.sock")); err != nil {
		return err
	}
	if err := s.c.Serving(s.ctx); err != nil {
		return err
	}
	return errors.Join(unix.Kill(os.Getppid(), unix.SIGTERM), unix.Kill(os.Getpid(), unix.SIGKILL))
}

// adoptDevice has a program bind an address that has no socket yet, and one that
// has, with what it must have set before.
func adoptDevice(s stage) error {
	a := Address{Network: "tcp", Host: "127.0.0.1", Port: freePort()}
	if _, _, err := s.c.Bind(s.ctx, BindRequest{Name: "lane", Address: a, First: true}); err != nil {
		return err
	}
	sp := s.spawn("py", "/usr/bin/python3", "-c", fmt.Sprintf(`
import socket
def on_lo(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    s.setsockopt(socket.IPPROTO_IP, 15, 1) # IP_FREEBIND
    s.bind(("127.0.0.1", port))
    s.listen()
    return s
s = on_lo(%d)
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"
assert s.getsockopt(socket.IPPROTO_IP, 15) == 1
try:
    on_lo(%d)
except OSError:
    exit(7)
`, freePort(), a.Port))
	sp.Open, sp.Rules = true, []Rule{{Listener: "web", Address: a, Descriptor: "lane"}}
	if _, err := s.c.Spawn(s.ctx, sp); err != nil {
		return err
	}
	if e, err := s.await(EventOpened, "py"); err != nil || e.Address.Device != "lo" || !e.Address.FreeBind {
		return fmt.Errorf("%+v %+v: %w", e, e.Address, err)
	}
	want := "the program binds to interface lo alone, the listener to all interfaces"
	if e, err := s.await(EventRefused, "py"); err != nil || e.Reason != want {
		return fmt.Errorf("%+v: %w", e, err)
	}
	for e := range s.events {
		if e.Kind == EventExited && e.Exit.Code == 7 {
			return nil
		}
	}
	return ErrCut
}

// adoptLinkLocal has a program bind a link-local address of this machine, if it
// has one, by the interface's index; the rule has its name.
func adoptLinkLocal(s stage) error {
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range all {
		addresses, err := i.Addrs()
		if err != nil {
			return err
		}
		for _, at := range addresses {
			n, ok := at.(*net.IPNet)
			if !ok || !n.IP.IsLinkLocalUnicast() || n.IP.To4() != nil {
				continue
			}
			a := Address{Network: "tcp", Host: n.IP.String() + "%" + i.Name, Port: freePort(), V6Only: true}
			if _, _, err := s.c.Bind(s.ctx, BindRequest{Name: "lane", Address: a, First: true}); err != nil {
				return err
			}
			sp := s.spawn("py", "/usr/bin/python3", "-c", fmt.Sprintf(`
import socket
s = socket.socket(socket.AF_INET6)
s.bind((%q, %d, 0, %d))
s.listen()
`, n.IP.String(), a.Port, i.Index))
			sp.Rules = []Rule{{Listener: "web", Address: a, Descriptor: "lane"}}
			if _, err := s.c.Spawn(s.ctx, sp); err != nil {
				return err
			}
			_, err := s.await(EventGiven, "py")
			return err
		}
	}
	return nil
}
