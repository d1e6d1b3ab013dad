package eval

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"olmo/chat"
	"olmo/generate"
	"olmo/lm"
)

// Local is a model that runs here.
type Local struct {
	Model *lm.Model
	// Precision is how results call the model's arithmetic.
	Precision string
	// Label is how results call the model; empty: its path.
	Label string
	// Chat is the form in which turns are read; nil for a model that is not asked in turns.
	Chat *chat.Template
	// Warn, when set, is told what the user should know.
	Warn func(string)

	encoder *encoder
	scorer  *lm.Scorer
	writer  *lm.Writer

	turns    []chat.Message // that were read last, with their text
	read     string
	noSystem bool // the template refuses system texts, and Warn was told
}

var _ Answerer = (*Local)(nil)

// Name is the label, or the path of the model.
func (l *Local) Name() string {
	if l.Label != "" {
		return l.Label
	}
	return l.Model.Path
}

// Identity is nil for weights that change, of which there is nothing to go by.
func (l *Local) Identity() (map[string]string, error) {
	if l.Model.Files == nil {
		return nil, nil
	}
	sum, err := l.Model.Digest()
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(l.Model.Config)
	identity := map[string]string{"weights": sum, "tokenizer": l.Model.Tokenizer.Fingerprint(), "precision": l.Precision, "config": string(config)}
	if l.Chat != nil {
		identity["chat"] = l.Chat.Text()
	}
	return identity, err
}

// prompt is the text that a request puts before the model.
func (l *Local) prompt(r *Request) (string, error) {
	switch {
	case r.Turns == nil:
		return r.Context, nil
	case l.Chat == nil:
		return "", errors.New("turns of a conversation are asked, and the model has no form for them")
	case len(l.turns) == len(r.Turns) && &l.turns[0] == &r.Turns[0]: // the choices of a question
		return l.read, nil
	}
	text, refused, err := ReadTurns(l.Chat, r.Turns)
	if refused != nil && !l.noSystem && l.Warn != nil {
		l.Warn(fmt.Sprintf("the model's chat template takes no system text, which is left out (%v)", refused))
	}
	l.noSystem = l.noSystem || refused != nil
	l.turns, l.read = r.Turns, text
	return text, err
}

// Answer answers requests.
func (l *Local) Answer(ctx context.Context, requests []Request, o AnswerOptions, each func(i int, a Answer) error) error {
	if l.encoder == nil {
		if l.Model.Tokenizer == nil {
			return fmt.Errorf("the model %s has no tokenizer", l.Model.Path)
		}
		l.encoder = newEncoder(l.Model)
	}
	var forms [3][]int
	for i, r := range requests {
		forms[r.Form] = append(forms[r.Form], i)
	}
	for form, answer := range []func(context.Context, []Request, []int, AnswerOptions, func(int, Answer) error) error{l.continuations, l.rolling, l.texts} {
		if len(forms[form]) == 0 {
			continue
		}
		if err := answer(ctx, requests, forms[form], o, each); err != nil {
			return err
		}
	}
	return nil
}

// prepared makes the scorer, for sequences of at most so many tokens.
func (l *Local) prepared(longest int) (*lm.Scorer, error) {
	if l.scorer != nil && l.scorer.Rows() >= longest {
		return l.scorer, nil
	}
	s, err := l.Model.Scorer(longest)
	if err == nil {
		l.scorer = s
	}
	return s, err
}

func (l *Local) continuations(ctx context.Context, requests []Request, which []int, o AnswerOptions, each func(int, Answer) error) error {
	pairs := make([]pair, len(which))
	sequences := make([]lm.Sequence, len(which))
	for i, n := range which {
		r := &requests[n]
		context, err := l.prompt(r)
		if err == nil {
			pairs[i], err = l.encoder.continuation(context, r.Continuation, o.Boundary)
		}
		if err != nil {
			return err
		}
		sequences[i] = pairs[i].Sequence
	}
	s, err := l.prepared(1)
	if err != nil {
		return err
	}
	return s.Likelihoods(ctx, sequences, lm.ScoreOptions{Memory: o.Memory, NoShare: o.NoShare}, func(i int, x lm.Likelihood) error {
		a := Answer{Greedy: x.Greedy, Tokens: pairs[i].tokens, Truncated: pairs[i].truncated}
		if err := a.add(x.Nats, o.Tokens); err != nil {
			return err
		}
		return each(which[i], a)
	})
}

// add takes the costs of further tokens.
func (a *Answer) add(nats []float32, keep bool) error {
	for _, v := range nats {
		a.Logprob -= float64(v)
		if keep {
			a.Each = append(a.Each, -float64(v))
		}
	}
	if math.IsNaN(a.Logprob) || math.IsInf(a.Logprob, 0) {
		return ErrNotFinite
	}
	return nil
}

