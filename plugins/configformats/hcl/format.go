package hcl

import (
	"context"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/zdhost/zdhost/pluginapi"
)

// Format reads HCL. Its zero value is ready to use.
type Format struct{}

var _ pluginapi.ConfigFormat = Format{}

// Extensions returns "hcl".
func (Format) Extensions() []string { return []string{"hcl"} }

// Parse implements pluginapi.ConfigFormat.
func (Format) Parse(ctx context.Context, file string, src []byte) (pluginapi.Tree, []pluginapi.Diagnostic) {
	lines := pluginapi.NewLines(file, src)
	tree := pluginapi.Tree{Root: pluginapi.Node{Kind: pluginapi.ObjectNode, Pos: lines.Pos(0)}}
	if found := pluginapi.CheckSource(file, src); found != nil {
		return tree, found
	}
	b := &builder{ctx: ctx, lines: lines, src: src}
	tokens, _ := hclsyntax.LexConfig(src, file, hcl.InitialPos)
	if b.checkTokens(tokens); b.found != nil {
		return tree, b.found
	}
	parsed, problems := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
	for _, p := range problems {
		b.addProblem(p)
	}
	if b.found != nil {
		return tree, b.found
	}
	tree.Root.Items = b.body(parsed.Body.(*hclsyntax.Body))
	if b.found != nil {
		return tree, b.found
	}
	return tree, pluginapi.CheckTree(tree)
}

// maxFindings bounds what is reported about one file.
const maxFindings = 16

func (b *builder) add(offset int, summary, hint string) {
	if len(b.found) < maxFindings {
		b.found = append(b.found, pluginapi.Diagnostic{
			Severity: pluginapi.SeverityError, Pos: b.lines.Pos(offset), Summary: summary, Hint: hint,
		})
	}
}

// firstLine finds where the parser's words about a redefined attribute say
// that it was set first.
var firstLine = regexp.MustCompile(`:([0-9]+),[0-9]+-`)

// addProblem takes over a finding of the HCL parser.
func (b *builder) addProblem(p *hcl.Diagnostic) {
	offset := len(b.src)
	if p.Subject != nil {
		offset = p.Subject.Start.Byte
	}
	if p.Summary == "Attribute redefined" && p.Subject != nil {
		name := string(p.Subject.SliceBytes(b.src))
		hint := ""
		if m := firstLine.FindStringSubmatch(p.Detail); m != nil {
			hint = "it was given first on line " + m[1]
		}
		b.add(offset, `key "`+name+`" is given twice`, hint)
		return
	}
	b.add(offset, firstLower(p.Summary), p.Detail)
}

func firstLower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
