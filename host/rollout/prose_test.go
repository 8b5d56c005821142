package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/zdhost/zdhost/host/rollout"
)

// transcript writes a rollout down for people.
type transcript struct{ strings.Builder }

func (w *transcript) event(now time.Time, f Fact, before, after State, effects []Effect) {
	fmt.Fprintf(w, "%s  %s\n", clock(now), factProse(f))
	if after.Attempt == before.Attempt && after.Name == before.Name && len(effects) == 0 {
		if encodeQuietly(before) == encodeQuietly(after) {
			fmt.Fprintf(w, "           (dropped)\n")
		} else {
			fmt.Fprintf(w, "           %s (noted)\n", stateProse(after))
		}
		return
	}
	fmt.Fprintf(w, "           %s\n", stateProse(after))
	for _, e := range effects {
		durable := ""
		if e.Durable() {
			durable = "  [durable]"
		}
		fmt.Fprintf(w, "             - %s%s\n", effectProse(e), durable)
	}
}

func (w *transcript) note(format string, args ...any) {
	fmt.Fprintf(w, "\n# "+format+"\n\n", args...)
}

func encodeQuietly(s State) string { return fmt.Sprintf("%+v", s) }

func clock(t time.Time) string {
	d := t.Sub(epoch)
	return fmt.Sprintf("%02d:%06.3f", int(d.Minutes()), (d % time.Minute).Seconds())
}

func stateProse(s State) string {
	text := "is " + string(s.Name)
	if s.Step != "" {
		text += " at step " + s.Step
	}
	if s.Name.Ended() {
		return text + ": " + s.End.Reason
	}
	if s.Name == StateHeld {
		text += " (" + string(s.Hold.Cause) + ": " + s.Hold.Reason + ")"
	}
	who, until := s.WaitsFor()
	text += ", waits for " + who
	if !until.IsZero() {
		text += " until " + clock(until)
	}
	return text
}

func factProse(f Fact) string {
	switch f := f.(type) {
	case Requested:
		text := fmt.Sprintf("%s requested %s of %s", f.Actor, f.Kind, f.Service)
		if f.From.Number != 0 {
			text += fmt.Sprintf(" from generation %d", f.From.Number)
		}
		return text + fmt.Sprintf(" to generation %d", f.To.Number)
	case GateAnswered:
		return fmt.Sprintf("the gate answered %s%s (attempt %d)", f.Verdict, colon(f.Reason), f.Attempt)
	case GateFailed:
		return fmt.Sprintf("the gate failed: %s (attempt %d)", f.Reason, f.Attempt)
	case HookEnded:
		return fmt.Sprintf("the hook ended, ok %t%s (attempt %d)", f.OK, colon(f.Detail), f.Attempt)
	case Planned:
		var ids []string
		for _, s := range f.Plan.Steps {
			ids = append(ids, s.ID)
		}
		return "the strategy planned " + strings.Join(ids, ", ") + ", then warm for " + f.Plan.Warm.String()
	case Decided:
		d := f.Decision
		text := fmt.Sprintf("the strategy decided %s at step %s (%s) (attempt %d):", d.Verdict, d.Step, d.Reason, d.Revision)
		for i, g := range d.Generations {
			if i > 0 {
				text += ";"
			}
			text += fmt.Sprintf(" generation %d %s, %d instances, weight %s", g.Number, g.Phase, g.Instances, g.Weight)
		}
		for _, w := range d.Waits {
			text += "; waits for " + string(w.Kind)
			if !w.Until.IsZero() {
				text += " until " + clock(w.Until)
			}
		}
		return text
	case StrategyFailed:
		return fmt.Sprintf("the strategy failed: %s, retry %t (attempt %d)", f.Reason, f.Retry, f.Attempt)
	case CandidateReady:
		return fmt.Sprintf("generation %d has %d ready", f.Generation, f.Ready)
	case CandidateFailed:
		return fmt.Sprintf("generation %d failed: %s", f.Generation, f.Reason)
	case StartExtended:
		return fmt.Sprintf("generation %d asked for time until %s", f.Generation, clock(f.Until))
	case GuardTripped:
		return fmt.Sprintf("a guard tripped for generation %d: %s", f.Generation, f.Reason)
	case WeightApplied:
		return fmt.Sprintf("the weights are in force (attempt %d)", f.Attempt)
	case WeightFailed:
		return fmt.Sprintf("the weights could not be set: %s (attempt %d)", f.Reason, f.Attempt)
	case TimerFired:
		return fmt.Sprintf("the %s timer fired (attempt %d)", f.Kind, f.Attempt)
	case OperatorPaused:
		return f.Actor.String() + " paused" + colon(f.Reason)
	case OperatorResumed:
		return f.Actor.String() + " resumed" + colon(f.Reason)
	case OperatorPromoted:
		return f.Actor.String() + " promoted" + colon(f.To) + colon(f.Reason)
	case OperatorAborted:
		return f.Actor.String() + " aborted" + colon(f.Reason)
	case Superseded:
		return f.Actor.String() + " superseded it by " + f.By
	case HostRestarted:
		return "the host restarted"
	case Closed:
		return "the host performed the last effects"
	}
	return string(f.Name())
}

func effectProse(e Effect) string {
	k := e.EffectKey().String()
	switch e := e.(type) {
	case AskGate:
		return fmt.Sprintf("ask the gate about %s, weight %s (%s)", e.Point, e.Weight, k)
	case TellGate:
		return fmt.Sprintf("tell the gate: %s, %s (%s)", e.Point, e.Reason, k)
	case RunHook:
		return fmt.Sprintf("run the hook %s (%s)", e.Point, k)
	case AskPlan:
		return fmt.Sprintf("ask strategy %s for a plan (%s)", e.Strategy, k)
	case AskNext:
		return fmt.Sprintf("ask strategy %s what is next (%s)", e.Strategy, k)
	case StartGeneration:
		return fmt.Sprintf("start generation %d with %d instances (%s)", e.Generation, e.Instances, k)
	case ApplyWeights:
		var parts []string
		for _, n := range slices.Sorted(maps.Keys(e.Weights)) {
			parts = append(parts, fmt.Sprintf("generation %d %s", n, e.Weights[n]))
		}
		return fmt.Sprintf("apply weights: %s (%s)", strings.Join(parts, ", "), k)
	case SetPhase:
		return fmt.Sprintf("generation %d is %s (%s)", e.Generation, e.Phase, k)
	case ArmTimer:
		return fmt.Sprintf("arm the %s timer for %s (%s)", e.Kind, clock(e.At), k)
	case CancelTimer:
		return fmt.Sprintf("cancel the %s timer (%s)", e.Kind, k)
	case Commit:
		return fmt.Sprintf("commit from generation %d to %d (%s)", e.From, e.To, k)
	case Abandon:
		return fmt.Sprintf("abandon generation %d (%s)", e.Generation, k)
	case Finish:
		text := fmt.Sprintf("finish %s: %s (%s)", e.Outcome, e.Reason, k)
		if e.WarmFor > 0 {
			text += ", warm for " + e.WarmFor.String()
		}
		if len(e.LogTail) > 0 {
			text += fmt.Sprintf(", last log lines %q", e.LogTail)
		}
		return text
	}
	return fmt.Sprintf("%T", e)
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}
