package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// WriteReference writes the reference page of the configuration, in Markdown,
// from the schema.
func WriteReference(w io.Writer) error {
	var p page
	p.write(referenceHead)
	p.block("Top level", "", Schema(), 2)
	if _, err := w.Write(p.Bytes()); err != nil {
		return fmt.Errorf("cannot write configuration reference: %w", err)
	}
	return nil
}

const referenceHead = `# Configuration

<!-- Generated from the schema in host/config. Change it there. -->

zdhost reads ` + "`zdhost.hcl`, `zdhost.yaml`, `zdhost.toml` or `zdhost.json`" + `: the same tree in four notations.

    service "shop" {              service:              [service.shop]             {"service": {"shop": {
      instances = 2                 shop:               instances = 2                "instances": 2,
      drain {                         instances: 2      drain.signal = "SIGQUIT"     "drain": {
        signal = "SIGQUIT"            drain:                                           "signal": "SIGQUIT"}}}}
      }                                 signal: SIGQUIT
    }

A labelled block is a key in a key elsewhere: ` + "`strategy \"bluegreen\" { bake = \"5s\" }` is `strategy: {bluegreen: {bake: 5s}}`" + `.

* Unknown keys, keys given twice and values without meaning are errors that name the file and the line.
* Relative paths are relative to the file that names them.
* Durations: ` + "`500ms`, `30s`, `1h30m`, `30d`. Sizes: `512MiB`, `2GB`" + `, or a number of bytes.
* Values are literal: no variables, functions or interpolation; in YAML no tags and no merge keys.
* A file has at most 1 MiB, and 64 levels of nesting.
`

// page is Markdown in the making.
type page struct{ bytes.Buffer }

func (p *page) write(text string) { p.WriteString(text) }

// block writes the table of a block's keys, then the blocks in it.
func (p *page) block(title, doc string, keys []Key, level int) {
	fmt.Fprintf(p, "\n%s %s\n", strings.Repeat("#", min(level, 4)), title)
	if doc != "" {
		fmt.Fprintf(p, "\n%s\n", doc)
	}
	if len(keys) > 0 {
		p.write("\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
	}
	for i := range keys {
		p.row(&keys[i])
	}
	for i := range keys {
		p.inner(&keys[i], level+1)
	}
}

func (p *page) row(k *Key) {
	fmt.Fprintf(p, "| `%s` | %s | %s | %s |\n", k.Name, typeCell(k), defaultCell(k), docCell(k))
}

func typeCell(k *Key) string {
	switch {
	case k.Type == TypeString && len(k.Values) > 0:
		return "`" + strings.Join(k.Values, "`, `") + "`"
	case len(k.Values) > 0:
		return string(k.Type) + " or `" + strings.Join(k.Values, "`, `") + "`"
	case k.Max > 0:
		return fmt.Sprintf("%s, %s to %s", k.Type, plainFloat(k.Min), plainFloat(k.Max))
	}
	return string(k.Type)
}

func defaultCell(k *Key) string {
	switch {
	case k.Required:
		return "required"
	case k.Default == "" || k.Type == TypeChoice:
		return ""
	}
	return "`" + defaultLiteral(k) + "`"
}

func docCell(k *Key) string {
	doc := k.Doc
	if k.Unsupported {
		doc += " *Not supported by this version: its use is refused.*"
	}
	if k.Example != "" {
		doc += " Example: `" + k.Example + "`"
	}
	return doc
}

// inner writes the section of a key that is a block.
func (p *page) inner(k *Key, level int) {
	if k.Unsupported {
		return
	}
	switch k.Type {
	case TypeBlock:
		p.block("`"+k.Name+"`", k.Doc, k.Keys, level)
	case TypeNamed:
		p.block("`"+k.Name+" \"NAME\"`", k.Doc, k.Keys, level)
	case TypeChoice, TypeChoices:
		for i := range k.Keys {
			choice := k.Keys[i]
			if !choice.Unsupported {
				p.block(fmt.Sprintf("`%s %q`", k.Name, choice.Name), choice.Doc, choice.Keys, level)
			}
		}
	}
}
