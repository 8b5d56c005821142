package control

import "time"

// LogQuery asks for what the instances of a service printed.
type LogQuery struct {
	Service  string
	Instance string    // empty means all
	Since    time.Time // zero means from the beginning
	Tail     int       // the last so many lines; 0 means all
	Follow   bool
}

// LogLine is one line that an instance printed.
type LogLine struct {
	Time     time.Time `json:"time"`
	Service  string    `json:"service"`
	Instance string    `json:"instance"`
	Stream   string    `json:"stream"` // stdout or stderr
	Text     string    `json:"text"`
}
