// Package rows answers the rows of a file with a model, many at once, each as it would be alone.
package rows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"olmo/chat"
	"olmo/data"
	"olmo/generate"
	"olmo/internal/journal"
	"olmo/lm"
	"olmo/proof"
)

// RejectsExtension is what the file with the rows that were left out has behind the name of the output.
const RejectsExtension = ".rejects.jsonl"

// Options say how rows are answered.
type Options struct {
	lm.Request             // what a row asks that does not say it; Stop without the model's own
	IgnoreEOS  bool        // an answer does not end at the model's own
	Format     chat.Format // of the model with Request.Adapter
	Most       int         // rows at once; as many as there are
	Held       string      // what Request.Form holds answers to: by it a job that was interrupted is known again
	// Strict ends at the first row that cannot be answered. Without it such rows are left out, and kept
	// with their reasons in a file beside the output.
	Strict bool
	// Told is told how many rows are done, of how many.
	Told func(done, of int)
}

// Summary counts the rows of a job.
type Summary struct {
	Rows, Rejected int
	Rejects        string // the file that has them
	First          error  // why the first one is there
}

// row is a line of the input that can be answered.
type row struct {
	text    json.RawMessage
	request lm.Request
	talk    bool // it is a conversation
}

// Reply is what an answer adds to its row.
type Reply struct {
	IDs         []int32                  `json:"ids"`
	Text        string                   `json:"text"`
	Logprobs    []float64                `json:"logprobs"`
	Top         [][]generate.Alternative `json:"top_logprobs,omitempty"`
	Probs       []float64                `json:"probs,omitempty"` // after the samplers
	TopProbs    [][]generate.Likely      `json:"top_probs,omitempty"`
	PromptIDs   []int32                  `json:"prompt_ids,omitempty"`
	Prompt      []*float64               `json:"prompt_logprobs,omitempty"`     // the first is null
	PromptTop   [][]generate.Alternative `json:"prompt_top_logprobs,omitempty"` // likewise
	Reason      string                   `json:"finish_reason"`
	Usage       Usage                    `json:"usage"`
	Seed        uint64                   `json:"seed"`
	Fingerprint string                   `json:"fingerprint"`
}

// Usage counts tokens.
type Usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// ReplyOf is the reply of an answer. Its ids end with that of the end of text, as other programs list it.
func ReplyOf(a lm.Answer, q lm.Request, fingerprint string) Reply {
	r := Reply{IDs: a.IDs, Text: a.Text, Logprobs: a.Logprobs, Reason: a.Reason, Seed: q.Sampling.Seed, Fingerprint: fingerprint}
	if a.Stop >= 0 {
		r.IDs, r.Logprobs = append(slices.Clip(a.IDs), a.Stop), append(slices.Clip(a.Logprobs), a.StopLogprob)
	}
	odds := a.Odds
	if a.StopOdds != nil {
		odds = append(slices.Clip(odds), a.StopOdds)
	}
	for _, o := range odds {
		if q.TopLogprobs > 0 {
			r.Top = append(r.Top, o.Top)
		}
		if q.PostSampling {
			if r.Probs = append(r.Probs, o.Prob); q.TopLogprobs > 0 {
				r.TopProbs = append(r.TopProbs, o.Left)
			}
		}
	}
	r.Usage = Usage{Prompt: len(q.Prompt), Completion: len(r.IDs), Total: len(q.Prompt) + len(r.IDs)}
	if q.Echo {
		r.PromptIDs, r.Prompt = q.Prompt, []*float64{nil}
		for i := range a.Prompt {
			r.Prompt = append(r.Prompt, &a.Prompt[i])
		}
		if q.TopLogprobs > 0 {
			r.PromptTop = append([][]generate.Alternative{nil}, a.PromptTop...)
		}
	}
	return r
}

