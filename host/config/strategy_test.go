package config

import (
	"encoding/json"
	"testing"

	"github.com/zdhost/zdhost/plugins/strategies/bluegreen"
)

// TestBluegreenSettings: the schema's settings of the bundled strategy are
// those that it describes, with its defaults, and it takes them as the
// configuration passes them on.
func TestBluegreenSettings(t *testing.T) {
	var described struct {
		Properties map[string]struct {
			Default any `json:"default"`
		} `json:"properties"`
	}
	strategy := bluegreen.Strategy{}
	if err := json.Unmarshal(strategy.Describe().SettingsSchema, &described); err != nil {
		t.Fatal(err)
	}
	keys := findKey(serviceKeys(), "strategy").Keys
	settings := findKey(keys, "bluegreen").Keys
	if len(settings) != len(described.Properties) {
		t.Errorf("%d settings here, %d there", len(settings), len(described.Properties))
	}
	values := map[string]any{}
	for i := range settings {
		key := &settings[i]
		there, ok := described.Properties[key.Name]
		if !ok {
			t.Errorf("the strategy doesn't know %q", key.Name)
		}
		if key.Default == "" {
			continue
		}
		var here any
		if err := json.Unmarshal([]byte(defaultLiteral(key)), &here); err != nil {
			t.Fatal(err)
		}
		if here != there.Default {
			t.Errorf("%s: the default is %v here, %v there", key.Name, here, there.Default)
		}
		values[key.Name] = defaultValue(key, "/")
	}
	decoded, err := decodeStrategy(map[string]any{"bluegreen": values})
	if err != nil {
		t.Fatal(err)
	}
	if problems := strategy.Validate(decoded.Settings); len(problems) > 0 {
		t.Errorf("the strategy refuses %s: %v", decoded.Settings, problems)
	}
}
