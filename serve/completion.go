package serve

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"olmo/generate"
	"olmo/lm"
	"olmo/tokenizer"
)

// completion is the answer of POST /completions, or a piece of it.
type completion struct {
	ID          string             `json:"id"`
	Object      string             `json:"object"`
	Created     int64              `json:"created"`
	Model       string             `json:"model"`
	Fingerprint string             `json:"system_fingerprint"`
	Seed        uint64             `json:"seed"`
	Choices     []completionChoice `json:"choices"`
	Usage       *usage             `json:"usage,omitempty"`
}

type completionChoice struct {
	Index     int     `json:"index"`
	Text      string  `json:"text"`
	Logprobs  *legacy `json:"logprobs"`
	Reason    *string `json:"finish_reason"`
	TokenIDs  []int32 `json:"token_ids,omitempty"`
	PromptIDs []int32 `json:"prompt_token_ids,omitempty"`
}

// legacy are log-probabilities as completions have them: those of the prompt too with echo, the first null.
type legacy struct {
	Tokens   []string             `json:"tokens"`
	Logprobs []*float64           `json:"token_logprobs"`
	Top      []map[string]float64 `json:"top_logprobs"` // null where none are asked for
	Offsets  []int                `json:"text_offset"`  // in code points, of the text with the prompt
	top      bool                 // Top is asked for
}

// topOf are the likeliest tokens, if any were asked for.
func topOf(odds *generate.Odds) []generate.Alternative {
	if odds == nil {
		return nil
	}
	return odds.Top
}

// legacyName is how a token is written where texts are the names: as its bytes where it is no text by itself.
func (m *served) legacyName(id int32) string {
	text, raw := m.token(id)
	if m.pieces == nil || m.special[id] || int(id) < len(m.pieces) && utf8.ValidString(m.pieces[id]) {
		return text
	}
	var b strings.Builder
	b.WriteString("bytes:")
	for _, x := range raw {
		fmt.Fprintf(&b, "\\x%02x", x)
	}
	return b.String()
}

// offsets tells where tokens begin in a text.
type offsets struct {
	stream *tokenizer.Stream
	at     int
}

func (m *served) offsets() *offsets {
	if m.lm.Tokenizer == nil {
		return &offsets{}
	}
	return &offsets{stream: m.lm.Tokenizer.NewStream(true)}
}

// next returns where a token begins.
func (o *offsets) next(id int32) int {
	begin := o.at
	if o.stream != nil {
		o.at += utf8.RuneCountInString(o.stream.Next(id))
	}
	return begin
}

// add appends a token; logprob is NaN for the first one of a prompt, of which nothing is known.
func (l *legacy) add(m *served, id int32, logprob float64, top []generate.Alternative, offset int) {
	l.Tokens, l.Offsets = append(l.Tokens, m.legacyName(id)), append(l.Offsets, offset)
	var names map[string]float64
	if math.IsNaN(logprob) {
		l.Logprobs = append(l.Logprobs, nil)
	} else {
		l.Logprobs = append(l.Logprobs, &logprob)
	}
	if len(top) > 0 {
		names = map[string]float64{}
		for _, a := range slices.Backward(top) { // of two with one name the likelier
			names[m.legacyName(a.ID)] = a.Logprob
		}
		if name := m.legacyName(id); names[name] == 0 { // the token itself is always there
			names[name] = logprob
		}
	}
	if l.top {
		l.Top = append(l.Top, names)
	}
}

