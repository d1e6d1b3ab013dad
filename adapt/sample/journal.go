package sample

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"olmo/proof"
	"olmo/store"
)

// journal keeps the judged answers of each prompt as they come, so that a run that is killed goes on. It is a
// file under a temporary name: a line with the digest of the run, then one for each prompt, in their order.
type journal struct{ file *store.File }

// entry is a line of a journal.
type entry struct {
	Digest  string          `json:"digest,omitempty"`
	Prompt  int             `json:"prompt"`
	Answers json.RawMessage `json:"answers,omitempty"`
	Sum     uint32          `json:"sum,omitempty"` // CRC-32C of the answers
}

// journalFormat changes with the meaning of its lines.
const journalFormat = "olmo adapt sample 1"

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

// openJournal goes on with a journal, and returns the answers to the first prompts that it has when it is
// that of the same run.
func openJournal(name, digest string) (*journal, [][]Sampled, error) {
	f, err := store.Continue(name)
	if err != nil {
		return nil, nil, err
	}
	done, whole, err := readJournal(f, digest)
	if err == nil && whole {
		return &journal{f}, done, nil
	}
	// Another run's, or one whose end a kill tore: it is written again with what is good of it.
	if err == nil {
		err = f.Seal()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("going on with %s: %w", name, err)
	}
	file, err := store.Create(name)
	if err != nil {
		return nil, nil, err
	}
	j := &journal{file}
	err = j.write(entry{Digest: digest})
	for i := 0; i < len(done) && err == nil; i++ {
		err = j.add(i, done[i])
	}
	if err != nil {
		return nil, nil, errors.Join(err, j.keep())
	}
	return j, done, nil
}

// readJournal reads the answers to the first prompts, up to a line that is not whole. whole says that there
// is none, and that the journal is this run's.
func readJournal(f io.Reader, digest string) (done [][]Sampled, whole bool, err error) {
	in := bufio.NewReader(f)
	for first := true; ; first = false {
		text, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return done, !first && len(text) == 0, nil
		case err != nil:
			return nil, false, err
		}
		var e entry
		var answers []Sampled
		if json.Unmarshal(text, &e) != nil {
			return done, false, nil
		}
		if first {
			if e.Digest != digest {
				return nil, false, nil
			}
			continue
		}
		if e.Prompt != len(done) || e.Sum != checksum(e.Answers) || json.Unmarshal(e.Answers, &answers) != nil {
			return done, false, nil
		}
		done = append(done, answers)
	}
}

func checksum(text []byte) uint32 { return crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)) }

// write hands a line to the system, which keeps it when the process dies.
func (j *journal) write(e entry) error {
	text, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(text, '\n'))
	}
	return err
}

func (j *journal) add(prompt int, answers []Sampled) error {
	text, err := json.Marshal(answers)
	if err != nil {
		return err
	}
	return j.write(entry{Prompt: prompt, Answers: text, Sum: checksum(text)})
}

// end removes the journal, whose answers are kept elsewhere now; keep leaves it for the next run.
func (j *journal) end()        { j.file.Abort() }
func (j *journal) keep() error { return j.file.Seal() }
