package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/zdhost/zdhost/host/control"
)

func TestWords(t *testing.T) {
	tests := []struct{ got, want string }{
		{Age(-time.Second), "0s"},
		{Age(59 * time.Second), "59s"},
		{Age(61 * time.Second), "1m"},
		{Age(3*time.Hour + 7*time.Minute), "3h07m"},
		{Age(49 * time.Hour), "2d1h"},
		{Took(1340 * time.Microsecond), "1.3 ms"},
		{Took(250 * time.Millisecond), "0.25 s"},
		{Took(3240 * time.Millisecond), "3.2 s"},
		{Took(12 * time.Second), "12 s"},
		{Took(130 * time.Second), "2m10s"},
		{Percent(100), "100 %"},
		{Percent(0.01), "0.01 %"},
		{Digest(""), "none"},
		{Digest("sha256:0123456789abcdef"), "sha256:01234567"},
		{Digest("sha256:0123"), "sha256:0123"},
		{Digest("7"), "7"},
		{bar(0), strings.Repeat("░", 20)},
		{bar(0.01), "█" + strings.Repeat("░", 19)},
		{bar(100), strings.Repeat("█", 20)},
		{bar(250), strings.Repeat("█", 20)},
		{Loss(control.LossReport{Moved: control.Known(1), Lost: control.Known(0)}),
			"moved 1 connection · told unknown · cut unknown · queue high-water unknown · drops unknown · lost: 0"},
		{Loss(control.LossReport{Requests: control.Known(1234), Moved: control.Known(0), Lost: control.Known(0)}),
			"requests 1234 · moved 0 connections · told unknown · cut unknown · queue high-water unknown · drops unknown · lost: 0"},
		{cut("straße", 5), "stra…"},
		{printable("a\x1b[2J\tb\u0000"), "a\uFFFD[2J\tb\uFFFD"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	begun := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	p := NewProgress(&out, 30)
	p.Event(control.RolloutEvent{Time: begun, Service: "shop", Step: "start", Text: "one"})
	p.Event(control.RolloutEvent{Time: begun.Add(3 * time.Second), Service: "shop", State: "baking", Text: "a text that is longer than the line"})
	p.Event(control.RolloutEvent{Time: begun.Add(4 * time.Second), Service: "shop", Step: "bake", Text: "on", Dropped: 2})
	p.Done()
	p.Done()
	const clear = "\r\x1b[K"
	want := clear + "shop start: one  0s" +
		clear + "shop baking: a text that is …" +
		clear + "… 2 events not shown\n" + clear + "shop bake: on  4s" + clear
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestProgressElsewhereIsALineEach(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.Local)
	var out bytes.Buffer
	p := NewProgress(&out, 0)
	p.Event(control.RolloutEvent{
		Time: at, Service: "shop", Step: "shift", Text: "half", Reason: "asked",
		Weights: []control.GenerationWeight{{Generation: 1, Weight: 50}, {Generation: 2, Weight: 50}},
	})
	p.Done()
	if want := "12:00:00 shop shift: half (asked) [generation 1 50 %, generation 2 50 %]\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

func TestStatusOfAnEmptyHost(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	status := control.Status{Host: control.Host{
		Version: "1", PID: 2, KeeperPID: 1, Started: now.Add(-time.Minute), ReadOnly: "the disk is full",
		LastRefused: &control.Refusal{Time: now.Add(-time.Hour), What: "configuration", Reason: "line 3"},
	}}
	if err := Status(&out, status, "", now); err != nil {
		t.Fatal(err)
	}
	want := "zdhost 1 · host pid 2 · keeper pid 1 · up 1m\nchanges are refused: the disk is full\n" +
		"last change refused 1h00m ago: configuration: line 3\nno services\n"
	if out.String() != want {
		t.Errorf("got %q", out.String())
	}
}
