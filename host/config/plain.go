package config

import (
	"encoding/json"

	"github.com/zdhost/zdhost/pluginapi"
)

// plain returns the value of a node that no schema describes, as package json
// would decode it with UseNumber. A block under labels is a map in a map; a
// block that repeats is a list.
func plain(n *pluginapi.Node) any {
	switch n.Kind {
	case pluginapi.ObjectNode:
		values := map[string]any{}
		for i := range n.Items {
			item := &n.Items[i]
			value := plain(item)
			for j := len(item.Labels) - 1; j >= 0; j-- {
				value = map[string]any{item.Labels[j].Text: value}
			}
			earlier, repeats := values[item.Key]
			if !repeats {
				values[item.Key] = value
				continue
			}
			list, ok := earlier.([]any)
			if !ok {
				list = []any{earlier}
			}
			values[item.Key] = append(list, value)
		}
		return values
	case pluginapi.ListNode:
		values := make([]any, 0, len(n.Items))
		for i := range n.Items {
			values = append(values, plain(&n.Items[i]))
		}
		return values
	case pluginapi.NumberNode:
		return json.Number(n.Text)
	case pluginapi.BoolNode:
		return n.Text == "true"
	case pluginapi.NullNode:
		return nil
	default:
		return n.Text
	}
}