// prompts reads a field that is a text, ids, or a list of either.
func (m *served) prompts(f *fields, name string) (prompts [][]int32) {
	text := f.get(name)
	if text == nil {
		f.fail(bad(name, "the request has no %s", name))
		return nil
	}
	encode := func(s string) {
		ids, err := m.lm.Encode(s)
		if err != nil {
			f.fail(bad(name, "%v", err))
		}
		prompts = append(prompts, ids)
	}
	var one string
	var texts []string
	var ids []int32
	var lists [][]int32
	switch {
	case json.Unmarshal(text, &one) == nil:
		encode(one)
	case json.Unmarshal(text, &ids) == nil && len(ids) > 0:
		prompts = [][]int32{ids}
	case json.Unmarshal(text, &texts) == nil && len(texts) > 0:
		for _, t := range texts {
			encode(t)
		}
	case json.Unmarshal(text, &lists) == nil && len(lists) > 0:
		prompts = lists
	default:
		f.fail(bad(name, "%s is %s, it must be a text, ids, or a list of texts or of ids, and not empty", name, shown(text)))
	}
	if len(prompts) > mostPrompts {
		f.fail(bad(name, "there are %d prompts, a request can have %d", len(prompts), mostPrompts))
	}
	for _, p := range prompts {
		for _, id := range p {
			if id < 0 || int(id) >= m.lm.Config.V {
				f.fail(bad(name, "id %d is none of the model: they lie between 0 and %d", id, m.lm.Config.V-1))
				return nil
			}
		}
	}
	return prompts
}

const mostPrompts = 2048

// answerCompletion is POST /completions.
func (s *Server) answerCompletion(w http.ResponseWriter, r *http.Request) *failure {
	f, m, problem := s.begin(w, r)
	if problem != nil {
		return problem
	}
	prompts := m.prompts(f, "prompt")
	how := m.settings(f)
	echo, top, best := false, -1, how.choices
	f.flag("echo", &echo)
	f.whole("logprobs", &top, 0, mostTop)
	if f.whole("best_of", &best, 1, mostChoices) && best < how.choices {
		f.fail(bad("best_of", "best_of is %d, it must be %d or more, which n is", best, how.choices))
	}
	if best > how.choices && how.stream {
		f.fail(bad("best_of", "best_of chooses among whole answers, and a stream begins before there are any"))
	}
	f.refuse("suffix", "the model has no tokens for the middle of a text")
	if problem := s.finish(w, f); problem != nil {
		return problem
	}
	if top >= 0 {
		how.request.TopLogprobs, how.request.Echo = top, echo
	}
	var all []*choice
	for i, p := range prompts {
		q := how.request
		q.Prompt = p
		if q.MaxTokens, problem = m.room(how, len(p), 16); problem != nil {
			return problem
		}
		all = append(all, choices(q, best, i*how.choices)...)
	}
	mark, problem := m.mark()
	if problem != nil {
		return problem
	}
	head := completion{ID: newID("cmpl-"), Object: "text_completion", Created: time.Now().Unix(), Model: m.name, Fingerprint: mark, Seed: how.request.Sampling.Seed}
	leave, problem := s.place(r.Context())
	if problem != nil {
		return problem
	}
	if how.stream {
		m.streamCompletion(s, w, r, head, how, all, leave, len(prompts), echo, top >= 0)
		return nil
	}
	if problem := s.run(r, m, all, leave, nil, nil); problem != nil {
		return problem
	}
	head.Usage = usageOf(all, len(prompts))
	for i := range prompts {
		group := all[i*best : (i+1)*best]
		if best > how.choices {
			slices.SortStableFunc(group, func(a, b *choice) int { return compareMeans(b.answer, a.answer) })
		}
		for n, c := range group[:how.choices] {
			head.Choices = append(head.Choices, m.completionChoice(c, i*how.choices+n, echo, top >= 0, how.ids))
		}
	}
	writeJSON(w, http.StatusOK, head)
	return nil
}

