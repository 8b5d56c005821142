package host

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/journal"
	"github.com/zdhost/zdhost/host/rollout"
)

// Types of journal records, all of version 1. Numbers are never reused.
const (
	recordRollout    uint16 = 1 // an event of a rollout
	recordGeneration uint16 = 2 // a generation was made or is gone
	recordRefusal    uint16 = 3 // a change was not taken
	recordReport     uint16 = 4 // what a rollout meant for clients
	recordHost       uint16 = 5 // a host started or stopped
	recordInstance   uint16 = 6 // an instance was started or ended unasked
	recordLane       uint16 = 7 // a lane joined its listener's group
)

// knownRecord says which required records this host understands.
func knownRecord(typ uint16, version uint8) bool {
	return typ >= recordRollout && typ <= recordLane && version == 1
}

type rolloutRecord struct {
	Rollout string        `json:"rollout"`
	Service string        `json:"service"`
	Event   rollout.Event `json:"event"`
}

type generationRecord struct {
	Service string            `json:"service"`
	Number  uint64            `json:"number"`
	What    string            `json:"what"` // made or gone
	Payload payload           `json:"payload"`
	Lanes   map[string]string `json:"lanes,omitempty"` // listener → descriptor
	Reason  string            `json:"reason,omitempty"`
}

type refusalRecord struct {
	Service string `json:"service"` // empty: the host's own configuration
	What    string `json:"what"`
	Reason  string `json:"reason"`
}

type reportRecord struct {
	Rollout string             `json:"rollout"`
	Report  control.LossReport `json:"report"`
	Final   bool               `json:"final"` // the old generation is gone
}

// hostConfigured says that the configuration file was taken.
const hostConfigured = "configured"

type hostRecord struct {
	What    string `json:"what"` // started, configured, stopping or stopped
	PID     int    `json:"pid"`
	Version string `json:"version,omitempty"`
}

type instanceRecord struct {
	Service    string `json:"service"`
	Instance   string `json:"instance"`
	Number     uint64 `json:"number"` // in its id; never given again
	Generation uint64 `json:"generation"`
	What       string `json:"what"` // started, ready or ended
	Reason     string `json:"reason,omitempty"`
}

type laneRecord struct {
	Listener   string `json:"listener"`
	Descriptor string `json:"descriptor"`
	Index      int    `json:"index"`
}

// record appends to the journal. What fails is logged once: the journal then
// refuses everything, and changes with it, while serving goes on.
func (h *Host) record(typ uint16, trace string, body any) {
	if err := h.write(typ, trace, body, ""); err != nil && h.journal.Err() == nil {
		h.log.Error("cannot write the journal", "error", err)
	}
}

func (h *Host) write(typ uint16, trace string, body any, actor string) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r := journal.Record{Type: typ, Version: 1, Required: typ == recordRollout || typ == recordGeneration, Payload: b, Actor: actor}
	if id, err := hex.DecodeString(trace); err == nil && len(id) == len(r.Trace) {
		r.Trace = [16]byte(id)
	}
	e, ok := body.(rolloutRecord)
	first := ok && e.Event.Fact.Name() == rollout.FactRequested // refused where it can't be written
	if err = h.backlog.write(r, r.Required && !first); err == nil {
		h.syncSoon()
	}
	h.flushLater()
	return err
}

// flushPause is the time between two attempts to write what a full disk refused.
const flushPause = time.Second

// flushLater tries again, for as long as something is kept.
func (h *Host) flushLater() {
	if h.flushing || len(h.backlog.kept) == 0 {
		return
	}
	h.flushing = true
	h.after(flushPause, func() {
		h.flushing = false
		if h.backlog.flush() == nil {
			h.log.Info("the journal takes records again; nothing is missing in it")
			h.syncSoon()
		}
		h.flushLater()
	})
}

// syncPause gathers what is written in a burst into one fsync.
const syncPause = 20 * time.Millisecond

// syncSoon has what was written on disk before long; what must be there before
// an effect is waited for by perform.
func (h *Host) syncSoon() {
	if h.syncing {
		return
	}
	h.syncing = true
	time.AfterFunc(syncPause, func() {
		err := h.journal.Sync()
		h.post(func() {
			h.syncing = false
			if err != nil {
				h.log.Error("cannot sync the journal", "error", err)
			}
		})
	})
}
