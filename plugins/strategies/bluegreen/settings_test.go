package bluegreen

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestSettings(t *testing.T) {
	for text, want := range map[string]settings{
		``:     {2 * time.Second, time.Minute, 10000, 0},
		`{}`:   {2 * time.Second, time.Minute, 10000, 0},
		`null`: {2 * time.Second, time.Minute, 10000, 0},
		`{"bake": "0", "warm": 0, "weight": 0.01, "instances": 3}`:         {0, 0, 1, 3},
		`{"bake": "1m", "warm": "1h", "weight": "50", "instances": "3"}`:   {time.Minute, time.Hour, 5000, 3},
		`{"bake": "250ms", "weight": 33.33, "warm": "2m", "instances": 1}`: {250 * time.Millisecond, 2 * time.Minute, 3333, 1},
	} {
		if got, problems := parseSettings(json.RawMessage(text)); got != want || len(problems) > 0 {
			t.Errorf("%s: %+v, %v", text, got, problems)
		}
	}
}

func TestBadSettings(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                     "the settings are not a JSON object",
		`{} {}`:                  "something follows the object",
		`{"bakes": "1s"}`:        "bakes: bluegreen has no such setting",
		`{"bake": "soon"}`:       `bake: "soon" is not a duration`,
		`{"bake": 5}`:            "bake: 5 is not a duration",
		`{"bake": "-1s"}`:        `bake: "-1s" is not a duration`,
		`{"warm": true}`:         "warm: true is not a duration",
		`{"warm": "9000h"}`:      "longer than a year",
		`{"weight": 0}`:          "weight: 0 is not a percentage",
		`{"weight": 101}`:        "weight: 101 is not a percentage",
		`{"weight": "NaN"}`:      `weight: "NaN" is not a percentage`,
		`{"weight": "half"}`:     `weight: "half" is not a percentage`,
		`{"weight": 0.001}`:      "finer than 0.01 %",
		`{"instances": 0}`:       "instances: 0 is not a number of instances",
		`{"instances": 1.5}`:     "instances: 1.5 is not a number of instances",
		`{"instances": [1]}`:     "instances: [1] is not a number of instances",
		`{"a": 1, "weight": -1}`: "a: bluegreen has no such setting; weight: -1 is not a percentage",
		`{"bake": "` + strings.Repeat("x", 99) + `"}`: "... is not a duration",
	} {
		problems := Strategy{}.Validate(json.RawMessage(text))
		var all []string
		for _, p := range problems {
			all = append(all, p.String())
		}
		if got := strings.Join(all, "; "); !strings.Contains(got, want) {
			t.Errorf("%s: %q", text, got)
		}
		if _, err := (Strategy{}).Plan(request(text)); err == nil {
			t.Errorf("%s is planned with", text)
		}
	}
}

func TestHoldNeedsWeights(t *testing.T) {
	r := request(`{"weight": 50}`)
	r.Weighted = false
	if _, err := (Strategy{}).Plan(r); err == nil || !strings.Contains(err.Error(), `cannot hold at 50 %: service "shop"`) {
		t.Error(err)
	}
}
