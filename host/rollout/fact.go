package rollout

import (
	"encoding/json"
	"fmt"
	"time"
)

func (Requested) Name() FactName        { return FactRequested }
func (GateAnswered) Name() FactName     { return FactGateAnswered }
func (GateFailed) Name() FactName       { return FactGateFailed }
func (HookEnded) Name() FactName        { return FactHookEnded }
func (Planned) Name() FactName          { return FactPlanned }
func (Decided) Name() FactName          { return FactDecided }
func (StrategyFailed) Name() FactName   { return FactStrategyFailed }
func (CandidateReady) Name() FactName   { return FactCandidateReady }
func (CandidateFailed) Name() FactName  { return FactCandidateFailed }
func (StartExtended) Name() FactName    { return FactStartExtended }
func (GuardTripped) Name() FactName     { return FactGuardTripped }
func (WeightApplied) Name() FactName    { return FactWeightApplied }
func (WeightFailed) Name() FactName     { return FactWeightFailed }
func (WaitEnded) Name() FactName        { return FactWaitEnded }
func (TimerFired) Name() FactName       { return FactTimerFired }
func (OperatorPaused) Name() FactName   { return FactOperatorPaused }
func (OperatorResumed) Name() FactName  { return FactOperatorResumed }
func (OperatorPromoted) Name() FactName { return FactOperatorPromoted }
func (OperatorAborted) Name() FactName  { return FactOperatorAborted }
func (Superseded) Name() FactName       { return FactSuperseded }
func (HostRestarted) Name() FactName    { return FactHostRestarted }
func (Closed) Name() FactName           { return FactClosed }

// answer is a fact that answers a numbered question.
type answer interface{ attempt() int }

func (f GateAnswered) attempt() int   { return f.Attempt }
func (f GateFailed) attempt() int     { return f.Attempt }
func (f HookEnded) attempt() int      { return f.Attempt }
func (f Planned) attempt() int        { return f.Attempt }
func (f Decided) attempt() int        { return int(min(f.Decision.Revision, 1<<31-1)) }
func (f StrategyFailed) attempt() int { return f.Attempt }
func (f WeightApplied) attempt() int  { return f.Attempt }
func (f WeightFailed) attempt() int   { return f.Attempt }

// factDecoders reads each kind of fact; its order is that of the documentation.
var factDecoders = []struct {
	name   FactName
	decode func([]byte) (Fact, error)
}{
	{FactRequested, decodeFact[Requested]},
	{FactGateAnswered, decodeFact[GateAnswered]},
	{FactGateFailed, decodeFact[GateFailed]},
	{FactHookEnded, decodeFact[HookEnded]},
	{FactPlanned, decodeFact[Planned]},
	{FactDecided, decodeFact[Decided]},
	{FactStrategyFailed, decodeFact[StrategyFailed]},
	{FactCandidateReady, decodeFact[CandidateReady]},
	{FactCandidateFailed, decodeFact[CandidateFailed]},
	{FactStartExtended, decodeFact[StartExtended]},
	{FactGuardTripped, decodeFact[GuardTripped]},
	{FactWeightApplied, decodeFact[WeightApplied]},
	{FactWeightFailed, decodeFact[WeightFailed]},
	{FactWaitEnded, decodeFact[WaitEnded]},
	{FactTimerFired, decodeFact[TimerFired]},
	{FactOperatorPaused, decodeFact[OperatorPaused]},
	{FactOperatorResumed, decodeFact[OperatorResumed]},
	{FactOperatorPromoted, decodeFact[OperatorPromoted]},
	{FactOperatorAborted, decodeFact[OperatorAborted]},
	{FactSuperseded, decodeFact[Superseded]},
	{FactHostRestarted, decodeFact[HostRestarted]},
	{FactClosed, decodeFact[Closed]},
}

// Facts are the names of all facts, in the order of the documentation.
func Facts() []FactName {
	names := make([]FactName, len(factDecoders))
	for i, d := range factDecoders {
		names[i] = d.name
	}
	return names
}

// eventJSON is the recorded form of an event.
type eventJSON struct {
	At   time.Time       `json:"at"`
	Fact FactName        `json:"fact"`
	Data json.RawMessage `json:"data"`
}

// MarshalJSON writes {"at", "fact", "data"}.
func (e Event) MarshalJSON() ([]byte, error) {
	if e.Fact == nil {
		return nil, fmt.Errorf("cannot write rollout event: it has no fact")
	}
	data, err := json.Marshal(e.Fact)
	if err != nil {
		return nil, fmt.Errorf("cannot write rollout event %s: %w", e.Fact.Name(), err)
	}
	return json.Marshal(eventJSON{At: e.At.Round(0).UTC(), Fact: e.Fact.Name(), Data: data})
}

// UnmarshalJSON reads what MarshalJSON writes. An unknown fact is an error.
func (e *Event) UnmarshalJSON(data []byte) error {
	var raw eventJSON
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("cannot read rollout event: %w", err)
	}
	for _, d := range factDecoders {
		if d.name != raw.Fact {
			continue
		}
		fact, err := d.decode(raw.Data)
		if err != nil {
			return fmt.Errorf("cannot read rollout event %s: %w", raw.Fact, err)
		}
		*e = Event{At: raw.At, Fact: fact}
		return nil
	}
	return fmt.Errorf("cannot read rollout event: unknown fact %q", raw.Fact)
}

func decodeFact[F Fact](data []byte) (Fact, error) {
	var f F
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	return f, nil
}
