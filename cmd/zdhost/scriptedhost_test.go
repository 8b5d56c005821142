package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zdhost/zdhost/host/control"
)

const (
	v1 = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	v2 = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// scriptedHost keeps up one service, shop. What a rollout comes to is asked for by the name of its
// strategy.
type scriptedHost struct{ dir string }

func (h *scriptedHost) Status(context.Context, control.Actor) (control.Status, error) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d - time.Second/2) }
	second := "12-2"
	return control.Status{
		Host: control.Host{PID: 4711, KeeperPID: 4710, Version: "1.2.3", Started: ago(3*time.Hour + 12*time.Minute)},
		Listeners: []control.Listener{
			{Name: "web", Address: "127.0.0.1:8080", Lanes: []control.Lane{
				{Service: "shop", Generation: 12, Weight: 99.5, QueueMax: 4096, Queue: 3, QueueHigh: 17},
				{Service: "shop", Generation: 13, Instance: &second, Weight: 0.5, QueueMax: 4096, Drops: 1},
			}},
			{Name: "127.0.0.1:9090", Address: "127.0.0.1:9090", Adopted: true, Lanes: []control.Lane{{Service: "shop", Generation: 12, Weight: 100, QueueMax: 128}}},
			{Name: "spare", Address: "unix:/run/spare", Lanes: []control.Lane{{QueueMax: 4096}}},
		},
		Services: []control.Service{{
			Name: "shop", State: control.ServiceRolling, Release: v1, Revision: 7, Generation: 12, Warm: 11, WarmUntil: noon,
			Listeners: []string{"web"}, Restarts: 2,
			Instances: []control.Instance{
				{ID: "12-1", PID: 4242, Generation: 12, Release: v1, State: control.InstanceReady, Since: ago(3 * time.Minute)},
				{ID: "13-1", PID: 42, Generation: 13, Release: v2, State: control.InstanceStarting, Since: ago(4 * time.Second), Text: "loading"},
			},
			Rollout:     &control.RolloutStatus{ID: "r9", State: "baking", Step: "bake", From: v1, To: v2, WaitsFor: "time", Until: noon},
			Last:        &control.LastRollout{Rollout: "r8", Ended: control.EndedRolledBack, Reason: "exit status 1", Lost: control.Known(0), Time: ago(2 * 24 * time.Hour)},
			LastRefused: &control.Refusal{Time: ago(time.Minute), What: "configuration", Reason: `zdhost.hcl:3: unknown key "comand"`},
		}},
	}, nil
}

func (h *scriptedHost) Upgrade(ctx context.Context, _ control.Actor, request control.UpgradeRequest, emit control.Emit) (control.Outcome, error) {
	if request.Plan {
		return control.Outcome{Ended: control.EndedPlanned, Service: request.Service, Plan: &control.Plan{
			Strategy: "bluegreen", From: v1, To: v2, Changes: []string{"release: v1 → v2"},
			Steps: []control.PlanStep{{ID: "start", Instances: 2}, {ID: "shift", Instances: 2, Weight: 100}, {ID: "bake", Instances: 2, Weight: 100, WaitsFor: "time"}},
		}}, nil
	}
	if request.Detach {
		return control.Outcome{Ended: control.EndedDetached, Rollout: "r9", Service: request.Service, To: v2, Report: &control.LossReport{}}, nil
	}
	return h.roll(ctx, request.Service, request.Strategy, emit)
}

func (h *scriptedHost) Rollback(ctx context.Context, _ control.Actor, request control.RollbackRequest, emit control.Emit) (control.Outcome, error) {
	outcome, err := h.roll(ctx, request.Service, strings.TrimPrefix(request.To, "sha256:"), emit)
	if outcome.Kind = "rollback"; outcome.Ended == control.EndedAborted {
		outcome.Kind = "upgrade" // one that was under way, and is taken back
	}
	return outcome, err
}

func (h *scriptedHost) Restart(ctx context.Context, _ control.Actor, request control.RestartRequest, emit control.Emit) (control.Outcome, error) {
	return h.roll(ctx, request.Service, request.Set["end"], emit)
}

func (h *scriptedHost) Watch(ctx context.Context, _ control.Actor, request control.WatchRequest, emit control.Emit) (control.Outcome, error) {
	return h.roll(ctx, request.Service, request.Rollout, emit)
}

