package configformats_test

import (
	"context"
	"strings"
	"testing"

	"github.com/zdhost/zdhost/pluginapi"
)

// TestRefusals: each bad source gives exactly one finding, at the right place.
func TestRefusals(t *testing.T) {
	deep := func(open, end string) string { return strings.Repeat(open, 100_000) + strings.Repeat(end, 100_000) }
	for _, c := range []struct{ name, ext, src, want, hint string }{
		{"duplicate", "hcl", "a = 1\nb = 2\na = 3\n", `x.hcl:3:1: key "a" is given twice`, "it was given first on line 1"},
		{"duplicate in map", "hcl", "m = {\n  a = 1\n  a = 3\n}\n", `x.hcl:3:3: key "a" is given twice`, "it was given first at x.hcl:2:3"},
		{"duplicate block and attribute", "hcl", "a = 1\na {}\n", `x.hcl:2:1: key "a" is given twice`, "it was given first at x.hcl:1:1"},
		{"deep list", "hcl", "a = " + deep("[", "]"), "x.hcl:1:69: nested more than 64 levels deep", ""},
		{"deep block", "hcl", deep("a {\n", "}\n"), "x.hcl:65:3: nested more than 64 levels deep", ""},
		{"minus chain", "hcl", "a = " + strings.Repeat("-", 500_000) + "1", `x.hcl:1:5: a value must be literal: "-" belongs before a number only`, ""},
		{"interpolation", "hcl", `a = "é${env.HOME}"`, "x.hcl:1:7: a value must be literal: interpolation is not supported", "for the characters ${ themselves write $${"},
		{"function", "hcl", `a = upper("x")`, `x.hcl:1:10: a value must be literal: "(" has no place here`, ""},
		{"operator", "hcl", `a = 1 + 1`, `x.hcl:1:7: a value must be literal: "+" has no place here`, ""},
		{"bare word", "hcl", `a = secret`, "x.hcl:1:5: a value must be literal, not a bare word", "put quotes around it"},
		{"for", "hcl", `a = [for x in [1] : 2]`, "x.hcl:1:5: a value must be literal: a string, a number, true, false, a list or a map", ""},
		{"unclosed block", "hcl", "a {\n  b = 1\n", "x.hcl:1:3: unclosed configuration block", "*"},
		{"two on a line", "hcl", "a = 1 b = 2\n", "x.hcl:1:7: missing newline after argument", "*"},
		{"large number", "hcl", "a = 1e999", "x.hcl:1:5: the number is too large", "*"},
		{"long number", "hcl", "a = " + strings.Repeat("9", 65), "x.hcl:1:5: a number longer than 64 characters", "*"},
		{"leading zero", "hcl", "a = 0660", "x.hcl:1:5: a number with a leading zero: readers disagree about its base", "*"},

		{"duplicate", "yaml", "a: 1\nb:\n  c: 1\n  c: 2\n", `x.yaml:4:3: key "c" is given twice`, "it was given first at x.yaml:3:3"},
		{"deep list", "yaml", "a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "x.yaml:1:68: nested more than 64 levels deep", ""},
		{"very deep list", "yaml", "a: " + deep("[", "]"), "x.yaml:1: exceeded max depth of 10000", ""},
		{"alias bomb", "yaml", aliasBomb(), "*: more than 131072 values in one file", "aliases count as what they stand for"},
		{"alias of itself", "yaml", "a: &a [ *a ]", "*: nested more than 64 levels deep", ""},
		{"merge key", "yaml", "a: &a {b: 1}\nc:\n  <<: *a\n", `x.yaml:3:3: merge keys ("<<") are not supported`, "*"},
		{"tag", "yaml", "a: !!binary Zm9v\n", `x.yaml:1:4: tags ("!…") are not supported`, "*"},
		{"complex key", "yaml", "[a, b]: 1\n", "x.yaml:1:1: a key must be a word or a quoted string", ""},
		{"second document", "yaml", "a: 1\n---\nb: 1\n", "x.yaml:2:1: a second document in one file", "*"},
		{"nan", "yaml", "a: 1\nb: .nan\n", "x.yaml:2:4: not a finite number", "*"},
		{"infinity", "yaml", "b: -.inf\n", "x.yaml:1:4: not a finite number", "*"},
		{"large number", "yaml", "b: " + strings.Repeat("9", 65) + "\n", "x.yaml:1:4: a number longer than 64 characters", "*"},
		{"leading zero", "yaml", "b: 0660\n", "x.yaml:1:4: a number with a leading zero: readers disagree about its base", "*"},
		{"tab", "yaml", "a:\n\tb: 1\n", "x.yaml:2: found character that cannot start any token", "YAML is indented with spaces, not with tabs"},
		{"bad indent", "yaml", "service:\n  shop:\n    a: 1\n   b: 2\n", "x.yaml:4: did not find expected key", ""},
		{"unclosed list", "yaml", "a: 1\nb: [1, 2\nc: 3\n", "x.yaml:2: did not find expected ',' or ']'", ""},
		{"colon", "yaml", "a: 1\nb: c: d\n", "x.yaml:2: mapping values are not allowed in this context", ""},
		{"unknown anchor", "yaml", "a: *hunter2\n", `x.yaml:1: an alias ("*…") without its anchor ("&…")`, ""},
		{"a list", "yaml", "- a\n- b\n", "x.yaml:1:1: the file is a list, not an object", ""},

		{"duplicate", "toml", "a = 1\na = 2\n", `x.toml:2:1: key "a" is given twice`, "it was given first at x.toml:1:1"},
		{"duplicate table", "toml", "[a]\nb = 1\n[c]\n[a]\n", `x.toml:4:2: key "a" is given twice`, "it was given first at x.toml:1:2"},
		{"dotted into a table", "toml", "[a.b]\n[a]\nb.c = 1\n", `x.toml:3:1: key "b" is given twice`, "it was given first at x.toml:1:4"},
		{"table into a value", "toml", "a = 1\n[a.b]\n", `x.toml:2:2: key "a" is given twice`, "it was given first at x.toml:1:1"},
		{"table into an inline table", "toml", "a = {b = 1}\n[a.c]\n", `x.toml:2:2: key "a" is given twice`, "it was given first at x.toml:1:1"},
		{"duplicate in an inline table", "toml", "a = { b = 1, b = 2 }\n", `x.toml:1:14: key "b" is given twice`, "it was given first at x.toml:1:7"},
		{"array of tables into an array", "toml", "a = []\n[[a]]\n", `x.toml:2:3: key "a" is given twice`, "it was given first at x.toml:1:1"},
		{"deep list", "toml", "a = " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "x.toml:1:69: nested more than 64 levels deep", ""},
		{"very deep list", "toml", "a = " + deep("[", "]"), "x.toml:1:10005: arrays and inline tables are nested more than the maximum of 10000 levels deep", ""},
		{"deep key", "toml", strings.Repeat("a.", 100) + "b = 1\n", "x.toml:1:1: nested more than 64 levels deep", ""},
		{"infinity", "toml", "a = inf\n", "x.toml:1:5: not a finite number", ""},
		{"nan", "toml", "a = [1, nan]\n", "x.toml:1:9: not a finite number", ""},
		{"bare word", "toml", "é = 1\n", "x.toml:1:1: invalid character at start of key: U+00C3 'Ã'", ""},
		{"unclosed string", "toml", "a = 1\nb = \"x\n", "x.toml:2:7: *", ""},

		{"duplicate", "json", "{\"a\": 1,\n \"a\": 2}", `x.json:2:2: key "a" is given twice`, "it was given first at x.json:1:2"},
		{"deep list", "json", `{"a": ` + deep("[", "]") + "}", "x.json:1:71: nested more than 64 levels deep", ""},
		{"large number", "json", `{"é": 1e999}`, "x.json:1:7: the number is too large", ""},
		{"trailing", "json", "{}\n{}", "x.json:2:1: text after the end of the configuration", ""},
		{"unclosed", "json", "{\"a\": [1,\n2", "x.json:2:2: the file ends in the middle of a value", "*"},
		{"comment", "json", "{\n  // c\n  \"a\": 1}", "x.json:2:3: JSON has no comments", "*"},
		{"trailing comma", "json", "{\"a\": 1,\n}", "x.json:2:1: invalid character '}' looking for beginning of object key string", ""},
		{"missing comma", "json", "{\"a\": 1\n\"b\": 2}", "x.json:2:1: invalid character '\"' after object key:value pair", ""},
		{"not an object", "json", "[1]", "x.json:1:1: the file is a list, not an object", ""},
	} {
		t.Run(c.ext+"/"+c.name, func(t *testing.T) {
			_, found := format(t, c.ext).Parse(context.Background(), "x."+c.ext, []byte(c.src))
			if len(found) != 1 {
				t.Fatalf("got %d findings %v, want 1", len(found), found)
			}
			if got := found[0].String(); !matches(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if !matches(found[0].Hint, c.hint) {
				t.Errorf("hint %q, want %q", found[0].Hint, c.hint)
			}
			if strings.Contains(found[0].String()+found[0].Hint, "hunter2") {
				t.Error("the finding quotes a value")
			}
		})
	}
}

// matches compares, "*" at an end of pattern standing for anything.
func matches(got, pattern string) bool {
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(got, rest)
	}
	if rest, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(got, rest)
	}
	return got == pattern
}

