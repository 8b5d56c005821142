package control

// HostTarget is the name that stands for the host itself where a service is asked for. No service
// can have it.
const HostTarget = "host"

// ReloadRequest asks to take the configuration now. Target is a service or [HostTarget].
type ReloadRequest struct {
	Target string `json:"target"`
	Reason string `json:"reason,omitempty"`
}

// ReloadResult says what the configuration changed and which rollouts that began.
type ReloadResult struct {
	Target   string       `json:"target"`
	Changes  []Change     `json:"changes"`
	Rollouts []RolloutRef `json:"rollouts"`
}

// What became of a block of the configuration.
const (
	Added   = "added"
	Changed = "changed"
	Removed = "removed"
)

// Change is one value of the configuration, or, with What, one block: "service.shop", "listener.web".
// Secrets are never written in From and To.
type Change struct {
	Path string `json:"path"`
	What string `json:"what,omitempty"`
	// Keys names what changed in a block.
	Keys []string `json:"keys,omitempty"`
	// From and To are values, or the address of a listener.
	From string `json:"from"`
	To   string `json:"to"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Needs says what it takes for the change to be in force: nothing (empty), rollout, restart.
	Needs string `json:"needs,omitempty"`
}

// RolloutRef names a rollout.
type RolloutRef struct {
	ID      string `json:"id"`
	Service string `json:"service"`
}

func (r ReloadResult) withoutNulls() ReloadResult {
	r.Changes = append([]Change{}, r.Changes...)
	r.Rollouts = append([]RolloutRef{}, r.Rollouts...)
	return r
}

// StopRequest asks the host to drain and stop everything, its keeper included.
type StopRequest struct {
	Reason string `json:"reason,omitempty"`
}
