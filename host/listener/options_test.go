package listener

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/traffic"
)

// TestResetOptions sets what servers set and compares the lane with its neighbour, which nobody touched.
func TestResetOptions(t *testing.T) {
	for _, b := range bindings {
		t.Run(b.name, func(t *testing.T) {
			l, lanes := b.lanes(t, 2, Options{})
			used, fresh := lanes[1], lanes[0]
			dirty := append(socketOptions[:len(socketOptions):len(socketOptions)], tcpOptions...)
			dirty = append(dirty, ip4Options...)
			if used.local.Addr().Is6() {
				dirty = append(dirty, ip6Options...)
			}
			changed := 0
			for _, o := range dirty {
				before, err := used.socket.option(o.level, o.name, o.text)
				if err != nil {
					t.Logf("%s: %v", o.text, err)
					continue
				}
				value := before + 1
				if o.halve {
					value = 8192
				}
				if err := used.socket.setOption(o.level, o.name, value, o.text); err != nil {
					t.Logf("%s: %v", o.text, err)
					continue
				}
				changed++
			}
			if changed < len(dirty)-4 {
				t.Fatalf("only %d of %d options could be set", changed, len(dirty))
			}
			if err := unix.SetsockoptLinger(used.FD(), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
				t.Fatal(err)
			}
			if err := unix.SetsockoptString(used.FD(), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno"); err != nil {
				t.Fatal(err)
			}
			if err := unix.SetNonblock(used.FD(), false); err != nil {
				t.Fatal(err)
			}
			if err := used.ResetOptions(); err != nil {
				t.Fatal(err)
			}
			for _, o := range dirty {
				want, _ := fresh.socket.option(o.level, o.name, o.text)
				if got, _ := used.socket.option(o.level, o.name, o.text); got != want {
					t.Errorf("%s is %d, want %d", o.text, got, want)
				}
			}
			if linger, err := used.socket.option(unix.SOL_SOCKET, unix.SO_LINGER, "SO_LINGER"); err != nil || linger != 0 {
				t.Errorf("linger is %d, error %v", linger, err)
			}
			want, _ := unix.GetsockoptString(fresh.FD(), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
			if got, _ := unix.GetsockoptString(used.FD(), unix.IPPROTO_TCP, unix.TCP_CONGESTION); got != want {
				t.Errorf("congestion control is %q, want %q", got, want)
			}
			if lock, err := used.socket.option(unix.SOL_SOCKET, unix.SO_BUF_LOCK, "SO_BUF_LOCK"); err == nil && lock != 0 {
				t.Errorf("buffers are locked: %d", lock)
			}
			if flags, _ := unix.FcntlInt(uintptr(used.FD()), unix.F_GETFL, 0); flags&unix.O_NONBLOCK == 0 {
				t.Error("the descriptor is blocking")
			}
			setWeights(t, l, Share{used, traffic.Whole})
			if got := spread(t, l, b.hosts, 100); got[used] != 100 {
				t.Errorf("a lane with new options got %d of 100", got[used])
			}
		})
	}
}
