package rollout

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// PlanRequest is what a strategy would be asked to plan for.
func (f Requested) PlanRequest() pluginapi.PlanRequest {
	return pluginapi.PlanRequest{
		Rollout:   f.ID,
		Service:   f.Service,
		Kind:      f.Kind,
		From:      f.From.GenerationRef,
		To:        f.To.GenerationRef,
		Instances: f.Instances,
		Weighted:  f.Weighted,
		Settings:  slices.Clone(f.Settings),
	}
}

// check says why a request can't begin a rollout.
func (f Requested) check() error {
	switch {
	case f.ID == "" || f.Service == "":
		return &RequestError{Reason: "it has no id or no service"}
	case f.To.Number == 0:
		return &RequestError{Reason: "it has no generation to go to"}
	case f.To.Number == f.From.Number:
		return &RequestError{Reason: "it goes from generation " + strconv.FormatUint(f.From.Number, 10) + " to itself"}
	case len(f.Settings) > 0 && !json.Valid(f.Settings):
		return &RequestError{Reason: "its settings are not JSON"}
	case f.Instances < 1:
		return &RequestError{Reason: "it has no instances"}
	case (f.Kind == pluginapi.KindStart) != (f.From.Number == 0):
		return &RequestError{Reason: "a start goes from nothing, and nothing else does"}
	}
	switch f.Kind {
	case pluginapi.KindStart, pluginapi.KindUpgrade, pluginapi.KindReload, pluginapi.KindRestart, pluginapi.KindRollback:
		return nil
	}
	return &RequestError{Reason: "unknown kind " + strconv.Quote(string(f.Kind))}
}

func (m *machine) requested(f Requested) error {
	if err := f.check(); err != nil {
		return err
	}
	m.s = State{
		Version:   StateVersion,
		ID:        f.ID,
		Trace:     f.Trace,
		Request:   f.PlanRequest(),
		Strategy:  f.Strategy,
		Actor:     f.Actor,
		Why:       f.Reason,
		Deadlines: f.Deadlines.orDefault(),
		From:      f.old(),
		To:        f.candidate(),
	}
	m.s.Limits.Rollout = limitOf(f.Deadlines.Rollout)
	if m.s.direct() {
		m.s.Strategy = "host"
	}
	if !m.s.preauthorised() {
		m.gate(PointPlan)
		return nil
	}
	m.adopt(directPlan(m.s.Request, m.s.To, f.WarmFor))
	m.s.Admitted = true
	m.askNext()
	m.tellRollback("rollback to generation " + strconv.FormatUint(f.To.Number, 10) + because(f.Reason))
	return nil
}

// old is the generation that serves, as the rollout begins.
func (f Requested) old() Generation {
	g := f.From
	if g.Number == 0 {
		return Generation{}
	}
	g.Phase, g.Since = pluginapi.PhaseServing, time.Time{}
	g.Desired, g.Applied = f.weights(pluginapi.FullWeight)
	return g
}

// candidate is the generation to go to, as the rollout begins. Only a rollback
// may find it warm.
func (f Requested) candidate() Generation {
	g := Generation{GenerationRef: f.To.GenerationRef}
	if f.Kind == pluginapi.KindRollback && f.To.Phase == pluginapi.PhaseWarm && f.To.Ready > 0 {
		g.Phase, g.Instances, g.Ready = pluginapi.PhaseWarm, max(f.To.Instances, f.To.Ready), f.To.Ready
	}
	g.Desired, g.Applied = f.weights(0)
	return g
}

// weights is w as desired and applied weight, or none where there are no weights.
func (f Requested) weights(w pluginapi.Weight) (desired, applied pluginapi.Weight) {
	if !f.Weighted {
		w = pluginapi.NoWeight
	}
	return w, w
}

// preauthorised reports whether the gate is told rather than asked.
func (s State) preauthorised() bool { return s.Request.Kind == pluginapi.KindRollback }

// direct reports whether the host plans and decides itself.
func (s State) direct() bool {
	return s.Request.Kind == pluginapi.KindRollback || s.Request.Kind == pluginapi.KindStart
}

// String is the actor's name, or its uid.
func (a Actor) String() string {
	if a.Name == "" {
		return "uid " + strconv.Itoa(a.UID)
	}
	return a.Name
}

// because adds a reason, if there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// tail is a bounded copy of the last lines of a log.
func tail(lines []string) []string {
	lines = slices.Clone(lines[max(0, len(lines)-maxTail):])
	for i, line := range lines {
		if len(line) > maxLine {
			lines[i] = strings.ToValidUTF8(line[:maxLine], "")
		}
	}
	return lines
}
