package promises

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestShapes_Status: `status --json` has at least what its reference promises, in the types that it promises.
func TestShapes_Status(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1"), service: "instances = 2"}.String())
	if s := h.cli("upgrade", append([]string{web, "--set", "weight=50", "--"}, o.release("v2")...)...); s.code != 5 {
		t.Fatalf("want exit code 5: %v", s)
	}
	s := h.cli("status", "--json")
	if s.code != 0 {
		t.Fatal(s)
	}
	status := parsed[map[string]any](t, s.out)
	wantShape(t, status, "host.pid", "number")
	wantShape(t, status, "host.keeper_pid", "number")
	wantShape(t, status, "host.version", "string")
	wantShape(t, status, "host.started", "time")
	for key, shape := range map[string]string{
		"name": "string", "address": "string",
		"lanes.0.generation": "number", "lanes.0.instance": "any", "lanes.0.weight": "number", "lanes.0.queue": "number",
		"lanes.0.queue_max": "number", "lanes.0.drops": "number",
	} {
		wantShape(t, status, "listeners.0."+key, shape)
	}
	for key, shape := range map[string]string{
		"name": "string", "state": "string", "release": "string", "revision": "number", "generation": "number",
		"instances.0.id": "string", "instances.0.pid": "number", "instances.0.generation": "number", "instances.0.release": "string",
		"instances.0.state": "string", "instances.0.since": "time",
		"rollout.id": "string", "rollout.state": "string", "rollout.step": "string", "rollout.from": "string", "rollout.to": "string",
		"rollout.waits_for": "string", "last.rollout": "string", "last.ended": "string", "last.reason": "string", "last.lost": "number",
	} {
		wantShape(t, status, "services.0."+key, shape)
	}
	if got := at(status, "services.0.state"); got != "held" {
		t.Errorf("the state is %v, want held", got)
	}
	if got := at(status, "services.0.rollout.waits_for"); got != "operator" {
		t.Errorf("it waits for %v, want the operator", got)
	}
	if s := h.cli("rollout", "abort", web); s.code != 0 {
		t.Errorf("cannot abort: %v", s)
	}
	g.await("the rollout has ended", patience, func() bool { return h.service(web).Rollout == nil })
	again := parsed[map[string]any](t, h.cli("status", web, "--json").out)
	if got := at(again, "services.0.last.ended"); got != "aborted" && got != "rolled_back" {
		t.Errorf("it ended as %v", got)
	}
	if s := h.cli("status"); s.code != 0 || !strings.Contains(s.out, web) || !strings.Contains(s.out, o.address) {
		t.Errorf("the status for people lacks something: %v", s)
	}
}

