package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zdhost/zdhost/pluginapi"
)

// scalar returns the canonical value of a key that is no block: a string,
// int64, float64, bool, time.Duration, []string or map[string]any of strings.
func (s *shaper) scalar(n *pluginapi.Node, key *Key, in scope) any {
	switch key.Type {
	case TypeStrings:
		return s.strings(n, key, in)
	case TypeEnv:
		return s.env(n, key, in)
	}
	c := conversion{node: n, key: key, dir: s.dir}
	value := c.convert()
	if c.reason != "" {
		s.found.add(n.Pos, in.key(key.Name), c.hint, "%s%s", in.in(fmt.Sprintf("%q", key.Name), "of"), c.reason)
		return nil
	}
	return value
}

func (s *shaper) strings(n *pluginapi.Node, key *Key, in scope) any {
	title := in.in(fmt.Sprintf("%q", key.Name), "of")
	if n.Kind != pluginapi.ListNode {
		s.found.add(n.Pos, in.key(key.Name), example(key), "%s must be a list of strings, not %s", title, kindName(n.Kind))
		return nil
	}
	values := make([]string, 0, len(n.Items))
	for i := range n.Items {
		item := &n.Items[i]
		path := in.key(key.Name) + "." + strconv.Itoa(i)
		switch {
		case item.Kind != pluginapi.StringNode:
			s.found.add(item.Pos, path, "put quotes around it", "%s must be a list of strings; element %d is %s", title, i+1, kindName(item.Kind))
		case strings.ContainsRune(item.Text, 0):
			s.found.add(item.Pos, path, "", "element %d of %s has a NUL character", i+1, title)
		default:
			s.positions[path] = item.Pos
			values = append(values, item.Text)
		}
	}
	return values
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ownEnv are the variables that zdhost itself sets for a program.
var ownEnv = []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}

// isOwnEnv tells whether zdhost sets a variable itself.
func isOwnEnv(name string) bool {
	return slices.Contains(ownEnv, name) || strings.HasPrefix(name, "ZDHOST_")
}

// env never puts a value into a problem.
func (s *shaper) env(n *pluginapi.Node, key *Key, in scope) any {
	title := in.in(fmt.Sprintf("%q", key.Name), "of")
	if n.Kind != pluginapi.ObjectNode {
		s.found.add(n.Pos, in.key(key.Name), example(key), "%s must be a map of strings, not %s", title, kindName(n.Kind))
		return nil
	}
	values := map[string]any{}
	for i := range n.Items {
		item := &n.Items[i]
		path := in.key(key.Name) + "." + item.Key
		s.positions[path] = item.Pos
		switch {
		case !envName.MatchString(item.Key):
			s.found.add(item.At(), path, "a name has letters, digits and _, and begins with no digit", "%q in %s is no name of a variable", item.Key, title)
		case isOwnEnv(item.Key):
			s.found.add(item.At(), path, "remove it", "%q in %s is set by zdhost itself", item.Key, title)
		case item.Kind != pluginapi.StringNode:
			s.found.add(item.Pos, path, "put quotes around it", "%q in %s must be a string, not %s", item.Key, title, kindName(item.Kind))
		case strings.ContainsRune(item.Text, 0):
			s.found.add(item.Pos, path, "", "%q in %s has a NUL character", item.Key, title)
		default:
			values[item.Key] = item.Text
		}
	}
	return values
}

// conversion makes a Go value of one scalar node. A reason says why it can't,
// in words that follow the key's name without a blank.
type conversion struct {
	node         *pluginapi.Node
	key          *Key
	dir          string
	reason, hint string
}

// fail refuses the value; the words are about the key: `is 0`.
func (c *conversion) fail(hint, format string, args ...any) any {
	c.reason, c.hint = " "+fmt.Sprintf(format, args...), hint
	return nil
}

// failText refuses what was written; the words are about it.
func (c *conversion) failText(hint string, why error) any {
	c.reason, c.hint = fmt.Sprintf(": %q %s", c.node.Text, why), hint
	return nil
}

func (c *conversion) convert() any {
	switch c.key.Type {
	case TypeInt, TypeNumber:
		return c.number()
	case TypeBool:
		if c.node.Kind != pluginapi.BoolNode {
			return c.wrongKind("true or false")
		}
		return c.node.Text == "true"
	case TypeSize:
		return c.size()
	}
	if c.node.Kind != pluginapi.StringNode {
		want := "a string"
		if c.key.Type != TypeString {
			want = fmt.Sprintf("a string with a %s", c.key.Type)
		}
		return c.wrongKind(want)
	}
	if strings.ContainsRune(c.node.Text, 0) {
		return c.fail("", "has a NUL character")
	}
	return c.text(c.node.Text)
}

