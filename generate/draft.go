package generate

import (
	"slices"
	"time"
)

// longestDraft is how many tokens a draft has at most.
const longestDraft = 12

// drafts counts how often tokens that the draft model wrote came true.
type drafts struct {
	rate
	from, n int // the last ones would be so many ids of the text from here on
}

// likely is how likely it is that the next one does.
func (d *drafts) likely() float64 { return (d.true + 0.7*prior) / (d.all + prior) }

// look counts what has become of the last draft, for a text that has grown since.
func (d *drafts) look(ids, guesses []int32) {
	if d.n == 0 { // what was long ago counts less, so that it is tried again
		d.true, d.all = 0.99*d.true, 0.99*d.all
	}
	for i, id := range guesses[:d.n] {
		if d.from+i >= len(ids) {
			break
		}
		d.true, d.all = 0.95*d.true, 0.95*d.all+1
		if ids[d.from+i] != id {
			break
		}
		d.true++
	}
	d.n = 0
}

// draft lets the draft model go on with an answer by at most so many tokens: with the answer's settings, random
// numbers and form, so that what is drawn is the same where both models are of one mind.
//
// Leviathan et al. 2023, whose acceptance keeps the distribution; here a token is kept where it is the same one.
func (e *Engine) draft(s *sequence, most int) []int32 {
	q := Request{Prompt: s.ids, MaxTokens: most, Sampling: s.Sampling, Stop: s.Stop, begun: s.begun + len(s.ids) - len(s.Prompt)}
	if s.Constraint != nil {
		q.Constraint = s.Constraint.Clone()
	}
	var first time.Time
	q.Token = func(Event) bool {
		if first.IsZero() {
			first = time.Now()
		}
		return true
	}
	r, _ := e.o.Draft.Generate(s.ctx, q) // what it could not go on with is not guessed
	if n := len(r.IDs) - 1; n > 0 {
		e.pace.drafted(time.Since(first).Seconds() / float64(n))
	}
	if i := slices.IndexFunc(r.IDs, func(id int32) bool { return int(id) >= e.cfg.V }); i >= 0 {
		r.IDs = r.IDs[:i]
	}
	return r.IDs
}

// guess finds ids that are likely to follow an answer's: as many as pay, as there is room for, and as it can
// have. A lookup costs nothing, and goes first.
func (e *Engine) guess(p *plan, s *sequence) {
	s.drafts.look(s.ids, s.drafted)
	s.lookup.look(s.ids)
	most := min(p.spare, len(s.Prompt)+s.MaxTokens-1-s.known, s.limit-1-s.known)
	ids := s.lookup.ids
	if i := slices.IndexFunc(ids, s.stops); i >= 0 {
		ids = ids[:i]
	}
	n := e.pace.worthwhile(min(most, len(ids)), func(k int) float64 { return s.lookup.likely(s.lookup.match + k) }, 0, p)
	if n == 0 && e.o.Draft != nil {
		n = e.pace.worthwhile(min(most, longestDraft), func(int) float64 { return s.drafts.likely() }, e.pace.draft, p)
		if n == 0 && !e.pace.tried() {
			n = max(0, min(most, 4))
		}
		if n > 0 {
			ids = e.draft(s, n)
			n = len(ids)
			s.drafted, s.drafts.from, s.drafts.n = ids, len(s.ids), n
		}
	}
	n = max(0, min(n, e.pages.extend(s, s.known+n)-s.known))
	s.guesses = ids[:n]
	p.spare -= n
}
