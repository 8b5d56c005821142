package config

import (
	"fmt"
	"strings"

	"github.com/zdhost/zdhost/pluginapi"
)

// labelled is one block under a label, however it was written.
type labelled struct {
	label string
	pos   pluginapi.Pos // of the label
	node  *pluginapi.Node
}

// labels returns the labelled blocks of one key, in order: blocks with a
// label, or the entries of objects without.
func (s *shaper) labels(uses []*pluginapi.Node, key *Key, in scope) []labelled {
	var all []labelled
	for _, n := range uses {
		if !s.isBlock(n, key, in) {
			continue
		}
		switch {
		case len(n.Labels) > 1:
			s.found.add(n.Labels[1].Pos, in.key(key.Name), "", "%s takes one label", in.inner(key.Name).name)
		case len(n.Labels) == 1:
			all = append(all, labelled{n.Labels[0].Text, n.Labels[0].Pos, n})
		case n.Block:
			s.found.add(n.At(), in.key(key.Name), fmt.Sprintf("write %s \"NAME\" { … }", key.Name), "%s has no name", in.inner(key.Name).name)
		default:
			for i := range n.Items {
				item := &n.Items[i]
				all = append(all, labelled{item.Key, item.At(), item})
			}
		}
	}
	return all
}

// named returns the map of a TypeNamed key.
func (s *shaper) named(uses []*pluginapi.Node, key *Key, in scope) any {
	values := map[string]any{}
	for _, l := range s.labels(uses, key, in) {
		path := in.key(key.Name) + "." + l.label
		title := fmt.Sprintf("%s %q", key.Name, l.label)
		if first, twice := s.positions[path]; twice {
			s.found.add(l.pos, path, fmt.Sprintf("it was given first at %s", first), "%s is given twice", title)
			continue
		}
		s.positions[path] = l.pos
		if hint, ok := checkName(key.Name, l.label); !ok {
			s.found.add(l.pos, path, hint, "%q is no name for a %s", l.label, key.Name)
			continue
		}
		s.order[in.key(key.Name)] = append(s.order[in.key(key.Name)], l.label)
		if l.node.Kind != pluginapi.ObjectNode {
			s.found.add(l.node.Pos, path, "", "%s must be a block, not %s", title, kindName(l.node.Kind))
			continue
		}
		values[l.label] = s.block(l.node, key.Keys, scope{path, title})
	}
	return values
}

func checkName(kind, name string) (hint string, ok bool) {
	if kind == "service" && name == "host" {
		return "host means zdhost itself, as in: zdhost reload host", false
	}
	if namePattern.MatchString(name) {
		return "", true
	}
	hint = "a name begins with a letter or digit and has at most 63 of a-z, 0-9, _, . and -"
	if near := cleanName(name); near != "" && near != "host" {
		hint += fmt.Sprintf("; for example %q", near)
	}
	return hint, false
}

// cleanName makes a valid name of any text, or "" if nothing is left of it.
func cleanName(text string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, text)
	name = strings.TrimLeft(name, "_.-")
	name = strings.TrimRight(name[:min(len(name), 63)], "_.-")
	return name
}

// choice returns the value of a TypeChoice key: a map of one entry.
func (s *shaper) choice(uses []*pluginapi.Node, key *Key, in scope) any {
	path := in.key(key.Name)
	if first := uses[0]; first.Kind == pluginapi.StringNode {
		hint := fmt.Sprintf("write %s %q { }", key.Name, first.Text)
		s.found.add(first.Pos, path, hint, "%s must be a block with a label, not a string", in.in(fmt.Sprintf("%q", key.Name), "of"))
		return nil
	}
	all := s.labels(uses, key, in)
	if len(all) == 0 {
		return nil
	}
	if len(all) > 1 {
		s.found.add(all[1].pos, path, fmt.Sprintf("it was given first at %s", all[0].pos), "%s is given twice", in.in(fmt.Sprintf("%q", key.Name), "of"))
		return nil
	}
	s.positions[path] = all[0].pos
	return s.chosen(all[0], key, in, scope{path + "." + all[0].label, in.in(fmt.Sprintf("%s %q", key.Name, all[0].label), "of")})
}

// choices returns the value of a TypeChoices key: a list of maps of one entry.
func (s *shaper) choices(uses []*pluginapi.Node, key *Key, in scope) any {
	var blocks []*pluginapi.Node
	for _, n := range uses {
		if n.Kind != pluginapi.ListNode {
			blocks = append(blocks, n)
			continue
		}
		for i := range n.Items {
			blocks = append(blocks, &n.Items[i])
		}
	}
	values := []any{}
	for i, l := range s.labels(blocks, key, in) {
		path := fmt.Sprintf("%s.%d", in.key(key.Name), i)
		s.positions[path] = l.pos
		name := in.in(fmt.Sprintf("%s %q", key.Name, l.label), "of")
		if value := s.chosen(l, key, in, scope{path, name}); value != nil {
			values = append(values, value)
		}
	}
	return values
}

// chosen returns the map of one entry that a labelled block stands for.
func (s *shaper) chosen(l labelled, key *Key, in, inner scope) any {
	choice := findKey(key.Keys, l.label)
	if choice == nil {
		hint := didYouMean(l.label, supported(key.Keys))
		if hint == "" {
			hint = knownChoices(key)
		}
		s.found.add(l.pos, in.key(key.Name), hint, "%s", in.in(fmt.Sprintf("unknown %s %q", key.Name, l.label), "in"))
		return nil
	}
	if choice.Unsupported {
		s.unsupported.add(l.pos, inner.path, knownChoices(key), "%s: not supported by this version", inner.name)
	}
	s.positions[inner.path] = l.pos
	if choice.Type == TypeAny {
		return map[string]any{l.label: plain(l.node)}
	}
	if l.node.Kind != pluginapi.ObjectNode {
		s.found.add(l.node.Pos, inner.path, "", "%s must be a block, not %s", inner.name, kindName(l.node.Kind))
		return nil
	}
	return map[string]any{l.label: s.block(l.node, choice.Keys, inner)}
}

func supported(keys []Key) []string {
	var names []string
	for _, k := range keys {
		if !k.Unsupported {
			names = append(names, k.Name)
		}
	}
	return names
}

func knownChoices(key *Key) string {
	return "supported: " + strings.Join(supported(key.Keys), ", ")
}
