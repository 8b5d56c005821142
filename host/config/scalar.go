package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var dayDuration = regexp.MustCompile(`^([0-9]{1,5})d(.*)$`)

// parseDuration reads Go's syntax ("1h30m", "100ms"), with days before it
// ("30d", "1d12h"). Negative durations are refused.
func parseDuration(s string) (time.Duration, error) {
	var days time.Duration
	rest := s
	if m := dayDuration.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1])
		days, rest = time.Duration(n)*24*time.Hour, m[2]
	}
	if rest == "" && days > 0 {
		return days, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || strings.HasPrefix(rest, "+") {
		return 0, errors.New("is not a duration")
	}
	if d < 0 || strings.HasPrefix(rest, "-") {
		return 0, errors.New("is negative")
	}
	if d > math.MaxInt64-days {
		return 0, errors.New("is too long")
	}
	return days + d, nil
}

var sizeSyntax = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$`)

// sizeUnits are the units of sizes, in bytes.
var sizeUnits = map[string]float64{
	"": 1, "B": 1,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// parseSize reads a number of bytes such as "512MiB".
func parseSize(s string) (size int64, hint string, err error) {
	m := sizeSyntax.FindStringSubmatch(s)
	if m == nil {
		return 0, `for example "512MiB"`, errors.New("is not a size")
	}
	unit, ok := sizeUnits[m[2]]
	if !ok {
		hint = "units are KiB, MiB, GiB, TiB, kB, MB, GB, TB"
		for name := range sizeUnits {
			if strings.EqualFold(name, m[2]) || strings.EqualFold(strings.Replace(name, "iB", "", 1), m[2]) {
				hint = fmt.Sprintf("did you mean %q?", m[1]+name)
			}
		}
		return 0, hint, fmt.Errorf("has the unknown unit %q", m[2])
	}
	number, err := strconv.ParseFloat(m[1], 64)
	if bytes := number * unit; err == nil && bytes < math.MaxInt64 {
		return int64(bytes), "", nil
	}
	return 0, "", errors.New("is too large")
}

var rateSyntax = regexp.MustCompile(`^([0-9]{1,9}) +in +(\S+)$`)

// parseRate reads "5 in 1m".
func parseRate(s string) (Rate, error) {
	m := rateSyntax.FindStringSubmatch(s)
	if m == nil {
		return Rate{}, errors.New(`is not "COUNT in DURATION"`)
	}
	n, _ := strconv.Atoi(m[1])
	d, err := parseDuration(m[2])
	switch {
	case err != nil:
		return Rate{}, fmt.Errorf("%q %w", m[2], err)
	case n == 0 || d == 0:
		return Rate{}, errors.New("has a zero")
	}
	return Rate{Count: n, Within: d}, nil
}

// parseSignal reads a signal's name, with or without "SIG". Signals that
// can't be caught are refused.
func parseSignal(s string) (sig syscall.Signal, hint string, err error) {
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	sig = unix.SignalNum(name)
	switch sig {
	case 0:
		return 0, didYouMean(name, signalNames()), errors.New("is not a signal")
	case syscall.SIGKILL, syscall.SIGSTOP:
		return 0, `"SIGTERM" can be answered`, errors.New("can't be answered by a program")
	}
	return sig, "", nil
}

func signalNames() []string {
	var names []string
	for n := syscall.Signal(1); n <= 31; n++ {
		if name := unix.SignalName(n); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// parseMode reads the permissions of a unix socket, such as "0660".
func parseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 16)
	if err != nil || n > 0o777 {
		return 0, errors.New("is not a mode")
	}
	return fs.FileMode(n), nil
}
