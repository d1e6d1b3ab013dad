package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	evaldata "olmo/eval/data"
)

// Results is what results.json holds: lm-eval's form, and the digests by which a later run
// knows that a result need not be computed again.
type Results struct {
	Results map[string]map[string]any `json:"results"`
	Samples map[string]int            `json:"n-samples"`
	Config  map[string]any            `json:"config"`
	// Digests are hashes of all that a result depends on, Requests those of the files that
	// hold its requests.
	Digests  map[string]string `json:"digests"`
	Requests map[string]string `json:"requests,omitempty"`
	Notices  []string          `json:"notices,omitempty"`

	// Scores are the results of this run's jobs.
	Scores map[string]Score `json:"-"`
}

// readResults reads a results.json, of which nothing may be there yet.
func readResults(file string) (*Results, error) {
	res := &Results{}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, res)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w\nhint: another --out, or remove the file", file, err)
	}
	return res, nil
}

// score reads an earlier result of a job. It does not count when its requests are gone or
// are those of another run, which was stopped before it wrote its results.
func (res *Results) score(j *Job, requests string) (s Score, ok bool) {
	if requests != "" {
		if sum, err := hashFile(requests); err != nil || sum != res.Requests[j.Name] {
			return s, false
		}
	}
	text, err := json.Marshal(res.Results[j.Name])
	if err != nil {
		return s, false
	}
	if j.Task.Kind == Documents {
		var files struct{ Files map[string]*Perplexity }
		err = errors.Join(json.Unmarshal(text, &s.Documents), json.Unmarshal(text, &files))
		s.Files = files.Files
	} else {
		err = json.Unmarshal(text, &s.Choices)
	}
	return s, err == nil
}

// lmEvalNames are the names that lm-eval's tables give to figures of ours.
var lmEvalNames = map[string]string{
	"acc": "acc,none", "acc_stderr": "acc_stderr,none", "len_norm": "acc_norm,none", "len_norm_stderr": "acc_norm_stderr,none",
	"bits_per_byte": "bits_per_byte,none", "perplexity_per_byte": "byte_perplexity,none", "perplexity_per_word": "word_perplexity,none",
}

// add keeps a job's score, its figures also under lm-eval's names.
func (res *Results) add(j *Job, s Score) error {
	var figures any = s.Choices
	if s.Documents != nil {
		figures = s.Documents
	}
	fields, err := asMap(figures)
	if err != nil {
		return err
	}
	if c := s.Choices; c != nil {
		fields["acc_stderr"], fields["len_norm_stderr"] = standardError(c.Accuracy, c.Questions), standardError(c.LenNorm, c.Questions)
		res.Samples[j.Name] = c.Questions
		if notice := evaldata.Notice(); j.Task.Data == "" && !slices.Contains(res.Notices, notice) {
			res.Notices = append(res.Notices, notice) // the questions that are embedded want their authors named
		}
	} else {
		res.Samples[j.Name] = s.Documents.Documents
	}
	if s.Files != nil {
		// As a map like the rest: the file is the same when it is read and written again.
		if fields["files"], err = asMap(s.Files); err != nil {
			return err
		}
		fields["perplexity_per_token_macro"] = macro(s.Files)
	}
	for ours, theirs := range lmEvalNames {
		if value, ok := fields[ours]; ok {
			fields[theirs] = value
		}
	}
	fields["alias"] = j.Name
	res.Results[j.Name], res.Scores[j.Name] = fields, s
	return nil
}

// asMap gives a value's fields by their names in JSON.
func asMap(v any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(text, &m)
}

// macro returns the mean of the files' perplexities per token, whatever their sizes. A file
// without text has none.
func macro(files map[string]*Perplexity) float64 {
	var sum float64
	n := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if f := files[name]; f.Tokens > 0 {
			sum += f.PerToken
			n++
		}
	}
	return sum / float64(max(n, 1))
}
