package control

import "time"

// HistoryQuery asks for rollouts of a service, newest first.
type HistoryQuery struct {
	Service string
	Limit   int // 0 means all
}

// HistoryEntry is one rollout: who, why, and how it ended. Outcome is empty while it runs.
type HistoryEntry struct {
	Rollout string    `json:"rollout"`
	Service string    `json:"service"`
	Kind    string    `json:"kind"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Outcome string    `json:"outcome"`
	// Why is what the operator gave as a reason, Reason how it came to its end.
	Why     string      `json:"why,omitempty"`
	Reason  string      `json:"reason"`
	Actor   Actor       `json:"actor"`
	Trace   string      `json:"trace"`
	Lost    *int64      `json:"lost"`
	Report  *LossReport `json:"report,omitempty"`
	LogTail []string    `json:"log_tail,omitempty"`
}