// Answer answers the rows of a file: {"prompt": …} or {"messages": […]}, in which settings of sampling may
// stand. The output has the same rows, in their order, with the members of Reply. What a job that was
// interrupted has answered is kept in a file beside the output, and is not computed again.
func Answer(ctx context.Context, m *lm.Model, input, output string, o Options) (s *Summary, err error) {
	rejects := output + RejectsExtension
	s = &Summary{}
	rows, bad, err := o.read(m, input)
	if err != nil {
		return nil, err
	}
	if s.Rows, s.Rejected = len(rows), len(bad); s.Rejected > 0 {
		s.Rejects, s.First = rejects, bad[0]
	}
	if s.Rows == 0 {
		return nil, errors.Join(fmt.Errorf("%s has no row that can be answered", input), s.First)
	}
	out, err := data.CreateWriter(output)
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	fingerprints := map[string]string{} // by the adapter
	for i := range rows {
		adapter := rows[i].request.Adapter
		if fingerprints[adapter] == "" {
			if fingerprints[adapter], err = m.FingerprintOf(adapter); err != nil {
				return nil, err
			}
		}
	}
	digest, err := o.digest(fingerprints, rows)
	if err != nil {
		return nil, err
	}
	j, done, err := journal.Open[Reply](output, digest)
	if err != nil {
		return nil, err
	}
	if err = o.ask(ctx, m, rows, fingerprints, j, done); err == nil {
		err = write(out, rows, done)
	}
	if err == nil {
		err = keepBad(rejects, bad)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return nil, errors.Join(err, j.Keep())
	}
	j.End()
	return s, nil
}

// ask answers those rows that are not done.
func (o *Options) ask(ctx context.Context, m *lm.Model, rows []row, fingerprints map[string]string, j *journal.Journal[Reply], done map[int]Reply) error {
	tell := func() {
		if o.Told != nil {
			o.Told(len(done), len(rows))
		}
	}
	tell()
	var left []lm.Request
	var numbers []int
	for i := range rows {
		if _, there := done[i]; !there {
			left, numbers = append(left, rows[i].request), append(numbers, i)
		}
	}
	if len(left) == 0 {
		return nil
	}
	w := m.Writer(lm.WriterOptions{Most: o.Most})
	return w.Write(ctx, left, func(i int, a lm.Answer) error {
		if rows[numbers[i]].talk { // white space before the first word is the template's
			a.Text = strings.TrimLeft(a.Text, " \n")
		}
		r := ReplyOf(a, left[i], fingerprints[left[i].Adapter])
		done[numbers[i]] = r
		tell()
		return j.Add(numbers[i], r)
	})
}

// digest is over everything that the replies follow from.
func (o *Options) digest(fingerprints map[string]string, rows []row) (string, error) {
	texts, prompts := make([]string, len(rows)), make([][]int32, len(rows))
	for i := range rows {
		texts[i], prompts[i] = string(rows[i].text), rows[i].request.Prompt
	}
	text, err := json.Marshal(map[string]any{
		"format": "olmo generate 1", "fingerprints": fingerprints, "adapter": o.Adapter, "rows": texts, "prompts": prompts,
		"max_tokens": o.MaxTokens, "sampling": o.Sampling, "form": o.Held, "stop": o.Stop, "ignore_eos": o.IgnoreEOS, "stop_texts": o.StopTexts, "echo": o.Echo,
		"top_logprobs": o.TopLogprobs, "post_sampling": o.PostSampling,
	})
	return proof.Sum(text).String(), err
}

// write writes the rows with their replies.
func write(out io.Writer, rows []row, done map[int]Reply) error {
	for i := range rows {
		text, err := json.Marshal(done[i])
		if err != nil {
			return err
		}
		line, err := with(rows[i].text, text)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// with puts the members of an object behind those of a row, in place of its members of the same names.
func with(row, more json.RawMessage) ([]byte, error) {
	added, err := members(more)
	if err != nil {
		return nil, err
	}
	old, err := members(row)
	if err != nil {
		return nil, err
	}
	old = slices.DeleteFunc(old, func(m member) bool {
		return slices.ContainsFunc(added, func(n member) bool { return n.name == m.name })
	})
	line := []byte("{")
	for i, m := range slices.Concat(old, added) {
		if i > 0 {
			line = append(line, ", "...)
		}
		line = append(data.AppendString(line, m.name), ": "...)
		line = append(line, m.value...)
	}
	return append(line, '}'), nil
}

// keepBad writes the rows that were left out, as the stages of data do. Where there are none, those of a job
// before are removed, which would pass for this one's.
func keepBad(path string, bad []*data.RecordError) error {
	if len(bad) == 0 {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	w, err := data.CreateWriter(path)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, b := range bad {
		if _, err := w.Write(append(data.AppendReject(nil, b), '\n')); err != nil {
			return err
		}
	}
	return w.Close()
}
