package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"olmo/internal/pyjson"
)

// postProcessor finishes an encoding: trims offsets, adds special tokens.
type postProcessor interface {
	process(t *Tokenizer, e *Encoding, addSpecial bool)
	added() int // special tokens that process adds
}

// trimOffsets leaves white space out of the offsets of tokens.
type trimOffsets struct{ addPrefixSpace bool }

func (trimOffsets) added() int { return 0 }

func (p trimOffsets) process(t *Tokenizer, e *Encoding, _ bool) {
	isBlank := func(r rune) bool { return r == byteChar[' '] || isSpace(r) }
	for i := range e.IDs {
		s := e.values[i]
		leading, trailing := 0, 0
		for _, r := range s {
			if !isBlank(r) {
				break
			}
			leading++
		}
		for s != "" {
			r, n := utf8.DecodeLastRuneInString(s)
			if !isBlank(r) {
				break
			}
			s = s[:len(s)-n]
			trailing++
		}
		o := &e.Offsets[i]
		if leading > 0 {
			// A single space at the very start is the one that was put there.
			if (i == 0 || o[0] == 0) && p.addPrefixSpace && leading == 1 {
				leading = 0
			}
			o[0] = min(o[0]+leading, o[1])
		}
		if trailing > 0 && o[1] >= trailing {
			o[1] = max(o[1]-trailing, o[0])
		}
	}
}

// template puts special tokens around the text.
type template struct{ before, after []int32 }

func (p template) added() int { return len(p.before) + len(p.after) }

func (p template) process(t *Tokenizer, e *Encoding, addSpecial bool) {
	if !addSpecial || p.added() == 0 {
		return
	}
	var out Encoding
	special := func(ids []int32) {
		for _, id := range ids {
			out.append(id, [2]int{}, t.Token(id))
		}
	}
	special(p.before)
	for i, id := range e.IDs {
		out.append(id, e.Offsets[i], e.values[i])
	}
	special(p.after)
	*e = out
}

type postSequence []postProcessor

func (p postSequence) added() int {
	n := 0
	for _, q := range p {
		n += q.added()
	}
	return n
}

func (p postSequence) process(t *Tokenizer, e *Encoding, addSpecial bool) {
	for _, q := range p {
		q.process(t, e, addSpecial)
	}
}

// nameAndID is ["[SEP]", 102].
type nameAndID struct {
	name string
	id   int32
}

func (n *nameAndID) UnmarshalJSON(data []byte) error {
	return pyjson.Value(data, &[]any{&n.name, &n.id})
}

// parsePostProcessor reads the post_processor of a tokenizer.json; null gives
// nil. Only templates for single texts are used.
func parsePostProcessor(raw json.RawMessage) (postProcessor, error) {
	type templatePiece struct {
		Sequence *struct{ ID string }
		Special  *struct{ ID string } `json:"SpecialToken"`
	}
	var c struct {
		Type           string
		Processors     []json.RawMessage
		AddPrefixSpace *bool `json:"add_prefix_space"`
		TrimOffsets    *bool `json:"trim_offsets"`
		Single         []templatePiece
		SpecialTokens  map[string]struct{ IDs []int32 } `json:"special_tokens"`
		Sep, Cls       *nameAndID
	}
	if isNull(raw) {
		return nil, nil
	}
	if err := pyjson.Value(raw, &c); err != nil {
		return nil, err
	}
	var seq postSequence
	trims := c.Type == "ByteLevel" && (c.TrimOffsets == nil || *c.TrimOffsets)
	if c.Type == "RobertaProcessing" {
		// The reference reads one that lacks a field as BertProcessing.
		trims = c.AddPrefixSpace != nil && c.TrimOffsets != nil && *c.TrimOffsets
	}
	if trims {
		seq = append(seq, trimOffsets{c.AddPrefixSpace == nil || *c.AddPrefixSpace})
	}
	switch c.Type {
	case "Sequence":
		for i, r := range c.Processors {
			p, err := parsePostProcessor(r)
			if err != nil {
				return nil, fmt.Errorf("processors[%d]: %w", i, err)
			}
			if p != nil {
				seq = append(seq, p)
			}
		}
	case "ByteLevel":
	case "BertProcessing", "RobertaProcessing":
		if c.Sep == nil || c.Cls == nil {
			return nil, fmt.Errorf("%s: sep or cls is missing", c.Type)
		}
		seq = append(seq, template{[]int32{c.Cls.id}, []int32{c.Sep.id}})
	case "TemplateProcessing":
		var t template
		side, seen := &t.before, false
		for i, p := range c.Single {
			switch {
			case p.Special != nil:
				s, ok := c.SpecialTokens[p.Special.ID]
				if !ok {
					return nil, fmt.Errorf("TemplateProcessing: single[%d] names %q, which special_tokens lacks", i, p.Special.ID)
				}
				*side = append(*side, s.IDs...)
			case p.Sequence != nil && p.Sequence.ID == "A" && !seen:
				side, seen = &t.after, true
			default:
				return nil, fmt.Errorf("TemplateProcessing: single[%d] is neither a special token nor the one sequence A", i)
			}
		}
		if !seen {
			return nil, fmt.Errorf("TemplateProcessing: single does not use sequence A")
		}
		seq = append(seq, t)
	default:
		return nil, fmt.Errorf("unknown type %q", c.Type)
	}
	return seq, nil
}
