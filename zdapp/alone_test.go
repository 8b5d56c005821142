package zdapp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// solo is a program without a host, at an address of its own.
type solo struct {
	process
	address string
	log     string
}

// alone starts a program that binds by itself and waits until it says READY=1.
func alone(t *testing.T, env ...string) *solo {
	t.Helper()
	dir := t.TempDir()
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = notify.Close() })
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &solo{address: free.Addr().String(), log: filepath.Join(dir, "executed")}
	_ = free.Close()
	s.process = process{t: t, number: 1, exited: make(chan error, 1)}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), roleVariable+"=server", "NOTIFY_SOCKET="+filepath.Join(dir, "notify"),
		"ZDAPP_TEST_LOG="+s.log, "ZDAPP_TEST_ADDRESS="+s.address)
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stdout, s.cmd.Stderr = t.Output(), t.Output()
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.exited <- s.cmd.Wait() }()
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	_ = notify.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 100)
	n, err := notify.Read(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Fatalf("got %q, %v", b[:n], err)
	}
	return s
}

func TestAloneDrainsOnSignal(t *testing.T) {
	t.Parallel()
	s := alone(t, "ZDAPP_TEST_WINDOW=1500ms")
	fast, slow, idler := dial(t, s.address, "fast"), dial(t, s.address, "slow"), dial(t, s.address, "idler")
	for _, c := range []*client{fast, slow, idler} {
		c.mustPost(t, &s.process)
	}
	if err := slow.write("GET /stream?chunks=100 HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGTERM)
	eventually(t, "new clients are refused", func() bool {
		c, err := net.Dial("tcp", s.address)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	request, body := fast.next()
	if err := fast.write(request); err != nil {
		t.Fatal(err)
	}
	r, text, err := fast.response()
	if err != nil || !r.Close || !strings.HasPrefix(text, body) {
		t.Errorf("a request in the drain window: %v, %q", err, text)
	}
	if r, text, err := slow.response(); err != nil || strings.Count(text, "chunk") != 100 {
		t.Errorf("the stream was cut: %v, %v", r, err)
	}
	if _, err := idler.in.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection got %v", err)
	}
	s.ended()
}

func TestAloneLosesNothingOfBusyClients(t *testing.T) {
	t.Parallel()
	s := alone(t)
	var clients []*client
	for i := range 16 {
		clients = append(clients, dial(t, s.address, fmt.Sprintf("c%d", i)))
	}
	done := make(chan error, len(clients))
	for _, c := range clients {
		go func() { done <- untilTold(c) }()
	}
	for _, c := range clients {
		eventually(t, "all are busy", func() bool { twice, n := duplicates(t, s.log); return twice == nil && n > len(c.name) })
	}
	s.signal(syscall.SIGINT)
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	s.ended()
}

// untilTold posts until a response says that the connection ends.
func untilTold(c *client) error {
	for {
		request, body := c.next()
		if err := c.write(request); err != nil {
			return fmt.Errorf("%s: %w", body, err)
		}
		r, text, err := c.response()
		if err != nil || r.StatusCode != http.StatusOK || !strings.HasPrefix(text, body) {
			return fmt.Errorf("%s: %q, %w", body, text, err)
		}
		if r.Close {
			return nil
		}
	}
}

func TestSecondSignalCuts(t *testing.T) {
	t.Parallel()
	s := alone(t)
	c := dial(t, s.address, "c")
	if err := c.write("GET /stream?chunks=100000 HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGTERM)
	eventually(t, "the drain has begun", func() bool { _, err := net.Dial("tcp", s.address); return err != nil })
	s.signal(syscall.SIGTERM)
	if err := <-s.exited; err == nil {
		t.Error("a program that cut a connection ended without an error")
	}
}

func TestHijackedConnectionIsWaitedFor(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready()
	c := dial(t, h.address, "c")
	if err := c.write("GET /hijack HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if r, err := http.ReadResponse(c.in, nil); err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", r, err)
	}
	q := h.ready()
	if m := p.quiesce(q, 1); m.Moved != 0 || m.Kept != 1 {
		t.Errorf("moved %d, kept %d", m.Moved, m.Kept)
	}
	p.tell(drainMessage(2, 1), q.send)
	for range 3 {
		<-time.After(50 * time.Millisecond)
		if err := c.write("still here\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := c.in.ReadString('\n'); err != nil || line != "still here\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	_ = c.conn.Close()
	if m := p.await("drained"); m.Cut != 0 || m.MovedOut != 0 {
		t.Errorf("%+v", m.Stats)
	}
	p.ended()
}

func TestTLSIsTold(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			certificate, key := selfSigned(t)
			h := newFakeHost(t)
			env := []string{"ZDAPP_TEST_TLS=1", "ZDAPP_TEST_CERT=" + certificate, "ZDAPP_TEST_KEY=" + key}
			p := h.ready(env...)
			if hello := <-p.hellos; hello.Moves {
				t.Error("a TLS server says that it takes moved connections")
			}
			var dials int
			web := &http.Client{Transport: &http.Transport{
				ForceAttemptHTTP2: protocol == "h2",
				TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
				DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
					dials++
					return net.Dial(network, address)
				},
			}}
			post := func(body string) (pid int) {
				t.Helper()
				r, err := web.Post("https://"+h.address+"/n", "", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				defer r.Body.Close()
				b, err := io.ReadAll(r.Body)
				if _, bad := fmt.Sscanf(string(b), body+" %d", &pid); err != nil || bad != nil {
					t.Fatalf("%q, %v, %v", b, err, bad)
				}
				return pid
			}
			post("1")
			post("2")
			q := h.ready(env...)
			if m := p.quiesce(q, 1); m.Moved != 0 || m.Kept != 1 {
				t.Errorf("moved %d, kept %d", m.Moved, m.Kept)
			}
			p.tell(drainMessage(2, 5000), q.send)
			for i := 3; post(strconv.Itoa(i)) == p.pid(); i++ { // until it is told
			}
			last := p.await("drained")
			if last.Told != 1 || last.Cut != 0 {
				t.Errorf("%+v", last.Stats)
			}
			p.ended()
			if dials != 2 {
				t.Errorf("%d connections", dials)
			}
		})
	}
}

func TestIdleTLSConnectionsAreClosedInTheWindow(t *testing.T) {
	t.Parallel()
	certificate, key := selfSigned(t)
	h := newFakeHost(t)
	p := h.ready("ZDAPP_TEST_TLS=1", "ZDAPP_TEST_CERT="+certificate, "ZDAPP_TEST_KEY="+key)
	var clients []*client
	for i := range 5 {
		c, err := tls.Dial("tcp", h.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, over(c, fmt.Sprintf("c%d", i)))
		clients[i].mustPost(t, p)
	}
	begun := time.Now()
	p.tell(drainMessage(1, 400))
	if m := p.await("drained"); m.Told != 5 || m.Cut != 0 {
		t.Errorf("%+v", m.Stats)
	}
	if took := time.Since(begun); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %v of a window of 400 ms", took)
	}
	for _, c := range clients {
		if _, err := c.in.ReadByte(); err != io.EOF {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	p.ended()
}

func TestHTTP2WithoutTLSStays(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t)
	p := h.ready("ZDAPP_TEST_H2C=1")
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	web := &http.Client{Transport: transport}
	post := func(body string, by *process) {
		t.Helper()
		r, err := web.Post("http://"+h.address+"/n", "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if b, err := io.ReadAll(r.Body); err != nil || string(b) != fmt.Sprintf("%s %d", body, by.pid()) {
			t.Fatalf("%q, %v", b, err)
		}
	}
	plain := dial(t, h.address, "plain")
	plain.mustPost(t, p)
	post("1", p)
	q := h.ready("ZDAPP_TEST_H2C=1")
	if m := p.quiesce(q, 1); m.Moved != 1 || m.Kept != 1 {
		t.Errorf("moved %d, kept %d", m.Moved, m.Kept)
	}
	post("2", p)
	plain.mustPost(t, q)
	p.drain(q, 2)
	post("3", q)
}

// selfSigned makes a certificate and its key, both in PEM.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", secret)
}
