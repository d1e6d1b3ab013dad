package lm

import (
	"errors"
	"fmt"

	"olmo/constrain"
	"olmo/generate"
)

// Form holds answers of a model to a grammar. Any number of requests may have one.
type Form struct{ machine *constrain.Machine }

// Form prepares a grammar for the model's tokens.
func (m *Model) Form(g *constrain.Grammar) (*Form, error) {
	if m.vocabulary == nil {
		if m.Tokenizer == nil {
			return nil, errors.New("the model has no tokenizer, and the form of an answer is about text")
		}
		v, err := constrain.NewVocabulary(m.Tokenizer, m.Config.V, m.Stop)
		if err != nil {
			return nil, fmt.Errorf("holding answers to a form: %w", err)
		}
		m.vocabulary = v
	}
	machine, err := constrain.NewMachine(g, m.vocabulary)
	if err != nil {
		return nil, fmt.Errorf("the form, in the tokens of the model: %w", err)
	}
	return &Form{machine}, nil
}

// constraint is that of one answer; nil of a nil form.
func (f *Form) constraint() generate.Constraint {
	if f == nil {
		return nil
	}
	return matcher{f.machine.Matcher()}
}

// explain returns what the form itself has to say of an answer that failed, or err.
func (f *Form) explain(err error) error {
	if f != nil && err != nil {
		if own := f.machine.Err(); own != nil {
			return own
		}
	}
	return err
}

// matcher is constrain's, which knows nothing of generate, as generate's interface.
type matcher struct{ *constrain.Matcher }

func (m matcher) Clone() generate.Constraint { return matcher{m.Matcher.Clone()} }
