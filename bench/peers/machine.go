package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is what the numbers belong to.
type machine struct {
	CPU      string    `json:"cpu,omitempty"`
	CPUs     int       `json:"cpus"`
	Load     float64   `json:"load"` // average of the last minute when the run began
	Versions []version `json:"versions"`
}

// version is that of one thing that takes part.
type version struct {
	Name string `json:"name"`
	Text string `json:"version"`
}

const notInstalled = "not installed"

// describe asks everything that takes part for its version.
func (w *workshop) describe(ctx context.Context) machine {
	m := machine{CPU: cpuModel(), CPUs: runtime.NumCPU(), Load: loadAverage()}
	m.Versions = []version{
		{"zdhost", afterWord(w.ask(ctx, w.zdhost, "version"), "zdhost")},
		{"Go", runtime.Version()},
		{"Linux", kernel()},
		{"HAProxy", afterWord(w.ask(ctx, w.haproxy, "-v"), "version")},
		{"nginx", strings.TrimPrefix(w.ask(ctx, w.nginx, "-v"), "nginx version: nginx/")},
	}
	return m
}

// ask is the first line that a program prints.
func (w *workshop) ask(ctx context.Context, program string, args ...string) string {
	if program == "" {
		return notInstalled
	}
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return "unknown: " + err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// afterWord is the word after a given one; the whole line if that isn't in it.
func afterWord(line, word string) string {
	fields := strings.Fields(line)
	for i, f := range fields {
		if strings.EqualFold(f, word) && i+1 < len(fields) {
			return fields[i+1]
		}
	}
	return line
}

// busy reports whether something else had so much of the machine that comparisons mean little.
func (m machine) busy() bool { return m.Load > 0.5*float64(m.CPUs) }

func (m machine) table() table {
	t := table{Head: []string{"", ""}}
	t.add("Processors", strings.TrimSpace(fmt.Sprintf("%d × %s", m.CPUs, m.CPU)))
	for _, v := range m.Versions {
		t.add(v.Name, v.Text)
	}
	return t
}

func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "unknown: " + err.Error()
	}
	return unix.ByteSliceToString(name.Release[:])
}

func loadAverage() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64) // 0 where it can't be told: then nothing is claimed
	return load
}

// cpuModel is the processor's name, or its architecture where the kernel doesn't say.
func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
