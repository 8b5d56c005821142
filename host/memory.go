package host

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/journal"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/host/rollout"
)

// memory is the fold over the journal: what a host has to know of the time
// before it.
type memory struct {
	generations map[string]uint64    // highest number, by service
	commits     map[string][]payload // by service, each release once, oldest first
	made        map[string]map[uint64]generationRecord
	rollouts    map[string]*remembered
	order       []string // of rollouts, oldest first
	lanes       map[string]laneRecord
	instances   uint64              // highest number
	ready       map[string]bool     // instances that got ready and have not ended
	refusals    map[string]*refusal // the last change where that was refused, by service; "" is the host's configuration
	broken      []error             // events that don't follow from those before
}

// remembered is a rollout as far as the journal has it.
type remembered struct {
	service string
	state   rollout.State
	began   time.Time
	report  *control.LossReport
	broken  error // set where the journal lacks an event: the state is the last that is known
}

// keptRollouts bounds the history in memory; the journal has the rest.
const keptRollouts = 2000

func newMemory() *memory {
	return &memory{
		generations: map[string]uint64{}, commits: map[string][]payload{}, made: map[string]map[uint64]generationRecord{},
		rollouts: map[string]*remembered{}, lanes: map[string]laneRecord{}, ready: map[string]bool{}, refusals: map[string]*refusal{},
	}
}

func remember(j *journal.Log) (*memory, error) {
	m := newMemory()
	return m, j.Read(1, func(r journal.Record) error { return m.fold(r) })
}

func (m *memory) fold(r journal.Record) error {
	switch r.Type {
	case recordRollout:
		return decode(r, m.rolled)
	case recordGeneration:
		return decode(r, m.generation)
	case recordReport:
		return decode(r, func(b reportRecord) error {
			if known := m.rollouts[b.Rollout]; known != nil {
				known.report = &b.Report
			}
			return nil
		})
	case recordRefusal:
		return decode(r, func(b refusalRecord) error {
			m.refusals[b.Service] = &refusal{Time: r.Time, What: b.What, Reason: b.Reason}
			return nil
		})
	case recordHost:
		return decode(r, func(b hostRecord) error {
			if b.What == hostConfigured {
				delete(m.refusals, "")
			}
			return nil
		})
	case recordLane:
		return decode(r, func(b laneRecord) error { m.lanes[b.Descriptor] = b; return nil })
	case recordInstance:
		return decode(r, m.instance)
	}
	return nil
}

func decode[T any](r journal.Record, f func(T) error) error {
	var body T
	if err := json.Unmarshal(r.Payload, &body); err != nil {
		return err
	}
	return f(body)
}

func (m *memory) instance(b instanceRecord) error {
	m.instances = max(m.instances, b.Number)
	if b.What == "ready" {
		m.ready[b.Instance] = true
	} else {
		delete(m.ready, b.Instance)
	}
	return nil
}

func (m *memory) generation(b generationRecord) error {
	m.numbered(b.Service, b.Number)
	if m.made[b.Service] == nil {
		m.made[b.Service] = map[uint64]generationRecord{}
	}
	if b.What == "gone" {
		delete(m.made[b.Service], b.Number)
	} else {
		m.made[b.Service][b.Number] = b
	}
	return nil
}

// rolled takes an event of a rollout. One that doesn't follow from those before,
// because the journal lacks some, marks the rollout and changes nothing: a host
// that can't tell how one rollout went must start all the same.
func (m *memory) rolled(b rolloutRecord) error {
	r := m.rollouts[b.Rollout]
	if r == nil {
		r = &remembered{service: b.Service, began: b.Event.At}
	}
	next, _, err := rollout.Step(r.state, b.Event)
	if err != nil {
		r.broken = fmt.Errorf("rollout %s: %w", b.Rollout, err)
		m.broken = append(m.broken, r.broken)
		return nil
	}
	if m.rollouts[b.Rollout] == nil {
		m.rollouts[b.Rollout] = r
		m.order = append(m.order, b.Rollout)
		m.trim()
	}
	before := r.state.Name
	r.state = next
	if next.Name == rollout.StateCommitted && before != next.Name {
		delete(m.refusals, b.Service)
		if g, ok := m.made[b.Service][next.To.Number]; ok {
			m.committed(b.Service, g.Payload)
		}
	}
	return nil
}

// keptCommits bounds how far back a rollback finds its release without a digest.
const keptCommits = 100

func (m *memory) committed(service string, p payload) {
	// A release that ran before moves to the end: restarts push nothing out.
	all := append(slices.DeleteFunc(m.commits[service], func(q payload) bool { return q.Release == p.Release }), p)
	m.commits[service] = all[max(0, len(all)-keptCommits):]
}

// note keeps the state of a rollout that runs now.
func (m *memory) note(r *rolling) {
	known := m.rollouts[r.state.ID]
	if known == nil {
		known = &remembered{service: r.svc.name, began: r.began}
		m.rollouts[r.state.ID] = known
		m.order = append(m.order, r.state.ID)
		m.trim()
	}
	known.state = r.state
}

func (m *memory) reported(id string, report control.LossReport) {
	if known := m.rollouts[id]; known != nil {
		known.report = &report
	}
}

func (m *memory) trim() {
	if len(m.order) > keptRollouts {
		delete(m.rollouts, m.order[0])
		m.order = m.order[1:]
	}
}

// lastEnded is how the service's last rollout ended, nil where none has.
func (m *memory) lastEnded(service string) *ended {
	for i := len(m.order) - 1; i >= 0; i-- {
		if r := m.rollouts[m.order[i]]; r.service == service && r.state.Name.Ended() {
			e := r.ended()
			return &e
		}
	}
	return nil
}

// meet learns of processes that the journal may lack: their numbers are taken.
func (m *memory) meet(children []keeper.Child) {
	for _, c := range children {
		var meta childMeta
		if json.Unmarshal(c.Meta, &meta) == nil {
			m.instances = max(m.instances, meta.Number)
			m.numbered(meta.Service, meta.Generation)
		}
	}
}

// numbered says that a generation's number was given; it is never given again.
func (m *memory) numbered(service string, number uint64) {
	m.generations[service] = max(m.generations[service], number)
}

func (m *memory) lastGeneration(service string) uint64 { return m.generations[service] }

// lastPayload is what committed last.
func (m *memory) lastPayload(service string) (payload, bool) {
	all := m.commits[service]
	if len(all) == 0 {
		return payload{}, false
	}
	return all[len(all)-1], true
}

// nextInstance numbers an instance.
func (m *memory) nextInstance() uint64 {
	m.instances++
	return m.instances
}
