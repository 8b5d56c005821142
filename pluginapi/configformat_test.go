package pluginapi_test

import (
	"strings"
	"testing"

	"github.com/zdhost/zdhost/pluginapi"
)

func TestParseNumber(t *testing.T) {
	for literal, want := range map[string]string{
		"0": "0", "-0": "-0", "42": "42", "+42": "42", "1_000": "1000", "12345678901234567890": "12345678901234567890", "1.50": "1.50",
		"1e3": "1e3", "1.5E-3": "1.5E-3", ".5": "0.5", "-.5": "-0.5", "1.": "1", "1.e3": "1e3", "0x1F": "31", "-0x1f": "-31", "0o17": "15", "0b101": "5", "0xff_ff": "65535",
		"0.5": "0.5", "1e308": "1e308",
	} {
		got, err := pluginapi.ParseNumber(literal)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", literal, got, err, want)
			continue
		}
		if again, err := pluginapi.ParseNumber(got); err != nil || again != got {
			t.Errorf("%q: its normal form %q becomes %q, %v", literal, got, again, err)
		}
	}
	for _, bad := range []string{
		"", "-", "+", ".", "e3", "1e", "NaN", "nan", "inf", "-Inf", ".inf", "1e309", "-1e999", "007", "-01", "0x", "0x_", "0b2", "0o8", "1,5", " 1", "1 ", "１",
		strings.Repeat("9", 65), "0x1p3", "1e5000000",
	} {
		if got, err := pluginapi.ParseNumber(bad); err == nil {
			t.Errorf("%q was taken as %q", bad, got)
		}
	}
}

func TestDiagnosticString(t *testing.T) {
	d := pluginapi.Diagnostic{Severity: pluginapi.SeverityWarning, Summary: "odd"}
	if d.String() != "odd" || pluginapi.HasErrors([]pluginapi.Diagnostic{d}) {
		t.Errorf("got %q", d)
	}
	d.Pos, d.Severity = pluginapi.Pos{File: "f", Line: 1}, pluginapi.SeverityError
	if d.String() != "f:1: odd" || !pluginapi.HasErrors([]pluginapi.Diagnostic{d}) {
		t.Errorf("got %q", d)
	}
}
