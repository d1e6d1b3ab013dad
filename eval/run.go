package eval

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"olmo/chat"
	"olmo/data"
	"olmo/internal/journal"
	"olmo/store"
)

// Run takes a model through jobs. With a folder it keeps results and requests there, job by
// job, and does not repeat what an earlier run of the same model, settings and inputs has
// left, be it a whole job or one answer.
type Run struct {
	Jobs []*Job
	// Groups are made of the jobs when all are done; a group stands behind those in it.
	Groups []*Group
	// Suites are made of the jobs likewise; Partial gives a suite that lacks parts the figure of
	// those that there are.
	Suites  []*Suite
	Partial bool
	// Out is the folder of results.json and of requests-NAME.jsonl; nothing is kept when it
	// is empty.
	Out    string
	Config map[string]any // what results.json says of the call
	// Tokens keeps the log-probability of every token, Memory bounds the caches, NoShare
	// computes for each request anew what several begin with.
	Tokens  bool
	Memory  int64
	NoShare bool
	// Thinking says where the thinking ends that is left out of responses before they are judged.
	Thinking chat.Thinking
	// Programs runs what a model wrote, by the scorer of a name: a verdict for each response to each
	// document. Where it is nil no task of programs is begun.
	Programs func(ctx context.Context, scorer string, docs []*Document, responses [][]string) ([][]bool, error)
	// Progress, Kept and Warn, when set, are told how far the run is, which jobs an earlier
	// run did, and what the user should know.
	Progress func(Progress)
	Kept     func(job string)
	Warn     func(text string)
}

// Progress is how far a run is.
type Progress struct {
	Job         string // its name
	Done, Total int    // requests; Total is 0 while it is not known
	Documents   int    // of a task of documents: measured
	Text        int64  // their bytes
}

