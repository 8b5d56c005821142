package inetdiag

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUnixQueue(t *testing.T) {
	const backlog, waiting = 7, 3
	server := unixSocket(t)
	address := &unix.SockaddrUnix{Name: filepath.Join(t.TempDir(), "s")}
	if err := errors.Join(unix.Bind(server, address), unix.Listen(server, backlog)); err != nil {
		t.Fatal(err)
	}
	var client int
	for range waiting {
		client = unixSocket(t)
		if err := unix.Connect(client, address); err != nil {
			t.Fatal(err)
		}
	}
	got, err := LookupUnix(inodeOfFD(t, server))
	if err != nil {
		t.Fatal(err)
	}
	if got != (UnixSocket{Listening: true, Queue: waiting, Limit: backlog}) {
		t.Errorf("listening socket is %+v", got)
	}

	queued, err := LookupUnix(inodeOfFD(t, client))
	if err != nil || queued.Peer != 0 || queued.Listening {
		t.Errorf("client in the queue is %+v, error %v", queued, err)
	}
	var last int
	for range waiting {
		if last, _, err = unix.Accept(server); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(last)
	}
	accepted, err := LookupUnix(inodeOfFD(t, client))
	if want := inodeOfFD(t, last); err != nil || accepted.Peer != want {
		t.Errorf("accepted client has peer %d, want %d, error %v", accepted.Peer, want, err)
	}
	if got, err := LookupUnix(inodeOfFD(t, server)); err != nil || got.Queue != 0 {
		t.Errorf("emptied queue is %+v, error %v", got, err)
	}
}

func TestLookupUnixFindsNothing(t *testing.T) {
	for _, inode := range []uint64{0, 1<<32 - 2, 1 << 40} {
		if s, err := LookupUnix(inode); !errors.Is(err, ErrNotFound) {
			t.Errorf("inode %d is %+v, error %v", inode, s, err)
		}
	}
}

func unixSocket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func inodeOfFD(t *testing.T, fd int) uint64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Ino
}