// TestShapes_History: `history --json` is who, why and how of each rollout, newest first.
func TestShapes_History(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	if s := h.cli("upgrade", append([]string{web, "--set", "bake=0s", "--reason", "spring sale", "--"}, o.release("v2")...)...); s.code != 0 {
		t.Fatal(s)
	}
	h.cli("upgrade", append([]string{web, "--"}, badly("exit")(g, o.address)...)...)
	s := h.cli("history", web, "--json")
	entries := parsed[[]any](t, s.out)
	if s.code != 0 || len(entries) != 3 {
		t.Fatalf("want three rollouts: %v", s)
	}
	for i := range entries {
		for key, shape := range map[string]string{
			"rollout": "string", "service": "string", "kind": "string", "from": "string", "to": "string", "started": "time",
			"ended": "time", "outcome": "string", "reason": "string", "actor.uid": "number", "trace": "string", "lost": "number",
		} {
			wantShape(t, entries, fmt.Sprintf("%d.%s", i, key), shape)
		}
	}
	for path, want := range map[string]string{
		"0.outcome": "rolled_back", "0.kind": "upgrade", "1.outcome": "committed", "1.kind": "upgrade", "2.kind": "start",
	} {
		if got := at(entries, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if trace, _ := at(entries, "0.trace").(string); len(trace) != 32 {
		t.Errorf("the trace id is %q", trace)
	}
	people := h.cli("history", web)
	for _, want := range []string{"rolled back", "committed", "spring sale", "exit code 3"} {
		if !strings.Contains(people.out, want) {
			t.Errorf("the history for people lacks %q: %v", want, people)
		}
	}
}

// TestShapes_Logs: what instances print is there, with their names, also of those that are gone.
func TestShapes_Logs(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("naive", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	h.cli("upgrade", append([]string{web, "--"}, badly("exit")(g, o.address)...)...)
	s := h.cli("logs", web, "--json")
	if s.code != 0 {
		t.Fatal(s)
	}
	var line map[string]any
	for text := range strings.Lines(s.out) {
		if candidate := parsed[map[string]any](t, text); strings.Contains(fmt.Sprint(candidate["text"]), "shard") {
			line = candidate
		}
	}
	if line == nil {
		t.Fatalf("the candidate's line is not there: %v", s)
	}
	for key, shape := range map[string]string{"time": "time", "service": "string", "instance": "string", "stream": "string", "text": "string"} {
		wantShape(t, line, key, shape)
	}
	one := h.cli("logs", web, "--instance", fmt.Sprint(line["instance"]), "--tail", "1")
	if strings.Count(one.out, "\n") != 1 || !strings.Contains(one.out, "shard") {
		t.Errorf("the last line of the instance: %v", one)
	}
	none := h.cli("logs", web, "--instance", "nope")
	if running := h.service(web).Instances[0].ID; none.code != 2 || !strings.Contains(none.errout, "no instance nope\nhint: there is "+running) {
		t.Errorf("an instance that never was: %v", none)
	}
}

// TestShapes_Outcome: `upgrade --json` prints one object, the loss report in it.
func TestShapes_Outcome(t *testing.T) {
	g := newGround(t, nil)
	o := g.offers("shop", freeAddress(t))
	h := g.configured(configuration{address: o.address, command: o.release("v1")}.String())
	plan := h.cli("upgrade", append([]string{web, "--plan", "--json", "--"}, o.release("v2")...)...)
	if got := at(parsed[map[string]any](t, plan.out), "ended"); plan.code != 0 || got != "planned" {
		t.Errorf("the plan: %v", plan)
	}
	if g := h.service(web).Generation; g != 1 {
		t.Errorf("a plan made generation %d", g)
	}
	s := h.cli("upgrade", append([]string{web, "--json", "--set", "bake=100ms", "--"}, o.release("v2")...)...)
	outcome := parsed[map[string]any](t, s.out)
	for key, shape := range map[string]string{
		"rollout": "string", "service": "string", "kind": "string", "trace": "string", "from": "string", "to": "string", "ended": "string",
		"started": "time", "finished": "time", "report.moved": "number", "report.told": "number", "report.cut": "number",
		"report.requests": "number", "report.queue_high": "number", "report.queue_max": "number", "report.drops": "number", "report.lost": "number",
	} {
		wantShape(t, outcome, key, shape)
	}
	if at(outcome, "ended") != "committed" || at(outcome, "report.lost") != 0.0 {
		t.Errorf("the outcome is %v", s)
	}
}

// parsed reads one JSON value.
func parsed[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// at follows a dotted path through objects and lists; nil where it leads nowhere.
func at(v any, path string) any {
	for _, key := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// wantShape fails unless there is a value of that type: number, string, time, or any (which may be null).
func wantShape(t *testing.T, v any, path, shape string) {
	t.Helper()
	value := at(v, path)
	ok := true
	switch shape {
	case "number":
		_, ok = value.(float64)
	case "string":
		_, ok = value.(string)
	case "time":
		text, _ := value.(string)
		_, err := time.Parse(time.RFC3339, text)
		ok = err == nil
	}
	if !ok {
		t.Errorf("%s is %#v, want a %s", path, value, shape)
	}
}
