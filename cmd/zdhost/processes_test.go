package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestDurationsAreLoggedForPeople(t *testing.T) {
	for _, asJSON := range []bool{true, false} {
		var out bytes.Buffer
		slog.New(logHandler(&out, asJSON, slog.LevelInfo)).Info("ready", slog.Group("took", "after", 249*time.Millisecond), "pid", 7)
		if line := out.String(); !strings.Contains(line, "249ms") || strings.Contains(line, "249000000") || !strings.Contains(line, "7") {
			t.Errorf("logged %s", line)
		}
	}
}
