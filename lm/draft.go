package lm

import "fmt"

// checkDraft reports a draft model whose ids mean other tokens than the model's.
func (m *Model) checkDraft() error {
	d := m.draft
	for _, of := range []*Model{m, d} {
		if of.Tokenizer == nil {
			return fmt.Errorf("the model %s has no tokenizer, so that its ids and those of the other model may mean other tokens\nhint: put the tokenizer.json of both beside their weights", of.Path)
		}
	}
	ours, theirs := m.Tokenizer, d.Tokenizer
	if ours.VocabSize() != theirs.VocabSize() {
		return fmt.Errorf("the draft model %s has a tokenizer of %d tokens, the model %s one of %d\nhint: a draft model has the same tokenizer", d.Path, theirs.VocabSize(), m.Path, ours.VocabSize())
	}
	for id := range int32(ours.VocabSize()) {
		if a, b := ours.Token(id), theirs.Token(id); a != b {
			return fmt.Errorf("the draft model %s has another tokenizer than the model %s: token %d is %q there, and %q here\nhint: a draft model has the same tokenizer", d.Path, m.Path, id, b, a)
		}
	}
	return nil
}
