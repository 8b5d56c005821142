package config

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/zdhost/zdhost/pluginapi"
)

// shaper checks a tree against the schema and makes the canonical values of
// it: maps of Go values in which named blocks are keyed by their names. It
// goes on after a problem, leaving out what has one.
type shaper struct {
	dir     string // relative paths are relative to it
	partial bool   // the tree is an override's: required keys may be missing
	found   *findings
	// positions has the place of each value and block by its dotted path.
	positions positions
	// order has the names of each TypeNamed key, in the file's order.
	order map[string][]string
	// unsupported are the uses of keys that this version can't serve.
	unsupported findings
}

// scope says which block a key stands in.
type scope struct {
	path string // dotted; empty at the top
	name string // for people, such as `drain of service "shop"`; empty at the top
}

func (s scope) key(name string) string {
	if s.path == "" {
		return name
	}
	return s.path + "." + name
}

// in returns "‹what› of ‹the scope›".
func (s scope) in(what, preposition string) string {
	if s.name == "" {
		return what
	}
	return what + " " + preposition + " " + s.name
}

func (s scope) inner(name string) scope { return scope{s.key(name), s.in(name, "of")} }

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// block returns the values of the entries of n, whose place was noted by the
// caller.
func (s *shaper) block(n *pluginapi.Node, keys []Key, in scope) map[string]any {
	values := map[string]any{}
	meant := map[string]bool{}               // keys that unknown ones probably stand for
	blocks := map[string][]*pluginapi.Node{} // of one key, in order
	for i := range n.Items {
		item := &n.Items[i]
		blocks[item.Key] = append(blocks[item.Key], item)
	}
	for i := range n.Items {
		item := &n.Items[i]
		uses := blocks[item.Key]
		if uses == nil {
			continue // done with the first use
		}
		delete(blocks, item.Key)
		key := findKey(keys, item.Key)
		if key == nil {
			meant[s.unknown(item, keys, in)] = true
			continue
		}
		if key.Unsupported {
			s.unsupported.add(item.At(), in.key(key.Name), "remove it", "%s: not supported by this version", in.in(key.Name, "in"))
		}
		if value := s.entry(uses, key, in); value != nil {
			values[key.Name] = value
		}
	}
	if !s.partial {
		s.required(n, keys, meant, in)
	}
	return values
}

func findKey(keys []Key, name string) *Key {
	for i := range keys {
		if keys[i].Name == name {
			return &keys[i]
		}
	}
	return nil
}

// required reports the keys that must be there and are not, unless they are
// there with a wrong name, which was reported.
func (s *shaper) required(n *pluginapi.Node, keys []Key, meant map[string]bool, in scope) {
	for _, key := range keys {
		if !key.Required || hasEntry(n, key.Name) || meant[key.Name] {
			continue
		}
		hint := ""
		if key.Example != "" {
			hint = fmt.Sprintf("for example: %s = %s", key.Name, key.Example)
		}
		s.found.add(n.At(), in.path, hint, "%s has no %q", in.name, key.Name)
	}
}

func hasEntry(n *pluginapi.Node, key string) bool {
	for i := range n.Items {
		if n.Items[i].Key == key {
			return true
		}
	}
	return false
}

// unknown reports a key that the schema doesn't have here, and returns the one
// that was probably meant, or "".
func (s *shaper) unknown(item *pluginapi.Node, keys []Key, in scope) string {
	near, hint := nearestKey(item.Key, keys), ""
	if near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	} else if where := whereIs(item.Key); where != "" {
		hint = fmt.Sprintf("%q belongs in %s", item.Key, where)
	}
	s.found.add(item.At(), in.key(item.Key), hint, "%s", in.in(fmt.Sprintf("unknown key %q", item.Key), "in"))
	return near
}

// nearestKey returns the key that people mean by a name, or that is written
// most like it, or "".
func nearestKey(name string, keys []Key) string {
	var names []string
	for _, key := range keys {
		if slices.Contains(key.Mistaken, name) {
			return key.Name
		}
		names = append(names, key.Name)
	}
	return nearest(name, names)
}

// entry returns the canonical value of one key, or nil if it has none. uses
// has more than one element only for blocks.
func (s *shaper) entry(uses []*pluginapi.Node, key *Key, in scope) any {
	first := uses[0]
	path := in.key(key.Name)
	if first.Kind == pluginapi.NullNode && key.Type != TypeAny {
		s.found.add(first.At(), path, "give it a value or remove it", "%s has no value", in.in(fmt.Sprintf("%q", key.Name), "of"))
		return nil
	}
	switch key.Type {
	case TypeNamed:
		return s.named(uses, key, in)
	case TypeChoice:
		return s.choice(uses, key, in)
	case TypeChoices:
		return s.choices(uses, key, in)
	}
	if len(uses) > 1 {
		s.found.add(uses[1].At(), path, fmt.Sprintf("it was given first at %s", first.At()), "%s is given twice", in.in(fmt.Sprintf("%q", key.Name), "of"))
		return nil
	}
	s.note(path, first)
	switch key.Type {
	case TypeAny:
		return plain(first)
	case TypeBlock:
		if !s.isBlock(first, key, in) {
			return nil
		}
		if len(first.Labels) > 0 {
			s.found.add(first.Labels[0].Pos, path, "", "%s takes no label", in.inner(key.Name).name)
			return nil
		}
		return s.block(first, key.Keys, in.inner(key.Name))
	}
	if first.Block {
		s.found.add(first.At(), path, example(key), "%s is no block: write %s = …", in.in(fmt.Sprintf("%q", key.Name), "of"), key.Name)
		return nil
	}
	return s.scalar(first, key, in)
}

// note keeps the place of a value for later errors: where a block's key or
// name stands, where a plain value begins.
func (s *shaper) note(path string, n *pluginapi.Node) {
	if n.Kind == pluginapi.ObjectNode {
		s.positions[path] = n.At()
	} else {
		s.positions[path] = n.Pos
	}
}

func (s *shaper) isBlock(n *pluginapi.Node, key *Key, in scope) bool {
	if n.Kind == pluginapi.ObjectNode {
		return true
	}
	s.found.add(n.Pos, in.key(key.Name), "", "%s must be a block, not %s", in.in(fmt.Sprintf("%q", key.Name), "of"), kindName(n.Kind))
	return false
}

func kindName(k pluginapi.NodeKind) string {
	switch k {
	case pluginapi.ObjectNode:
		return "a block or map"
	case pluginapi.BoolNode:
		return "true or false"
	default:
		return "a " + string(k)
	}
}

// whereIs returns the block, or blocks, of the schema that have a key of that
// name, for a hint.
func whereIs(name string) string {
	where := ""
	var walk func(keys []Key, block string)
	walk = func(keys []Key, block string) {
		for _, k := range keys {
			if k.Name == name && block != "" {
				if where != "" {
					where += " or "
				}
				where += block + " { … }"
			}
			if k.Type == TypeNamed || k.Type == TypeBlock {
				walk(k.Keys, k.Name)
			}
			if k.Type == TypeChoice {
				for _, c := range k.Keys {
					walk(c.Keys, fmt.Sprintf("%s %q", k.Name, c.Name))
				}
			}
		}
	}
	walk(Schema(), "")
	return where
}
