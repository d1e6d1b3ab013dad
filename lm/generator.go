package lm

import (
	"context"
	"fmt"
	"strings"

	"olmo/chat"
	"olmo/generate"
	"olmo/tokenizer"
)

// Generator continues texts with a model, one after the other.
type Generator struct {
	model  *Model
	engine *generate.Engine
}

// GeneratorOptions are the sizes of a Generator; zero values take defaults.
type GeneratorOptions struct {
	Positions int // longest text, prompt included; the model's own
	Rows      int // tokens of a prompt that are run at once; 256
}

// Generator prepares a model for generation.
func (m *Model) Generator(o GeneratorOptions) (*Generator, error) {
	g := &Generator{model: m}
	err := m.with(func() (err error) {
		g.engine, err = generate.New(m.Config, m.Device, generate.Options{Positions: o.Positions, Rows: o.Rows, Precision: m.precision})
		return err
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Positions returns the longest text, prompt included, in tokens.
func (g *Generator) Positions() int { return g.engine.Positions() }

// Request asks for the continuation of a prompt.
type Request struct {
	Prompt    []int32
	MaxTokens int
	Sampling  generate.Sampling
	// Stop ends the answer before any of these ids, StopTexts before any of these texts;
	// Model.Stop are the ids that the model itself ends a text with.
	Stop      []int32
	StopTexts []string
	// Thinking, if set, ends before StopTexts count.
	Thinking *chat.Thinking
	// Continue takes over from the request before what both prompts begin with, answers
	// included, instead of computing it again. The answer has the same bits.
	Continue bool
	// Token, if set, is told each new id, and Text each piece of the text, in whole
	// characters and maybe empty; false ends the answer.
	Token func(id int32, logprob float64) bool
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
	text := newText(g.model.Tokenizer, r)
	result, err := g.engine.Generate(ctx, generate.Request{
		Prompt: r.Prompt, MaxTokens: r.MaxTokens, Sampling: r.Sampling, Stop: r.Stop, Continue: r.Continue,
		Token: func(id int32, logprob float64) bool {
			if r.Token != nil && !r.Token(id, logprob) {
				return false
			}
			return text.next(id)
		},
	})
	if err == nil || len(result.IDs) > 0 {
		text.end()
	}
	return Answer{result, text.said.String()}, err
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
