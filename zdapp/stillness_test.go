package zdapp

import (
	"net/http"
	"testing"
)

// The scripts are what net/http does to a connection, and end in a read whose answer is to be known.
func TestStillness(t *testing.T) {
	const buffer = 4096
	state := func(to http.ConnState) func(*stillness) { return func(s *stillness) { s.enter(to) } }
	bytes := func(text string) func(*stillness) { return func(s *stillness) { s.delivered([]byte(text)) } }
	deadline := (*stillness).deadlineSet
	opaque := func(s *stillness) { s.opaque = true }
	fresh := state(http.StateNew)
	active, idle := state(http.StateActive), state(http.StateIdle)
	for _, test := range []struct {
		name    string
		script  []func(*stillness)
		reads   int
		movable bool
		quiet   bool
	}{
		{"new", []func(*stillness){fresh}, buffer, true, true},
		{"new, a header has a deadline", []func(*stillness){fresh, deadline}, buffer, true, true},
		{"new, reading HTTP/2's preface", []func(*stillness){fresh}, 14, true, true},
		{"new, half a header", []func(*stillness){fresh, bytes("GET")}, buffer - 3, false, false},
		{"new, lines of a header", []func(*stillness){fresh, bytes("GET / HTTP/1.1\r\n")}, buffer, false, false},
		{"active, a body larger than the buffer", []func(*stillness){fresh, bytes("POST"), active}, buffer, false, false},
		{"active, in the background", []func(*stillness){fresh, bytes("GET"), active, deadline}, 1, false, false},
		{"idle", []func(*stillness){fresh, bytes("GET"), active, idle, deadline}, buffer, true, true},
		{"idle, a byte was read in the background", []func(*stillness){fresh, bytes("GET"), active, bytes("P"), idle, deadline}, buffer - 1, false, true},
		{"idle, the next request has begun", []func(*stillness){fresh, bytes("GET"), active, idle, deadline, bytes("P")}, buffer - 1, false, false},
		{"idle, a line of the next request was there", []func(*stillness){fresh, bytes("GET"), active, idle, deadline, deadline}, buffer, false, true},
		{"idle, lines of the next request", []func(*stillness){fresh, bytes("GET"), active, idle, deadline, bytes("POST\r\n"), deadline}, buffer, false, false},
		{"idle, the next request has begun, another buffer", []func(*stillness){fresh, bytes("GET"), active, idle, deadline, bytes("P")}, buffer, false, false},
		{"idle, no deadline set yet", []func(*stillness){fresh, bytes("GET"), active, idle}, buffer, false, true},
		{"idle again", []func(*stillness){fresh, bytes("GET"), active, idle, deadline, bytes("GET"), deadline, active, idle, deadline}, buffer, true, true},
		{"idle, one byte asked for", []func(*stillness){fresh, bytes("GET"), active, idle, deadline}, 1, false, true},
		{"new under TLS", []func(*stillness){fresh, opaque}, buffer, false, true},
		{"idle under TLS", []func(*stillness){fresh, opaque, bytes("\x16"), active, idle, deadline}, buffer, false, true},
		{"hijacked", []func(*stillness){fresh, bytes("GET"), active, state(http.StateHijacked)}, buffer, false, false},
		{"HTTP/2 between streams", []func(*stillness){fresh, bytes("PRI * HTT"), bytes("P/2.0\r\n"), active, idle, deadline}, buffer, false, true},
		{"a path like HTTP/2's", []func(*stillness){fresh, bytes("PRI * HTTP/1.1"), active, idle, deadline}, buffer, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s stillness
			for _, step := range test.script {
				step(&s)
			}
			if got := s.movable(test.reads, buffer); got != test.movable {
				t.Errorf("movable: %t", got)
			}
			if got := s.quiet(); got != test.quiet {
				t.Errorf("quiet: %t", got)
			}
			if s.movable(test.reads, 0) {
				t.Error("movable though the buffer's size is not known")
			}
		})
	}
}

func TestProbe(t *testing.T) {
	buffer, err := probe()
	if err != nil || buffer != 4096 {
		t.Errorf("buffer of %d bytes, %v; if net/http has changed, the rule must follow", buffer, err)
	}
}