func aliasBomb() string {
	b := "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
	names := "0123456789"
	for i := 1; i < len(names); i++ {
		alias := "*a" + names[i-1:i]
		b += "a" + names[i:i+1] + ": &a" + names[i:i+1] + " [" + strings.Repeat(alias+",", 9) + alias + "]\n"
	}
	return b
}

// TestSourceRefusals: what every format refuses before it looks at the syntax.
func TestSourceRefusals(t *testing.T) {
	for _, ext := range []string{"hcl", "yaml", "yml", "toml", "json"} {
		for name, c := range map[string]struct{ src, want string }{
			"size": {strings.Repeat(" ", pluginapi.MaxConfigSize+1), "x: the file is larger than 1024 KiB"},
			"utf8": {"\n é\xff", "x:2:3: the file is not valid UTF-8"},
			"nul":  {"\n\x00", "x:2:1: the file has a NUL byte: it is no text"},
		} {
			_, found := format(t, ext).Parse(context.Background(), "x", []byte(c.src))
			if len(found) != 1 || found[0].String() != c.want {
				t.Errorf("%s %s: got %v, want %s", ext, name, found, c.want)
			}
		}
	}
}

// TestEmpty: a file without content is an empty tree, not an error; whether
// that will do is for the schema to say.
func TestEmpty(t *testing.T) {
	for _, ext := range []string{"hcl", "yaml", "toml", "json"} {
		for _, src := range []string{"", "\n\n", "  \n"} {
			tree, found := format(t, ext).Parse(context.Background(), "x", []byte(src))
			if len(found) > 0 || tree.Root.Kind != pluginapi.ObjectNode || len(tree.Root.Items) > 0 {
				t.Errorf("%s %q: got %v, %v", ext, src, tree, found)
			}
		}
	}
}

// TestCancelled: a parse whose context ended says so instead of going on.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for ext, src := range map[string]string{"hcl": "a = 1", "yaml": "a: 1", "toml": "a = 1", "json": `{"a": 1}`} {
		if _, found := format(t, ext).Parse(ctx, "x", []byte(src)); !pluginapi.HasErrors(found) {
			t.Errorf("%s: a cancelled parse found nothing wrong", ext)
		}
	}
}
