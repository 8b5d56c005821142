package instance

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseNotification(t *testing.T) {
	text := func(s string) *string { return &s }
	for in, want := range map[string]Notification{
		"READY=1":                              {Ready: true},
		"READY=1\nSTATUS=warm\n":               {Ready: true, Status: text("warm")},
		"STATUS=":                              {Status: text("")},
		"STATUS=a=b":                           {Status: text("a=b")},
		"STATUS=\xff\xfe":                      {Status: text("�")},
		"RELOADING=1\nMONOTONIC_USEC=1":        {Reloading: true},
		"STOPPING=1":                           {Stopping: true},
		"WATCHDOG=1":                           {Watchdog: true},
		"WATCHDOG=trigger":                     {Trigger: true},
		"EXTEND_TIMEOUT_USEC=1500000":          {Extend: 1500 * time.Millisecond},
		"EXTEND_TIMEOUT_USEC=9007199254740991": {Extend: 24 * time.Hour},
		"EXTEND_TIMEOUT_USEC=99999999999999999999999": {},
		"EXTEND_TIMEOUT_USEC=-5":                      {},
		"EXTEND_TIMEOUT_USEC=":                        {},
		"READY=0":                                     {},
		"READY=10":                                    {},
		"ready=1":                                     {},
		" READY=1":                                    {},
		"READY":                                       {},
		"READY=1\x00":                                 {},
		"X_OWN=1\nMAINPID=7\nFDSTORE=1":               {},
		"":                                            {},
		"\n\n=\n==\n\x00\xff":                         {},
	} {
		if got := ParseNotification([]byte(in)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

func FuzzParseNotification(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=x\nEXTEND_TIMEOUT_USEC=12"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := ParseNotification(b)
		if n.Extend < 0 || n.Extend > 24*time.Hour {
			t.Errorf("extends by %s", n.Extend)
		}
		if n.Status != nil && (!utf8.ValidString(*n.Status) || strings.Contains(*n.Status, "\n")) {
			t.Errorf("status %q", *n.Status)
		}
	})
}