// rolling scores whole texts. They wait until their windows fill several passes: the last
// pass of a batch is seldom full. A text's windows are all in one batch.
func (l *Local) rolling(ctx context.Context, requests []Request, which []int, o AnswerOptions, each func(int, Answer) error) error {
	longest := 1
	for _, n := range which {
		w := requests[n].Window
		if w == 0 {
			w = l.Model.Config.T
		}
		if w > l.Model.Config.T {
			return fmt.Errorf("a window of %d tokens is more than the model's %d positions", w, l.Model.Config.T)
		}
		longest = max(longest, w)
	}
	if l.encoder.eos < 0 && l.encoder.bos < 0 {
		return fmt.Errorf("the model %s names no end-of-text id, which stands before each document\nhint: set eos_token_id in its config", l.Model.Path)
	}
	s, err := l.prepared(longest)
	if err != nil {
		return err
	}
	var batch []lm.Sequence
	var owner []int // the text of each sequence
	var answers []Answer
	begin, rows := 0, 0
	flush := func() error {
		var bad error
		err := s.Score(ctx, batch, func(i int, nats []float32) {
			scored := nats[:0:0]
			for j, t := range batch[i].Targets {
				if t >= 0 {
					scored = append(scored, nats[j])
				}
			}
			bad = cmp.Or(bad, answers[owner[i]].add(scored, o.Tokens))
		})
		if err := cmp.Or(err, bad); err != nil {
			return err
		}
		for i, a := range answers {
			if err := each(which[begin+i], a); err != nil {
				return err
			}
		}
		begin += len(answers)
		batch, owner, answers, rows = batch[:0], owner[:0], answers[:0], 0
		return nil
	}
	for _, n := range which {
		r := &requests[n]
		ids, err := l.encoder.rolling(r, o.Boundary)
		if err != nil {
			return err
		}
		w := r.Window
		if w == 0 {
			w = l.Model.Config.T
		}
		for _, q := range windows(ids, w, r.Overlap) {
			batch, owner = append(batch, q), append(owner, len(answers))
			rows += len(q.IDs)
		}
		answers = append(answers, Answer{Tokens: len(ids) - 1})
		if rows >= 8*s.Rows() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// texts generates.
func (l *Local) texts(ctx context.Context, requests []Request, which []int, o AnswerOptions, each func(int, Answer) error) error {
	if l.writer == nil {
		l.writer = l.Model.Writer(lm.WriterOptions{Memory: o.Memory})
	}
	T := l.writer.Positions()
	answers := make([]Answer, len(which))
	var asked []lm.Request
	var owner, number []int // the request of each, among which, and the response's number
	left := make([]int, len(which))
	for i, n := range which {
		r, a := &requests[n], &answers[i]
		context, err := l.prompt(r)
		if err != nil {
			return err
		}
		prompt, err := l.encoder.prompt(context)
		if err != nil {
			return err
		}
		thinking := o.Thinking
		thinking.Begun = r.Turns != nil && thinking.Begins(context)
		a.Thinking = thinking.Begun
		if len(prompt) == 0 {
			prompt = []int32{l.encoder.first()}
		}
		most := r.MaxTokens
		if most == 0 {
			most = T - min(len(prompt), T/2)
		}
		if most >= T {
			return fmt.Errorf("an answer of %d tokens leaves no room for a prompt in the model's %d positions\nhint: fewer, with max_tokens of a request or --gen-kwargs max_gen_toks=%d", most, T, T/2)
		}
		// What does not leave room for the answer goes from the left, as in lm-eval.
		if over := len(prompt) - (T - most); over > 0 {
			prompt, a.Truncated = prompt[over:], true
		}
		left[i] = max(r.Responses, 1)
		a.Texts = make([]string, left[i])
		for k := range left[i] {
			asked = append(asked, lm.Request{
				Prompt: prompt, MaxTokens: most, Stop: l.Model.Stop, StopTexts: slices.DeleteFunc(slices.Clone(r.Until), func(s string) bool { return s == "" }),
				Thinking: &thinking,
				Sampling: generate.Sampling{Temperature: r.Sampling.Temperature, TopK: r.Sampling.TopK, TopP: r.Sampling.TopP, Seed: r.Sampling.Response(k)},
			})
			owner, number = append(owner, i), append(number, k)
		}
	}
	return l.writer.Write(ctx, asked, func(i int, x lm.Answer) error {
		w := owner[i]
		a := &answers[w]
		a.Texts[number[i]] = x.Text
		a.Tokens += len(x.IDs)
		if left[w]--; left[w] > 0 {
			return nil
		}
		return each(which[w], *a)
	})
}
