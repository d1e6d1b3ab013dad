package config

import (
	"fmt"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// maxDepth is how deep a YAML file may nest; those that people write have a few levels.
const maxDepth = 1000

// CheckDepth refuses a YAML text that nests so deep that a parser would not come back from it.
func CheckDepth(text []byte) error {
	if line := TooDeep(lexer.Tokenize(string(text)), maxDepth); line > 0 {
		return fmt.Errorf("line %d: it nests deeper than %d levels", line, maxDepth)
	}
	return nil
}

// TooDeep returns the line on which a text nests deeper than most levels of brackets or
// dashes, or 0. The parser calls itself for each level, so what it cannot come back from is never given
// to it.
func TooDeep(tokens token.Tokens, most int) int {
	brackets, dashes := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType:
			dashes++
		}
		if t.Type != token.SequenceEntryType {
			dashes = 0
		}
		if brackets > most || dashes > most {
			return t.Position.Line
		}
	}
	return 0
}
