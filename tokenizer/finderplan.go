package tokenizer

import (
	"strings"
)

// finderPlan finds added tokens without looking at every byte: by what the
// tokens with one first byte have in common.
type finderPlan struct {
	f       *tokenFinder
	needles []string
}

// newFinderPlan gives nil for no tokens, and false for tokens with flags.
func newFinderPlan(f *tokenFinder) (*finderPlan, bool) {
	if f == nil {
		return nil, true
	}
	p := &finderPlan{f: f}
	for _, c := range f.firsts {
		common := f.byFirst[c][0].text
		for _, t := range f.byFirst[c] {
			if t.token.LStrip || t.token.RStrip || t.token.SingleWord {
				return nil, false
			}
			for !strings.HasPrefix(t.text, common) {
				common = common[:len(common)-1]
			}
		}
		p.needles = append(p.needles, common)
	}
	return p, true
}

// each calls text for what lies between the added tokens of s[start:end], and
// token for those.
func (p *finderPlan) each(s string, next []int, text func(start, end int), token func(id int32)) []int {
	next = next[:0]
	for range p.needles {
		next = append(next, -1)
	}
	done := 0
	for from := 0; ; {
		// The place of the next occurrence of each needle; len(s) for none.
		at, which := len(s), -1
		for k, needle := range p.needles {
			if next[k] < from {
				if i := strings.Index(s[from:], needle); i < 0 {
					next[k] = len(s)
				} else {
					next[k] = from + i
				}
			}
			if next[k] < at {
				at, which = next[k], k
			}
		}
		if which < 0 {
			break
		}
		t, ok := p.f.at(s, at)
		if !ok {
			from = at + 1
			continue
		}
		if done < at {
			text(done, at)
		}
		token(t.token.ID)
		done = at + len(t.text)
		from = done
	}
	if done < len(s) {
		text(done, len(s))
	}
	return next
}