func (c *conversion) wrongKind(want string) any {
	return c.fail(example(c.key), "must be %s, not %s", want, kindName(c.node.Kind))
}

// text converts what is written as a string.
func (c *conversion) text(text string) any {
	switch c.key.Type {
	case TypePath:
		if text == "" {
			return c.fail(example(c.key), "is empty")
		}
		if filepath.IsAbs(text) {
			return filepath.Clean(text)
		}
		return filepath.Join(c.dir, text)
	case TypeAddress:
		l, err := parseAddress(text, c.dir)
		var detail *addressError
		if errors.As(err, &detail) {
			return c.failText(detail.hint, detail)
		}
		return l.Address
	case TypeDuration:
		if slices.Contains(c.key.Values, text) {
			return text
		}
		d, err := parseDuration(text)
		if err != nil {
			return c.failText(durationHint(c.key), err)
		}
		if d == 0 && c.key.NonZero {
			return c.fail(durationHint(c.key), "is 0")
		}
		return d
	case TypeRate:
		if _, err := parseRate(text); err != nil {
			return c.failText(example(c.key), err)
		}
	case TypeSignal:
		if _, hint, err := parseSignal(text); err != nil {
			return c.failText(hint, err)
		}
	case TypeMode:
		if _, err := parseMode(text); err != nil {
			return c.failText(example(c.key), err)
		}
	case TypeHTTPPath:
		if !strings.HasPrefix(text, "/") || strings.ContainsAny(text, " \r\n\t") {
			return c.failText(example(c.key), errors.New("is not a path of a URL"))
		}
	default:
		return c.word(text)
	}
	return text
}

// word converts a TypeString.
func (c *conversion) word(text string) any {
	if text == "" {
		return c.fail("give it a value or remove it", "is empty")
	}
	if len(c.key.Values) > 0 && !slices.Contains(c.key.Values, text) {
		hint := didYouMean(text, c.key.Values)
		if hint == "" {
			hint = "one of: " + strings.Join(c.key.Values, ", ")
		}
		return c.fail(hint, "can't be %q", text)
	}
	return text
}

func (c *conversion) number() any {
	want := "a number"
	if c.key.Type == TypeInt {
		want = "a whole number"
	}
	if c.node.Kind != pluginapi.NumberNode {
		if text, err := pluginapi.ParseNumber(c.node.Text); err == nil && c.node.Kind == pluginapi.StringNode {
			return c.fail("write "+text+" without quotes", "must be %s, not a string", want)
		}
		return c.wrongKind(want)
	}
	value, err := json.Number(c.node.Text).Float64()
	if err != nil {
		return c.wrongKind(want)
	}
	whole, err := strconv.ParseInt(c.node.Text, 10, 64)
	if err != nil && c.key.Type == TypeInt {
		return c.fail(example(c.key), "is %s; it must be a whole number", c.node.Text)
	}
	if c.key.Max > 0 && (value < c.key.Min || value > c.key.Max) {
		return c.fail(example(c.key), "is %s; it must be from %s to %s", c.node.Text, plainFloat(c.key.Min), plainFloat(c.key.Max))
	}
	if c.key.Type == TypeInt {
		return whole
	}
	return value
}

func plainFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (c *conversion) size() any {
	if c.node.Kind != pluginapi.StringNode && c.node.Kind != pluginapi.NumberNode {
		return c.wrongKind("a size")
	}
	size, hint, err := parseSize(c.node.Text)
	if err != nil {
		return c.failText(hint, err)
	}
	if size == 0 {
		return c.fail(example(c.key), "is 0")
	}
	return size
}

func durationHint(key *Key) string {
	hint := `for example "30s", "500ms", "1h30m"`
	for _, word := range key.Values {
		hint += fmt.Sprintf(" or %q", word)
	}
	return hint
}

// example returns a hint that shows a right value of a key.
func example(key *Key) string {
	text := key.Example
	if text == "" {
		text = defaultLiteral(key)
	}
	switch {
	case text != "":
		return "for example: " + key.Name + " = " + text
	case key.Type == TypeDuration:
		return durationHint(key)
	}
	return ""
}

// defaultLiteral returns a key's default as HCL writes it.
func defaultLiteral(key *Key) string {
	switch key.Type {
	case TypeInt, TypeNumber, TypeBool:
		return key.Default
	}
	if key.Default == "" {
		return ""
	}
	return strconv.Quote(key.Default)
}
