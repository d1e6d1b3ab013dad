package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"

	"olmo/data"
	datastore "olmo/data/store"
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
	// Progress, Kept and Warn, when set, are told how far the run is, which jobs an earlier
	// run did, and what the user should know.
	Progress func(Progress)
	Kept     func(job string)
	Warn     func(text string)
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
	if r.Out != "" {
		// Two runs would each write a results.json without the other's results.
		lock, err := store.AcquireIn(r.Out)
		if err != nil {
			return nil, err
		}
		defer lock.Release()
		if err := lock.Unlocked(); err != nil && r.Warn != nil {
			r.Warn(err.Error())
		}
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
		if err := r.do(ctx, s, j.Job, res, progress, j.digest); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// due is a job that is to be done, with the hash of all that its result will depend on;
// empty where nobody asks.
type due struct {
	*Job
	digest string
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
	old, err := readResults(r.resultsFile())
	if err != nil {
		return nil, err
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

// left returns the jobs whose results res does not have, or has of something else.
func (r *Run) left(res *Results, m *lm.Model) (todo []due, err error) {
	if m.Files == nil && r.Out == "" { // of weights that change there is nothing to go by
		for _, j := range r.Jobs {
			todo = append(todo, due{Job: j})
		}
		return todo, nil
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
		todo = append(todo, due{j, digest})
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

// do scores one job and writes its requests, then the results so far. Its digest joins them
// only now: beside an earlier result it would make a later run keep that one.
func (r *Run) do(ctx context.Context, s *lm.Scorer, j *Job, res *Results, progress func(Progress), digest string) error {
	score, sum, err := r.measure(ctx, s, j, progress)
	if err != nil {
		return err
	}
	if digest != "" {
		res.Digests[j.Name] = digest
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
