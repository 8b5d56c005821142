package zdapp

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestNotifyGivesUp: a service manager that doesn't read holds nobody up.
func TestNotifyGivesUp(t *testing.T) {
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	manager, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	filler, err := net.DialUnix("unixgram", nil, address)
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for err == nil {
		_ = filler.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		_, err = filler.Write([]byte("STATUS=busy"))
	}
	t.Setenv("NOTIFY_SOCKET", address.Name)
	result := make(chan error, 1)
	go func() { result <- notify("STOPPING=1") }()
	select {
	case err := <-result:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	case <-time.After(20 * hostPatience):
		t.Fatal("it waits for a service manager that doesn't read")
	}
}