// compareMeans orders answers by the mean log-probability of their tokens.
func compareMeans(a, b lm.Answer) int {
	mean := func(a lm.Answer) float64 {
		sum, n := 0.0, max(len(a.Logprobs), 1)
		for _, l := range a.Logprobs {
			sum += l
		}
		return sum / float64(n)
	}
	switch x, y := mean(a), mean(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// completionChoice is a whole answer.
func (m *served) completionChoice(c *choice, index int, echo, logprobs, ids bool) completionChoice {
	reason := c.answer.Reason
	out := completionChoice{Index: index, Text: c.answer.Text, Reason: &reason}
	if echo {
		out.Text = m.echoed(c.q.Prompt) + out.Text
	}
	if logprobs {
		out.Logprobs = m.scores(c, echo)
	}
	if ids {
		out.TokenIDs, out.PromptIDs = c.answer.IDs, c.q.Prompt
	}
	return out
}

// echoed is the text of a prompt.
func (m *served) echoed(ids []int32) string {
	if m.lm.Tokenizer == nil {
		return ""
	}
	return m.lm.Tokenizer.Decode(ids, true)
}

// scores are the log-probabilities of an answer, with echo those of its prompt before them.
func (m *served) scores(c *choice, echo bool) *legacy {
	l := &legacy{Tokens: []string{}, Logprobs: []*float64{}, Offsets: []int{}, top: c.q.TopLogprobs > 0}
	at := m.offsets()
	for i, id := range c.q.Prompt {
		offset := at.next(id)
		switch {
		case !echo:
		case i == 0:
			l.add(m, id, math.NaN(), nil, offset)
		default:
			var top []generate.Alternative
			if c.q.TopLogprobs > 0 {
				top = c.answer.PromptTop[i-1]
			}
			l.add(m, id, c.answer.Prompt[i-1], top, offset)
		}
	}
	if !echo {
		at.at = 0
	}
	for i, id := range c.answer.IDs {
		l.add(m, id, c.answer.Logprobs[i], topOf(c.odds(i)), at.next(id))
	}
	return l
}

// streamCompletion writes answers as they come.
func (m *served) streamCompletion(s *Server, w http.ResponseWriter, r *http.Request, head completion, how *settings, all []*choice, leave func(), prompts int, echo, logprobs bool) {
	out := newStream(w)
	piece := func(c completionChoice) {
		p := head
		p.Choices = []completionChoice{c}
		out.send(p)
	}
	at := make([]*offsets, len(all))
	for i, c := range all {
		at[i] = m.offsets()
		first := completionChoice{Index: c.index}
		for k, id := range c.q.Prompt {
			if at[i].next(id); k == len(c.q.Prompt)-1 && !echo {
				at[i].at = 0
			}
		}
		if first.Text = m.echoed(c.q.Prompt); echo && !logprobs { // with them the prompt comes when it is scored
			piece(first)
		}
	}
	begun := make([]bool, len(all))
	out.run(func() *failure {
		problem := s.run(r, m, all, leave, func(c *choice, n news) {
			p := completionChoice{Index: c.index, Text: n.text}
			if !begun[c.index] {
				begun[c.index] = true
				if how.ids {
					p.PromptIDs = c.q.Prompt
				}
			}
			if logprobs {
				p.Logprobs = &legacy{top: c.q.TopLogprobs > 0}
			}
			for _, v := range n.events {
				if how.ids {
					p.TokenIDs = append(p.TokenIDs, v.ID)
				}
				if logprobs {
					p.Logprobs.add(m, v.ID, v.Logprob, topOf(v.Odds), at[c.index].next(v.ID))
				}
			}
			if logprobs && echo {
				return // the whole is told at the end
			}
			if p.Text != "" || len(n.events) > 0 && (logprobs || how.ids) {
				piece(p)
			}
		}, func(c *choice) {
			reason := c.answer.Reason
			if logprobs && echo {
				whole := m.completionChoice(c, c.index, echo, logprobs, how.ids)
				piece(whole)
				return
			}
			piece(completionChoice{Index: c.index, Reason: &reason})
		})
		if problem == nil && how.usage {
			last := head
			last.Choices, last.Usage = []completionChoice{}, usageOf(all, prompts)
			out.send(last)
		}
		return problem
	})
}
