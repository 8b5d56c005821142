package config

import (
	"errors"
	"fmt"

	"github.com/knadh/koanf/v2"

	"github.com/zdhost/zdhost/pluginapi"
)

// delimiter is what koanf puts between the parts of a path: the unit
// separator, which no key and no name has.
const delimiter = "\x1f"

// layer is a map of canonical values as a koanf.Provider.
type layer map[string]any

// Read returns the values.
func (l layer) Read() (map[string]any, error) { return l, nil }

// ReadBytes fails: there is nothing to parse.
func (l layer) ReadBytes() ([]byte, error) {
	return nil, errors.New("cannot read bytes of a layer: it holds values")
}

// merge lays layers over one another, the last one on top. Maps are merged key
// by key, everything else is replaced.
func merge(layers ...layer) (map[string]any, error) {
	k := koanf.New(delimiter)
	for _, l := range layers {
		if err := k.Load(l, nil); err != nil {
			return nil, fmt.Errorf("cannot merge configuration: %w", err)
		}
	}
	return k.Raw(), nil
}

// defaults returns the layer of the schema's defaults for what was given: each
// named block gets those of its keys. The settings of a strategy get none,
// since they are the strategy's own.
func defaults(keys []Key, given map[string]any, dir string) layer {
	values := layer{}
	for i := range keys {
		key := &keys[i]
		inner, isMap := given[key.Name].(map[string]any)
		switch key.Type {
		case TypeNamed:
			blocks := map[string]any{}
			for name, block := range inner {
				entries, _ := block.(map[string]any)
				blocks[name] = map[string]any(defaults(key.Keys, entries, dir))
			}
			values[key.Name] = blocks
		case TypeBlock:
			if isMap || !key.OptIn {
				values[key.Name] = map[string]any(defaults(key.Keys, inner, dir))
			}
		case TypeChoice:
			if !isMap {
				values[key.Name] = map[string]any{key.Default: map[string]any{}}
			}
		default:
			if value := defaultValue(key, dir); value != nil {
				values[key.Name] = value
			}
		}
	}
	return values
}

// defaultValue returns the canonical value of a key's default, or nil.
func defaultValue(key *Key, dir string) any {
	if key.Default == "" {
		return nil
	}
	node := leaf(key.Type, key.Default)
	c := conversion{node: &node, key: key, dir: dir}
	return c.convert()
}

// leaf returns the node of a scalar that is given as text, as the schema and
// the command line do.
func leaf(t Type, text string) pluginapi.Node {
	n := pluginapi.Node{Kind: pluginapi.StringNode, Text: text}
	switch t {
	case TypeInt, TypeNumber:
		if number, err := pluginapi.ParseNumber(text); err == nil {
			n.Kind, n.Text = pluginapi.NumberNode, number
		}
	case TypeBool:
		if text == "true" || text == "false" {
			n.Kind = pluginapi.BoolNode
		}
	}
	return n
}
