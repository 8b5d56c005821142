package bluegreen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// schema is the JSON Schema of the settings. Numbers may be given as strings,
// since that is how a command line gives them.
const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "bake": {"type": "string", "default": "2s", "description": "how long to watch the new generation before the commit"},
    "warm": {"type": "string", "default": "60s", "description": "how long the old generation is kept ready to come back; 0 for not at all"},
    "weight": {"type": ["number", "string"], "default": 100, "exclusiveMinimum": 0, "maximum": 100, "description": "percent of new connections to shift; below 100 the rollout holds there until it is promoted"},
    "instances": {"type": ["integer", "string"], "minimum": 1, "maximum": 10000, "description": "instances of the new generation; the service's own number by default"}
  }
}`

const (
	defaultBake = 2 * time.Second
	defaultWarm = time.Minute

	maxDuration  = 365 * 24 * time.Hour
	maxInstances = 10000
)

var settingKeys = []string{"bake", "instances", "warm", "weight"}

// settings is what a user may choose.
type settings struct {
	// Bake is how long the candidate is watched before the commit.
	Bake time.Duration
	// Warm is how long the old generation is kept ready after the commit.
	Warm time.Duration
	// Weight is the share to shift first; below FullWeight the rollout holds there.
	Weight pluginapi.Weight
	// Instances is the candidate's number of instances; 0 means the service's.
	Instances int
}

// holds reports whether the rollout holds at a part of the weight.
func (s settings) holds() bool { return s.Weight < pluginapi.FullWeight }

// parseSettings reads a JSON object, or nothing, and finds all that is wrong.
func parseSettings(raw json.RawMessage) (settings, []pluginapi.SettingProblem) {
	s := settings{Bake: defaultBake, Warm: defaultWarm, Weight: pluginapi.FullWeight}
	given, err := decodeObject(raw)
	if err != nil {
		return s, []pluginapi.SettingProblem{{Message: "the settings are not a JSON object: " + err.Error()}}
	}
	keys := make([]string, 0, len(given))
	for key := range given {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var problems []pluginapi.SettingProblem
	for _, key := range keys {
		if message, hint := s.set(key, given[key]); message != "" {
			problems = append(problems, pluginapi.SettingProblem{Setting: key, Message: message, Hint: hint})
		}
	}
	return s, problems
}

// set takes one setting; a message says why it can't.
func (s *settings) set(key string, value any) (message, hint string) {
	switch key {
	case "bake":
		return setDuration(&s.Bake, value)
	case "warm":
		return setDuration(&s.Warm, value)
	case "weight":
		percent, ok := number(value)
		if !ok || !(percent > 0 && percent <= 100) {
			return fmt.Sprintf("%s is not a percentage", show(value)), "more than 0, at most 100, such as 50"
		}
		s.Weight = pluginapi.Weight(math.Round(percent * 100))
		if math.Abs(percent*100-float64(s.Weight)) > 1e-6 || s.Weight == 0 {
			return fmt.Sprintf("%s is finer than 0.01 %%", show(value)), "weights move in steps of 0.01"
		}
	case "instances":
		n, ok := number(value)
		if !ok || n != math.Trunc(n) || n < 1 || n > maxInstances {
			return fmt.Sprintf("%s is not a number of instances", show(value)), fmt.Sprintf("a whole number from 1 to %d", maxInstances)
		}
		s.Instances = int(n)
	default:
		return "bluegreen has no such setting", "it has " + strings.Join(settingKeys, ", ")
	}
	return "", ""
}

// decodeObject reads exactly one JSON object; nothing and null count as empty.
func decodeObject(raw json.RawMessage) (map[string]any, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the object")
	}
	return object, nil
}

func setDuration(to *time.Duration, value any) (message, hint string) {
	const example = `a duration such as "30s", or 0`
	text, ok := value.(string)
	if !ok {
		if n, isNumber := number(value); !isNumber || n != 0 {
			return fmt.Sprintf("%s is not a duration", show(value)), example
		}
		text = "0"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Sprintf("%s is not a duration", show(value)), example
	}
	if d > maxDuration {
		return fmt.Sprintf("%s is longer than a year", show(value)), ""
	}
	*to = d
	return "", ""
}

// number reads a number, or a string that holds one.
func number(value any) (float64, bool) {
	var text string
	switch v := value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// show is the value as it was written, shortened.
func show(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%v", value)
	}
	if runes := []rune(string(text)); len(runes) > 40 {
		return string(runes[:37]) + "..."
	}
	return string(text)
}
