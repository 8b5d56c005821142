package listener

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	tcp := func(text string) Address { return Address{Network: TCP, IP: netip.MustParseAddrPort(text)} }
	cases := []struct {
		text string
		want Address
		back string
	}{
		{"127.0.0.1:8080", tcp("127.0.0.1:8080"), "127.0.0.1:8080"},
		{":8080", tcp("[::]:8080"), "[::]:8080"},
		{"[::]:8080", tcp("[::]:8080"), "[::]:8080"},
		{"0.0.0.0:80", tcp("0.0.0.0:80"), "0.0.0.0:80"},
		{"[::1]:65535", tcp("[::1]:65535"), "[::1]:65535"},
		{"[fe80::1%eth0]:80", tcp("[fe80::1%eth0]:80"), "[fe80::1%eth0]:80"},
		{"[::ffff:192.0.2.1]:80", tcp("192.0.2.1:80"), "192.0.2.1:80"},
		{"localhost:80", tcp("127.0.0.1:80"), "127.0.0.1:80"},
		{"udp:127.0.0.1:53", Address{Network: UDP, IP: netip.MustParseAddrPort("127.0.0.1:53")}, "udp:127.0.0.1:53"},
		{"udp::53", Address{Network: UDP, IP: netip.MustParseAddrPort("[::]:53")}, "udp:[::]:53"},
		{"unix:./run/web.sock", Address{Network: Unix, Path: "./run/web.sock"}, "unix:./run/web.sock"},
		{"unix:./@web", Address{Network: Unix, Path: "./@web"}, "unix:./@web"},
	}
	for _, c := range cases {
		got, err := ParseAddress(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s is %+v, error %v, want %+v", c.text, got, err, c.want)
			continue
		}
		if got.String() != c.back {
			t.Errorf("%s is written %s, want %s", c.text, got, c.back)
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%s read again is %+v, error %v", got, again, err)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "no port",
		"127.0.0.1":        "no port",
		"127.0.0.1:":       "port",
		"127.0.0.1:0":      "port",
		"127.0.0.1:65536":  "port",
		"127.0.0.1:http":   "port",
		"127.0.0.1:-1":     "port",
		"127.0.0.1:+80":    "port",
		"example.com:80":   "neither an IP address nor localhost",
		"::1:80":           "brackets",
		"[127.0.0.1]:80":   "brackets",
		"[]:80":            "neither",
		"[::1:80":          "neither",
		"unix:":            "empty",
		"unix:@web":        "abstract",
		"unix:a\x00b":      "NUL",
		"udp:":             "no port",
		"udp:127.0.0.1:0":  "port",
		"http://1.2.3.4:8": "neither",
	} {
		_, err := ParseAddress(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
}
