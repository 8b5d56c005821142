package configformats

import (
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/configformats/hcl"
	"github.com/zdhost/zdhost/plugins/configformats/json"
	"github.com/zdhost/zdhost/plugins/configformats/toml"
	"github.com/zdhost/zdhost/plugins/configformats/yaml"
)

// Bundled returns the formats of this build, the one that zdhost's own
// documentation uses first.
func Bundled() []pluginapi.ConfigFormat {
	return []pluginapi.ConfigFormat{hcl.Format{}, yaml.Format{}, toml.Format{}, json.Format{}}
}