func (h *scriptedHost) roll(ctx context.Context, service, end string, emit control.Emit) (control.Outcome, error) {
	if service != "shop" {
		return control.Outcome{}, &control.Error{Code: control.NotFound, Message: "cannot upgrade " + service + ": there is no such service", Hint: "did you mean shop?"}
	}
	event := control.RolloutEvent{Time: noon, Rollout: "r9", Service: service, State: "running", Step: "start", Text: "2 of 2 instances are ready"}
	outcome := control.Outcome{
		Rollout: "r9", Service: service, From: v1, To: v2, Ended: control.EndedCommitted, Started: noon, Finished: noon.Add(3200 * time.Millisecond),
		Report: &control.LossReport{
			Moved: control.Known(32), Told: control.Known(0), Cut: control.Known(0), QueueHigh: control.Known(3), QueueMax: control.Known(4096),
			Drops: control.Known(0), Lost: control.Known(0),
		},
	}
	emit(event)
	switch end {
	case "exits":
		outcome.Ended, outcome.Reason = control.EndedRolledBack, "instance 13-1 exited with status 1 while baking"
		outcome.LogTail = []string{"panic: no goods", "\x1b[31mred"}
	case "aborts":
		outcome.Ended, outcome.Reason = control.EndedAborted, "aborted by ann"
	case "policy":
		outcome.Ended, outcome.Reason = control.EndedDenied, "not on Fridays"
	case "late":
		outcome.Ended, outcome.Reason = control.EndedTimedOut, "not ready after 30s"
	case "first":
		outcome.Ended, outcome.Reason, outcome.From = control.EndedFailed, "it exited with status 2", ""
	case "busy":
		return outcome, &control.Error{Code: control.Busy, Message: "cannot upgrade shop: rollout r8 runs", Hint: "--if-busy queue waits for it"}
	case "blind":
		outcome.Report = &control.LossReport{}
	case "holds":
		event.Step, event.Text, event.WaitsFor = "hold", "half of the connections go to generation 13", control.WaitsForOperator
		event.Weights = []control.GenerationWeight{{Generation: 12, Weight: 50}, {Generation: 13, Weight: 50}}
		emit(event)
		<-ctx.Done()
		return control.Outcome{}, ctx.Err()
	case "slow":
		if err := os.WriteFile(filepath.Join(h.dir, "started"), nil, 0o600); err != nil {
			return outcome, err
		}
		<-ctx.Done()
		return control.Outcome{}, ctx.Err()
	}
	return outcome, nil
}

func (h *scriptedHost) Tell(_ context.Context, _ control.Actor, request control.RolloutRequest) (control.RolloutStatus, error) {
	status := control.RolloutStatus{ID: "committed", State: "running", To: v2}
	if request.Verb == control.Abort {
		status.ID = "aborts"
	}
	if request.Reason == "late" {
		return status, &control.Error{Code: control.Failed, Message: fmt.Sprintf("cannot %s the rollout of %s: none runs", request.Verb, request.Service)}
	}
	return status, nil
}

func (h *scriptedHost) Reload(_ context.Context, _ control.Actor, request control.ReloadRequest) (control.ReloadResult, error) {
	if request.Target == control.HostTarget {
		return control.ReloadResult{Target: request.Target}, nil
	}
	return control.ReloadResult{
		Target: request.Target,
		Changes: []control.Change{
			{Path: "service.shop.instances", From: "2", To: "3", File: "zdhost.hcl", Line: 9, Needs: "rollout"},
			{Path: "service.shop.drain.signal", To: "SIGQUIT"},
			{Path: "service.shop", What: control.Changed, Keys: []string{"env", "instances"}, Needs: "rollout"},
			{Path: "service.old.shop", What: control.Removed},
			{Path: "listener.web", What: control.Added, To: "127.0.0.1:8080"},
		},
		Rollouts: []control.RolloutRef{{ID: "exits", Service: "shop"}},
	}, nil
}

func (h *scriptedHost) History(_ context.Context, _ control.Actor, query control.HistoryQuery) ([]control.HistoryEntry, error) {
	entries := []control.HistoryEntry{
		{Rollout: "r9", Service: "shop", Kind: "upgrade", From: v1, To: v2, Started: noon, Actor: control.Actor{UID: 1000, Name: "ann"}},
		{Rollout: "r8", Service: "shop", Kind: "start", To: v1, Started: noon.Add(-time.Hour), Ended: noon.Add(-time.Hour + 250*time.Millisecond),
			Outcome: control.EndedCommitted, Reason: "first start", Actor: control.Actor{UID: 1001}, Lost: control.Known(0), Trace: "abc"},
	}
	if query.Limit > 0 {
		entries = entries[:min(query.Limit, len(entries))]
	}
	return entries, nil
}

func (h *scriptedHost) Logs(ctx context.Context, _ control.Actor, query control.LogQuery, emit func(control.LogLine) error) error {
	for i, text := range []string{"hello", "tab\tand \x1b[31mred", "world"} {
		id := fmt.Sprintf("12-%d", i%2+1)
		if query.Instance != "" && query.Instance != id {
			continue
		}
		if err := emit(control.LogLine{Time: noon.Add(time.Duration(i) * time.Millisecond), Service: query.Service, Instance: id, Stream: "stdout", Text: text}); err != nil {
			return err
		}
	}
	if query.Follow {
		if err := os.WriteFile(filepath.Join(h.dir, "followed"), nil, 0o600); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (h *scriptedHost) Stop(context.Context, control.Actor, control.StopRequest) error { return nil }
