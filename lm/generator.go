package lm

import (
	"context"
	"fmt"
	"strings"

	"olmo/chat"
	"olmo/generate"
	"olmo/tokenizer"
)

// Generator continues texts with a model.
type Generator struct {
	model  *Model
	engine *generate.Engine
}

// Generator prepares a model for generation.
func (m *Model) Generator() (*Generator, error) {
	e, err := m.engine(0)
	if err != nil {
		return nil, err
	}
	return &Generator{m, e}, nil
}

// Positions returns the longest text, prompt included, in tokens.
func (g *Generator) Positions() int { return g.engine.Positions() }

// Request asks for the continuation of a prompt.
type Request struct {
	Prompt    []int32
	MaxTokens int
	Sampling  generate.Sampling
	// Adapter is the name of the one that the model has for this request (Model.AddAdapter); empty: none.
	Adapter string
	// Stop ends the answer before any of these ids, StopTexts before any of these texts;
	// Model.Stop are the ids that the model itself ends a text with.
	Stop      []int32
	StopTexts []string
	// Form, if set, holds the answer to a grammar: it ends complete, or by its length.
	Form *Form
	// Thinking, if set, ends before StopTexts count.
	Thinking *chat.Thinking
	// Fresh computes the prompt anew, also where another one began alike: the same bits, in more time.
	Fresh bool
	// Echo asks for the log-probabilities of the prompt's tokens, too.
	Echo bool
	// TopLogprobs asks for so many of the most probable tokens beside each, PostSampling for probabilities
	// after the samplers.
	TopLogprobs  int
	PostSampling bool
	// Token, if set, is told each new id, and Text each piece of the text, in whole
	// characters and maybe empty; false ends the answer.
	Token func(v generate.Event) bool
	Text  func(piece string) bool
}

// Answer is a continuation.
type Answer struct {
	generate.Result
	// Text is that of Result.IDs as it stands behind the prompt, without special tokens;
	// empty for a model without a tokenizer.
	Text string
}

// Generate continues a prompt. When ctx ends, the Answer holds what there is, with the
// error.
func (g *Generator) Generate(ctx context.Context, r Request) (Answer, error) {
	wait, err := g.model.submit(ctx, g.engine, r)
	if err != nil {
		return Answer{Result: generate.Result{IDs: []int32{}, Logprobs: []float64{}, Stop: -1}}, err
	}
	return wait()
}

// text turns ids into text as they come.
type text struct {
	stream *tokenizer.Stream // nil without a tokenizer
	cutter chat.Cutter
	tell   func(piece string) bool
	said   strings.Builder
	ended  bool // by a stop
}

func newText(tok *tokenizer.Tokenizer, r Request) *text {
	t := &text{cutter: chat.Cutter{Stops: r.StopTexts, Thinking: r.Thinking}, tell: r.Text}
	if tok != nil {
		t.stream = tok.NewStream(true)
		// What the prompt leaves open, half a character or the space before a word, is
		// known only to a stream that has seen it.
		for _, id := range r.Prompt {
			t.stream.Next(id)
		}
	}
	return t
}

// next reports whether to go on after id.
func (t *text) next(id int32) bool {
	if t.stream == nil {
		return true
	}
	var piece string
	piece, t.ended = t.cutter.Next(t.stream.Next(id))
	return t.say(piece) && !t.ended
}

func (t *text) say(piece string) bool {
	t.said.WriteString(piece)
	if t.tell != nil && !t.tell(piece) {
		t.tell = nil // who wants no more is told no more
		return false
	}
	return true
}

// end says what was held back.
func (t *text) end() {
	if t.stream == nil || t.ended {
		return
	}
	rest, _ := t.cutter.Next(t.stream.Flush())
	t.say(rest + t.cutter.Flush())
}

// Encode returns the ids of a prompt, with the special ones that the tokenizer puts around a
// text.
func (m *Model) Encode(text string) ([]int32, error) {
	if m.Tokenizer == nil {
		return nil, fmt.Errorf("the model %s has no tokenizer", m.Path)
	}
	e, err := m.Tokenizer.Encode(text, true)
	return e.IDs, err
}
