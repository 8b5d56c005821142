package instance

import (
	"testing"
	"time"
)

func TestQuiet(t *testing.T) {
	const settle = 5 * time.Second
	for name, c := range map[string]struct {
		conn Connection
		want bool
	}{
		"ended":                               {Connection{}, true},
		"ended with bytes waiting":            {Connection{Pending: true, Received: 9}, true},
		"just connected":                      {Connection{Open: true, SinceReceived: time.Hour, SinceSent: time.Hour}, false},
		"request in, no answer yet":           {Connection{Open: true, Received: 9, SinceReceived: time.Hour, SinceSent: time.Hour}, false},
		"answered long ago":                   {Connection{Open: true, Received: 9, Sent: 9, SinceReceived: 61 * time.Second, SinceSent: time.Minute}, true},
		"answered exactly settle ago":         {Connection{Open: true, Received: 9, Sent: 9, SinceReceived: 6 * time.Second, SinceSent: settle}, true},
		"answered just before settle ago":     {Connection{Open: true, Received: 9, Sent: 9, SinceReceived: 6 * time.Second, SinceSent: settle - 1}, false},
		"answered and asked again":            {Connection{Open: true, Received: 18, Sent: 9, SinceReceived: 10 * time.Second, SinceSent: time.Minute}, false},
		"answered at the same moment":         {Connection{Open: true, Received: 9, Sent: 9, SinceReceived: time.Minute, SinceSent: time.Minute}, true},
		"answer not acknowledged":             {Connection{Open: true, Pending: true, Received: 9, Sent: 9, SinceReceived: 61 * time.Second, SinceSent: time.Minute}, false},
		"request not read":                    {Connection{Open: true, Pending: true, Received: 18, Sent: 9, SinceReceived: time.Second, SinceSent: time.Minute}, false},
		"server speaks first, client silent":  {Connection{Open: true, Sent: 9, SinceReceived: time.Hour, SinceSent: time.Minute}, true},
		"server spoke first, not settled yet": {Connection{Open: true, Sent: 9, SinceReceived: time.Hour, SinceSent: time.Second}, false},
	} {
		if got := c.conn.quiet(settle); got != c.want {
			t.Errorf("%s: quiet is %v", name, got)
		}
	}
	conns := []Connection{{}, {Open: true}, {Open: true, Sent: 1, SinceReceived: time.Hour, SinceSent: time.Minute}, {Open: true, Pending: true}}
	if n := Busy(conns, settle); n != 2 {
		t.Errorf("%d are busy, want 2", n)
	}
	if n := Busy(nil, settle); n != 0 {
		t.Errorf("%d of none are busy", n)
	}
}
