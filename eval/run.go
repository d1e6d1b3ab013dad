package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/data"
	datastore "olmo/data/store"
	evaldata "olmo/eval/data"
	"olmo/lm"
	"olmo/store"
)

// Run takes a model through jobs. With a folder it keeps results and requests there, job
// by job, and does not repeat what an earlier run of the same model, settings and inputs
// has left.
type Run struct {
	Jobs []*Job
	// Out is the folder of results.json and of requests-NAME.jsonl; nothing is kept when it
	// is empty.
	Out string
	// Precision is how results.json and the digests call the model's arithmetic.
	Precision string
	Config    map[string]any // what results.json says of the call
	// Progress and Kept, when set, are told how far the run is, and which jobs an earlier
	// run did.
	Progress func(Progress)
	Kept     func(job string)
}

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

// Do scores the jobs, in order. After an error the folder holds the results of the jobs
// before.
func (r *Run) Do(ctx context.Context, m *lm.Model) (*Results, error) {
	if m.Tokenizer == nil {
		return nil, fmt.Errorf("the model %s has no tokenizer", m.Path)
	}
	longest := 1
	for _, j := range r.Jobs {
		if err := j.check(m); err != nil {
			return nil, err
		}
		if j.Task.Kind == Documents {
			longest = max(longest, j.window(m))
		}
	}
	progress := r.Progress
	if progress == nil {
		progress = func(Progress) {}
	}
	res, err := r.earlier()
	if err != nil {
		return nil, err
	}
	todo, err := r.left(res, m)
	if err != nil || len(todo) == 0 {
		return res, err
	}
	progress(Progress{Job: "loading"})
	s, err := m.Scorer(longest)
	if err != nil {
		return nil, err
	}
	for _, j := range todo {
		if err := r.do(ctx, s, j, res, progress); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// earlier returns the results that the folder has; those of jobs that are not this run's
// stay.
func (r *Run) earlier() (*Results, error) {
	res := &Results{
		Results: map[string]map[string]any{}, Samples: map[string]int{}, Config: r.Config, Digests: map[string]string{}, Requests: map[string]string{},
		Scores: map[string]Score{},
	}
	if r.Out == "" {
		return res, nil
	}
	var old Results
	text, err := os.ReadFile(r.resultsFile())
	if err == nil {
		err = json.Unmarshal(text, &old)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w\nhint: another --out, or remove the file", r.resultsFile(), err)
	}
	for name, x := range old.Results {
		res.Results[name], res.Samples[name], res.Digests[name] = x, old.Samples[name], old.Digests[name]
	}
	maps.Copy(res.Requests, old.Requests)
	res.Notices = old.Notices
	return res, nil
}

func (r *Run) resultsFile() string { return filepath.Join(r.Out, "results.json") }

// requestsFile returns the file of a job's requests, empty for none.
func (r *Run) requestsFile(j *Job) string {
	if j.Requests != "" || r.Out == "" {
		return j.Requests
	}
	return filepath.Join(r.Out, "requests-"+strings.ReplaceAll(j.Name, ":", "_")+".jsonl")
}

// left returns the jobs whose results res does not have, or has of something else, and
// notes what the new results will depend on.
func (r *Run) left(res *Results, m *lm.Model) (todo []*Job, err error) {
	if m.Files == nil && r.Out == "" {
		return r.Jobs, nil // of weights that change there is nothing to go by
	}
	sum, err := m.Digest()
	if err != nil {
		return nil, err
	}
	hashes := map[string]string{}
	for _, j := range r.Jobs {
		digest, err := r.digest(j, m, sum, hashes)
		if err != nil {
			return nil, err
		}
		if r.Out != "" && res.Digests[j.Name] == digest {
			if score, ok := res.score(j, r.requestsFile(j)); ok {
				res.Scores[j.Name] = score
				if r.Kept != nil {
					r.Kept(j.Name)
				}
				continue
			}
		}
		res.Digests[j.Name] = digest
		todo = append(todo, j)
	}
	return todo, nil
}

// digest covers everything that a job's result depends on. hashes are those of the files that
// were read before.
func (r *Run) digest(j *Job, m *lm.Model, weights string, hashes map[string]string) (string, error) {
	type input struct {
		Task, Weights, Tokenizer, Precision string
		Limit, Window                       int
		Config                              any
		Questions                           []Question
		Files                               map[string]string
		EndOfText                           bool `json:",omitempty"`
	}
	in := input{Task: j.Task.Name, Weights: weights, Tokenizer: m.Tokenizer.Fingerprint(), Precision: r.Precision, Limit: j.Limit, Config: m.Config, Questions: j.Questions}
	if j.Task.Kind == Documents {
		in.Window, in.EndOfText, in.Files = j.window(m), j.EndOfText, map[string]string{}
		for _, file := range j.Documents {
			if hashes[file] == "" {
				sum, err := hashFile(file)
				if err != nil {
					return "", fmt.Errorf("reading %s: %w", file, err)
				}
				hashes[file] = sum
			}
			in.Files[filepath.Base(file)] += hashes[file]
		}
	}
	text, err := json.Marshal(in)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

func hashFile(path string) (string, error) {
	f, err := datastore.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
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

// do scores one job and writes its requests, then the results so far.
func (r *Run) do(ctx context.Context, s *lm.Scorer, j *Job, res *Results, progress func(Progress)) error {
	score, sum, err := r.measure(ctx, s, j, progress)
	if err != nil {
		return err
	}
	if sum != "" {
		res.Requests[j.Name] = sum
	}
	if err := res.add(j, score); err != nil {
		return err
	}
	if r.Out == "" {
		return nil
	}
	text, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(r.resultsFile(), append(text, '\n'))
}

// measure scores a job; sum is the hash of its file of requests, empty without one.
func (r *Run) measure(ctx context.Context, s *lm.Scorer, j *Job, progress func(Progress)) (score Score, sum string, err error) {
	file := r.requestsFile(j)
	if file == "" {
		score, err = j.measure(ctx, s, progress, func(any) error { return nil })
		return score, "", err
	}
	w, err := data.CreateWriter(file)
	if err != nil {
		return score, "", err
	}
	defer w.Abort()
	h := sha256.New()
	e := json.NewEncoder(io.MultiWriter(w, h))
	e.SetEscapeHTML(false)
	if score, err = j.measure(ctx, s, progress, e.Encode); err != nil {
		return score, "", err
	}
	return score, hex.EncodeToString(h.Sum(nil)), w.Close()
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
