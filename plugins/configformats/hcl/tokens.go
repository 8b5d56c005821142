package hcl

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/zdhost/zdhost/pluginapi"
)

// checkTokens refuses what is no literal and what nests too deeply.
func (b *builder) checkTokens(tokens hclsyntax.Tokens) {
	depth := 0
	for i, t := range tokens {
		at := t.Range.Start.Byte
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack:
			if depth++; depth > pluginapi.MaxConfigDepth {
				b.add(at, fmt.Sprintf("nested more than %d levels deep", pluginapi.MaxConfigDepth), "")
				return
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack:
			depth--
		case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			sign := string(t.Bytes[:1])
			b.add(at, "a value must be literal: interpolation is not supported",
				fmt.Sprintf("for the characters %s{ themselves write %s%s{", sign, sign, sign))
			return
		case hclsyntax.TokenMinus:
			if tokens[i+1].Type != hclsyntax.TokenNumberLit { // the last token is TokenEOF
				b.add(at, "a value must be literal: \"-\" belongs before a number only", "")
				return
			}
		default:
			if summary := refusal(t); summary != "" {
				b.add(at, summary, "")
				return
			}
		}
	}
}

// refusal says why a token has no place in a configuration; "" if it has.
func refusal(t hclsyntax.Token) string {
	switch t.Type {
	case hclsyntax.TokenComment, hclsyntax.TokenNewline, hclsyntax.TokenEOF, hclsyntax.TokenIdent,
		hclsyntax.TokenOQuote, hclsyntax.TokenCQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit,
		hclsyntax.TokenOHeredoc, hclsyntax.TokenCHeredoc, hclsyntax.TokenNumberLit,
		hclsyntax.TokenComma, hclsyntax.TokenEqual, hclsyntax.TokenColon,
		// HCL's parser explains these better.
		hclsyntax.TokenInvalid, hclsyntax.TokenBadUTF8, hclsyntax.TokenQuotedNewline,
		hclsyntax.TokenApostrophe, hclsyntax.TokenBacktick, hclsyntax.TokenSemicolon:
		return ""
	}
	return fmt.Sprintf("a value must be literal: %q has no place here", t.Bytes)
}