// Do scores the jobs, in order. After an error the folder holds the results of the jobs
// before, and the answers that there are.
func (r *Run) Do(ctx context.Context, a Answerer) (*Results, error) {
	for _, j := range r.Jobs {
		if j.Task.Programs != "" && r.Programs == nil {
			return nil, fmt.Errorf("%s runs programs that the model writes, which nobody has allowed\nhint: --allow-code", j.Name)
		}
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
	res, err := r.earlier(a)
	if err == nil {
		err = r.distinct(res)
	}
	if err != nil {
		return nil, err
	}
	todo, err := r.left(res, a)
	if err != nil {
		return nil, err
	}
	for _, j := range todo {
		if err := r.do(ctx, a, j, res); err != nil {
			return nil, err
		}
	}
	return res, r.group(res)
}

// group computes the groups' and suites' figures and keeps them.
func (r *Run) group(res *Results) error {
	if len(r.Groups) == 0 && len(r.Suites) == 0 {
		return nil
	}
	groups := map[string]*Group{}
	for _, g := range r.Groups {
		groups[g.Name] = g
	}
	for _, g := range r.Groups {
		if missing := res.addGroup(g, groups); len(missing) > 0 && r.Warn != nil {
			r.Warn(fmt.Sprintf("group %s: a figure is that of part of its tasks; %s do not have it", g.Name, strings.Join(missing, ", ")))
		}
	}
	r.suites(res)
	return r.write(res)
}

// write keeps the results so far.
func (r *Run) write(res *Results) error {
	if r.Out == "" {
		return nil
	}
	text, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(r.resultsFile(), append(text, '\n'))
}

// due is a job that is to be done, with the hash of all that its result will depend on;
// empty where nobody asks.
type due struct {
	*Job
	digest  string
	weights string // the model's weights_digest, empty where there is none
}

// earlier returns the results that the folder has; those of jobs that are not this run's
// stay.
func (r *Run) earlier(a Answerer) (*Results, error) {
	res := newResults()
	if r.Out != "" {
		var err error
		if res, err = readResults(r.resultsFile()); err != nil {
			return nil, err
		}
	}
	res.Config, res.ModelName = r.Config, a.Name()
	return res, nil
}

func (r *Run) resultsFile() string { return filepath.Join(r.Out, "results.json") }

// requestsFile returns the file of a job's requests, empty for none.
func (r *Run) requestsFile(j *Job) string {
	if j.Requests != "" || r.Out == "" {
		return j.Requests
	}
	return filepath.Join(r.Out, RequestsFile(j.Name))
}

// RequestsFile is the name of the file that a job's requests are kept in.
func RequestsFile(job string) string {
	// What systems take for parts of a path is none of a name, which a file of others' may give.
	return "requests-" + strings.NewReplacer(":", "_", "/", "_", `\`, "_").Replace(job) + ".jsonl"
}

// distinct refuses jobs whose requests would stand in one file, here or of an earlier run.
func (r *Run) distinct(res *Results) error {
	owner := map[string]string{}
	for name := range res.Requests {
		owner[filepath.Join(r.Out, RequestsFile(name))] = name
	}
	for _, j := range r.Jobs {
		file := r.requestsFile(j)
		if other := owner[file]; file != "" && other != "" && other != j.Name {
			return fmt.Errorf("the requests of %s and %s would both stand in %s\nhint: another --out for one of them", other, j.Name, file)
		}
		owner[file] = j.Name
	}
	return nil
}

// left returns the jobs whose results res does not have, or has of something else.
func (r *Run) left(res *Results, a Answerer) (todo []due, err error) {
	var identity map[string]string
	if r.Out != "" {
		if identity, err = a.Identity(); err != nil {
			return nil, err
		}
	}
	hashes := map[string]string{} // of the files that were read before
	for _, j := range r.Jobs {
		d := due{Job: j, weights: identity["weights"]}
		if identity != nil { // of weights that change there is nothing to go by
			if d.digest, err = j.digest(identity, r.Tokens, r.Thinking, hashes); err != nil {
				return nil, err
			}
		}
		if d.digest != "" && res.Digests[j.Name] == d.digest {
			if score, ok := res.score(j, r.requestsFile(j)); ok {
				res.Scores[j.Name] = score
				if r.Kept != nil {
					r.Kept(j.Name)
				}
				continue
			}
		}
		todo = append(todo, d)
	}
	return todo, nil
}

// scored is what a job comes to.
type scored struct {
	figures   figures
	documents int
	chance    float64 // sum over the documents
	truncated int
	endless   int // responses that end within their thinking
	tokens    int64
	all       Perplexity // of a task of documents
	domains   map[string]*Perplexity
}

// do scores one job and writes its requests, then the results so far. Its digest joins them
// only now: beside an earlier result it would make a later run keep that one.
func (r *Run) do(ctx context.Context, a Answerer, d due, res *Results) error {
	began := time.Now()
	answers, kept, err := r.answers(ctx, a, d)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	s, sum, err := r.judge(ctx, d.Job, answers)
	if err == nil {
		if d.digest != "" {
			res.Digests[d.Name] = d.digest
		}
		delete(res.Weights, d.Name)
		if d.weights != "" {
			res.Weights[d.Name] = d.weights
		}
		if sum != "" {
			res.Requests[d.Name] = sum
		}
		res.Seconds[d.Name] = time.Since(began).Seconds()
		err = res.add(d.Job, s)
	}
	if err == nil {
		err = r.write(res)
	}
	if kept == nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name, cmp.Or(err, kept.Keep()))
	}
	kept.End()
	return nil
}

// How much is asked at once: enough to share what requests have in common, little enough to stay
// in memory.
const (
	waveRequests = 8192
	waveBytes    = 32 << 20
)

// wave gathers requests that are asked together. numbers are their places among all.
type wave struct {
	requests []Request
	numbers  []int
	bytes    int
	ask      func(w *wave) error
}

// add takes a request of a document, whose sampled answers have random numbers of their own.
func (w *wave) add(r Request, number, doc int) {
	if r.Form == Text {
		r.Sampling.Seed = documentSeed(r.Sampling.Seed, doc)
	}
	w.requests, w.numbers = append(w.requests, r), append(w.numbers, number)
	w.bytes += len(r.Context) + len(r.Continuation)
}

func (w *wave) full() bool { return len(w.requests) >= waveRequests || w.bytes >= waveBytes }

// flush asks what there is.
func (w *wave) flush() error {
	if len(w.requests) == 0 {
		return nil
	}
	err := w.ask(w)
	w.requests, w.numbers, w.bytes = w.requests[:0], w.numbers[:0], 0
	return err
}

// answers asks what no earlier run has asked. The answers are in the order of the documents'
// requests.
func (r *Run) answers(ctx context.Context, a Answerer, d due) (answers []Answer, j *journal.Journal[Answer], err error) {
	kept := map[int]Answer{}
	if file := r.requestsFile(d.Job); file != "" && d.digest != "" {
		if j, kept, err = journal.Open[Answer](file, d.digest); err != nil {
			return nil, nil, err
		}
		defer func() {
			if err != nil {
				err = cmp.Or(err, j.Keep())
				j = nil
			}
		}()
	}
	now := Progress{Job: d.Name}
	if d.Task.Each != nil {
		for _, doc := range d.documents {
			now.Total += len(doc.Requests)
		}
	}
	r.tell(now)
	w := &wave{ask: func(w *wave) error {
		return a.Answer(ctx, w.requests, AnswerOptions{Boundary: d.Boundary, Tokens: r.Tokens, Memory: r.Memory, NoShare: r.NoShare, Thinking: r.Thinking}, func(i int, x Answer) error {
			answers[w.numbers[i]] = x
			now.Done++
			if w.requests[i].Form == Rolling {
				now.Documents++
				now.Text += int64(len(w.requests[i].Continuation))
			}
			r.tell(now)
			if j != nil {
				return j.Add(w.numbers[i], x)
			}
			return nil
		})
	}}
	for doc, err := range d.Each() {
		if err != nil {
			return nil, j, err
		}
		for _, q := range doc.Requests {
			n := len(answers)
			x, ok := kept[n]
			answers = append(answers, x)
			if ok {
				now.Done++
				continue
			}
			w.add(q, n, doc.Index)
		}
		if w.full() {
			if err := w.flush(); err != nil {
				return nil, j, err
			}
		}
	}
	return answers, j, w.flush()
}

func (r *Run) tell(p Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}

// judge makes the job's figures, and writes its requests with their answers; sum is the hash
// of their file, empty without one.
func (r *Run) judge(ctx context.Context, j *Job, answers []Answer) (s *scored, sum string, err error) {
	s = &scored{figures: figures{task: j.Task}, domains: map[string]*Perplexity{}}
	var file *data.Writer
	h := sha256.New()
	keep := func(Line) error { return nil }
	if name := r.requestsFile(j); name != "" {
		if file, err = data.CreateWriter(name); err != nil {
			return nil, "", err
		}
		defer file.Abort()
		e := json.NewEncoder(io.MultiWriter(file, h))
		e.SetEscapeHTML(false)
		keep = func(l Line) error { return e.Encode(l) }
	}
	passed, err := r.programs(ctx, j, answers)
	if err != nil {
		return nil, "", err
	}
	n := 0
	for d, err := range j.Each() {
		if err != nil {
			return nil, "", err
		}
		own := answers[:len(d.Requests)]
		answers = answers[len(d.Requests):]
		verdicts := map[string][]bool{}
		for filter, all := range passed {
			verdicts[filter] = all[n]
		}
		n++
		judged, thought, endless := answered(own, r.Thinking)
		v, err := j.Task.judge(d, judged, verdicts)
		if err != nil {
			return nil, "", err
		}
		s.endless += endless
		if thought && v.filtered == nil {
			v.filtered = map[string]string{noFilter: judged[0].Texts[0]}
		}
		s.add(j, d, own, v)
		for _, l := range d.lines(own, v) {
			if err := keep(l); err != nil {
				return nil, "", err
			}
		}
	}
	if j.Task.Each == nil && s.all.Bytes == 0 {
		return nil, "", fmt.Errorf("there is no text to measure in %d documents", s.all.Documents)
	}
	if r.Warn != nil && s.truncated > 0 {
		r.Warn(fmt.Sprintf("%s: %d requests do not fit the model: the beginning of their context is left out", j.Name, s.truncated))
	}
	if r.Warn != nil && s.endless > 0 {
		r.Warn(fmt.Sprintf("%s: %d responses end before their thinking does, and are judged as empty answers\nhint: more tokens with --gen-kwargs max_gen_toks=N", j.Name, s.endless))
	}
	if file == nil {
		return s, "", nil
	}
	return s, hexSum(h), file.Close()
}

// answered leaves the thinking out of responses. thought says that there was some, endless counts
// those in which it does not end.
func answered(answers []Answer, t chat.Thinking) (judged []Answer, thought bool, endless int) {
	judged = slices.Clone(answers)
	for i := range judged {
		a := &judged[i]
		t.Begun = a.Thinking
		a.Texts = slices.Clone(a.Texts)
		for k, text := range a.Texts {
			answer, closed := t.Answer(text)
			a.Texts[k], thought = answer, thought || answer != text
			endless += int(number(!closed))
		}
	}
	return judged, thought, endless
}

// add counts a document.
func (s *scored) add(j *Job, d *Document, answers []Answer, v judged) {
	s.documents++
	s.figures.add(v)
	if n := len(d.Choices); n > 0 {
		s.chance += float64(max(len(d.Gold), 1)) / float64(n)
	}
	for _, a := range answers {
		s.tokens += int64(a.Tokens)
		s.truncated += int(number(a.Truncated))
	}
	if j.Task.Each == nil {
		text, a := d.Requests[0].Continuation, answers[0]
		s.all.Add(text, a.Tokens, -a.Logprob)
		domain := d.domain(j.By)
		if s.domains[domain] == nil {
			s.domains[domain] = &Perplexity{}
		}
		s.domains[domain].Add(text, a.Tokens, -a.Logprob)
	}
}
