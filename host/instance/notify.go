package instance

import (
	"strconv"
	"strings"
	"time"
)

// Notification is what a program says over NOTIFY_SOCKET (sd_notify(3)); fields
// that zdhost doesn't use are ignored.
type Notification struct {
	Ready     bool
	Reloading bool
	Stopping  bool
	Watchdog  bool
	Trigger   bool // WATCHDOG=trigger: the program itself says that it is stuck
	Status    *string
	Extend    time.Duration // EXTEND_TIMEOUT_USEC
}

// words is what the program says of itself, if it does: its status, or else that
// it reloads, or stops, or, once that is over, nothing.
func (n Notification) words() (text string, said bool) {
	switch {
	case n.Status != nil:
		return *n.Status, true
	case n.Stopping:
		return "stopping", true
	case n.Reloading:
		return "reloading", true
	}
	return "", n.Ready
}

// ParseNotification reads one datagram.
func ParseNotification(b []byte) Notification {
	var n Notification
	for _, line := range strings.Split(string(b), "\n") {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch key {
		case "READY":
			n.Ready = value == "1"
		case "RELOADING":
			n.Reloading = value == "1"
		case "STOPPING":
			n.Stopping = value == "1"
		case "WATCHDOG":
			n.Watchdog, n.Trigger = value == "1", value == "trigger"
		case "STATUS":
			text := strings.ToValidUTF8(value, "�")
			n.Status = &text
		case "EXTEND_TIMEOUT_USEC":
			if us, err := strconv.ParseUint(value, 10, 53); err == nil {
				n.Extend = time.Duration(min(us, 24*3600*1e6)) * time.Microsecond
			}
		}
	}
	return n
}
