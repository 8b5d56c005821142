package adopt

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBeforeIsSetAsItWasRead(t *testing.T) {
	want := Before{Device: "lo", FreeBind: true, Transparent: os.Geteuid() == 0}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
			fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := BeforeOf(fd); got != (Before{}) {
				t.Errorf("a new socket has %+v", got)
			}
			if err := want.Set(fd); err != nil {
				t.Fatal(err)
			}
			if got := BeforeOf(fd); got != want {
				t.Errorf("family %d, type %d: %+v, want %+v", family, typ, got, want)
			}
			_ = unix.Close(fd)
		}
	}
}
