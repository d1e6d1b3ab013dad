package sample

import (
	"encoding/json"

	"olmo/internal/journal"
	"olmo/proof"
)

// journalFormat changes with the meaning of its lines.
const journalFormat = "olmo adapt sample 2"

// digestOf is the digest of a text.
func digestOf(text []byte) string { return proof.Sum(text).String() }

// digest is over everything that answers and scores follow from. What is kept of them is no part of it.
func (s *Sampler) digest(prompts []*prompt) (string, error) {
	weights, err := s.Model.Digest()
	if err != nil {
		return "", err
	}
	rows := make([]string, len(prompts))
	for i, p := range prompts {
		rows[i] = p.digest
	}
	text, err := json.Marshal(map[string]any{
		"format": journalFormat, "weights": weights, "config": s.Model.Config, "tokenizer": s.Model.Tokenizer.Fingerprint(), "template": s.Encoder.Template.Text(),
		"completions": s.Completions, "max_tokens": s.MaxTokens, "sampling": s.Sampling, "stops": s.Stops, "reference": s.Reference, "rows": rows, "identity": s.Identity,
	})
	return digestOf(text), err
}

// openJournal goes on with the journal of an output, and returns the judged answers to the first prompts that
// it has when it is that of the same run.
func openJournal(output, digest string) (j *journal.Journal[[]Sampled], done [][]Sampled, err error) {
	j, kept, err := journal.Open[[]Sampled](output, digest)
	for answers, there := kept[0]; there; answers, there = kept[len(done)] {
		done = append(done, answers)
	}
	return j, done, err
}
