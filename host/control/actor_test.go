package control

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play a stranger's client.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CONTROL_TEST_STRANGER"); dir != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		client, err := Dial(ctx, dir)
		if err == nil {
			_, err = client.Status(ctx)
		}
		if err != nil {
			os.Stdout.WriteString(string(asError(err).Code) + ": " + err.Error())
			os.Exit(0)
		}
		os.Stdout.WriteString("answered")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMayControl(t *testing.T) {
	ops := uint32(500)
	stranger := func(groups ...uint32) peer { return peer{actor: Actor{UID: 1001, GID: 1001}, groups: groups} }
	tests := []struct {
		name  string
		peer  peer
		group *uint32
		want  bool
	}{
		{"same user", peer{actor: Actor{UID: 1000}}, nil, true},
		{"root", peer{actor: Actor{UID: 0}}, nil, true},
		{"stranger", stranger(500), nil, false},
		{"stranger in the group", stranger(7, 500), &ops, true},
		{"stranger in another group", stranger(7, 1001), &ops, false},
		{"not known", peer{err: os.ErrInvalid}, &ops, false},
	}
	for _, test := range tests {
		if got := test.peer.mayControl(1000, test.group); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}

func TestPeerOfARealConnection(t *testing.T) {
	ours, theirs := unixPair(t)
	defer theirs.Close()
	p := peerOf(ours)
	if p.err != nil || p.actor.PID != os.Getpid() || p.actor.UID != uint32(os.Getuid()) {
		t.Errorf("peer %+v is not this process", p)
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		if !p.mayControl(p.actor.UID+1, ptr(uint32(group))) && p.actor.UID != 0 {
			t.Errorf("group %d is not seen in %v", group, p.groups)
		}
	}
}

func TestPeerOfTCPIsUnknown(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	if p := peerOf(ours); p.err == nil || p.mayControl(0, nil) {
		t.Errorf("%+v may control", p)
	}
}

func TestRealStrangers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can play another user")
	}
	group := uint32(54321)
	tests := []struct {
		name   string
		gid    *uint32
		groups []uint32
		mode   os.FileMode
		want   string
	}{
		{"the file's mode keeps out", nil, nil, 0, "forbidden: cannot speak to the host of"},
		{"the server keeps out where the mode does not", nil, nil, 0o666, "it belongs to user 0, this is user 65534"},
		{"a member of the control group", &group, []uint32{54321}, 0, "answered"},
		{"not a member", &group, []uint32{54322}, 0o666, "it belongs to user 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := stateDir(t)
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			listener, err := Listen(dir, "", test.gid)
			if err != nil {
				t.Fatal(err)
			}
			if test.mode != 0 {
				if err := os.Chmod(listener.(*socket).path, test.mode); err != nil {
					t.Fatal(err)
				}
			}
			serve(t, NewServer(&fakeBackend{}, ServerOptions{GID: test.gid}), listener)
			got := askAsStranger(t, dir, test.groups)
			if !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func askAsStranger(t *testing.T, dir string, groups []uint32) string {
	t.Helper()
	command := exec.Command("/proc/self/exe")
	command.Env = []string{"CONTROL_TEST_STRANGER=" + dir}
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, Groups: groups}}
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func ptr[T any](v T) *T { return &v }

func unixPair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	listener, err := Listen(stateDir(t), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	theirs, err = net.Dial("unix", listener.(*socket).path)
	if err != nil {
		t.Fatal(err)
	}
	if ours, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	return ours, theirs
}
