package control

import "time"

// Status is what the host knows of itself and of everything that it keeps up.
type Status struct {
	Host      Host       `json:"host"`
	Listeners []Listener `json:"listeners"`
	Services  []Service  `json:"services"`
}

// Host describes the process that answers and the keeper above it.
type Host struct {
	PID       int       `json:"pid"`
	KeeperPID int       `json:"keeper_pid"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
	StateDir  string    `json:"state_dir,omitempty"`
	// LastRefused is the last change of the host's own configuration that was refused and not yet
	// followed by one that was taken.
	LastRefused *Refusal `json:"last_refused,omitempty"`
	// ReadOnly says why changes are refused (a damaged journal, a full disk); empty when they are not.
	ReadOnly string `json:"read_only,omitempty"`
}

// Listener is an address that the host holds.
type Listener struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// Adopted is set when no configuration names the address: a program bound it.
	Adopted bool   `json:"adopted,omitempty"`
	Lanes   []Lane `json:"lanes"`
}

// Lane is one accept queue of a listener.
type Lane struct {
	Service    string `json:"service,omitempty"`
	Generation uint64 `json:"generation"`
	// Instance is nil when all instances of the generation share the lane.
	Instance *string `json:"instance"`
	// Weight is the share of new connections in percent, in steps of 0.01.
	Weight float64 `json:"weight"`
	// Queue is the number of connections that wait to be accepted now; QueueMax the backlog.
	Queue    int `json:"queue"`
	QueueMax int `json:"queue_max"`
	// QueueHigh is the most connections that were seen waiting since the lane was opened.
	QueueHigh int `json:"queue_high,omitempty"`
	// Drops counts connections that the kernel refused for a full queue.
	Drops int64 `json:"drops"`
}

// States of a service.
const (
	ServiceRunning  = "running"
	ServiceDegraded = "degraded"
	ServiceRolling  = "rolling"
	ServiceHeld     = "held"
	ServiceStopped  = "stopped"
)

// Service is a named thing that is kept up.
type Service struct {
	Name string `json:"name"`
	// State is one of the Service… constants.
	State string `json:"state"`
	// Reason says in a few words why a state other than running was reached.
	Reason     string `json:"reason,omitempty"`
	Release    string `json:"release"`
	Revision   int    `json:"revision"`
	Generation uint64 `json:"generation"`
	// Warm is the older generation that still runs, ready to be returned to; 0 if there is none.
	Warm      uint64    `json:"warm,omitempty"`
	WarmUntil time.Time `json:"warm_until,omitzero"`
	// Sockets says how the program gets its sockets: adopt, inherit or zdapp.
	Sockets string   `json:"sockets,omitempty"`
	Command []string `json:"command,omitempty"`
	// Listeners names the listeners that the service serves, adopted ones included.
	Listeners []string `json:"listeners"`
	// Restarts counts instances started in place of one that ended unasked.
	Restarts    int            `json:"restarts"`
	Instances   []Instance     `json:"instances"`
	Rollout     *RolloutStatus `json:"rollout"`
	Last        *LastRollout   `json:"last"`
	LastRefused *Refusal       `json:"last_refused,omitempty"`
}

// States of an instance.
const (
	InstanceStarting = "starting"
	InstanceReady    = "ready"
	InstanceDraining = "draining"
	InstanceExited   = "exited"
)

// Instance is one process of a generation.
type Instance struct {
	ID         string `json:"id"`
	PID        int    `json:"pid"`
	Generation uint64 `json:"generation"`
	Release    string `json:"release"`
	// State is one of the Instance… constants.
	State  string    `json:"state"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
	// Text is what the program last said of itself (STATUS=…).
	Text        string `json:"text,omitempty"`
	Connections *int64 `json:"connections,omitempty"`
}

// RolloutStatus is a rollout that has not ended.
type RolloutStatus struct {
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Step     string    `json:"step"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	WaitsFor string    `json:"waits_for"`
	Until    time.Time `json:"until,omitzero"`
	Kind     string    `json:"kind,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Reason   string    `json:"reason,omitempty"`
	Actor    Actor     `json:"actor,omitzero"`
	Trace    string    `json:"trace,omitempty"`
}

// LastRollout is how the last rollout of a service ended.
type LastRollout struct {
	Rollout string `json:"rollout"`
	// Ended is one of the Ended… constants.
	Ended  string    `json:"ended"`
	Reason string    `json:"reason"`
	Lost   *int64    `json:"lost"`
	Time   time.Time `json:"time,omitzero"`
}

// Refusal is a change that was not taken, and changed nothing.
type Refusal struct {
	Time   time.Time `json:"time"`
	What   string    `json:"what"`
	Reason string    `json:"reason"`
}

// withoutNulls returns the status with empty lists in place of nil ones, so that a reader of the
// JSON may range over every list.
func (s Status) withoutNulls() Status {
	s.Listeners = append([]Listener{}, s.Listeners...)
	for i := range s.Listeners {
		s.Listeners[i].Lanes = append([]Lane{}, s.Listeners[i].Lanes...)
	}
	s.Services = append([]Service{}, s.Services...)
	for i := range s.Services {
		service := &s.Services[i]
		service.Listeners = append([]string{}, service.Listeners...)
		service.Instances = append([]Instance{}, service.Instances...)
	}
	return s
}
