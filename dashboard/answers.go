package dashboard

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"unicode/utf8"

	"olmo/runlog"
	"olmo/store"
)

// The page of rollouts has at most so many
const (
	mostPlaces    = 500 // places along the steps
	mostVerifiers = 8   // verifiers: there are as many colours
	mostPrompts   = 200 // prompts to choose from
	shownSteps    = 8   // steps of a prompt beside each other
	shownSamples  = 64  // samples of a step below each other
	shownText     = 600 // characters of a sample's text, unless it is opened
)

// sampled is what the page shows of all rollouts of a run.
type sampled struct {
	Began     int      `json:"began"`
	Lines     int      `json:"lines"`
	Bad       int      `json:"bad"` // lines that are no rollouts
	Prompts   int      `json:"prompts"`
	Steps     []int    `json:"steps"` // the first step of each place
	Per       int      `json:"per"`   // steps of a place
	Verifiers []course `json:"verifiers"`
	Others    int      `json:"others"` // verifiers that are not shown
	Lengths   []length `json:"lengths"`
}

// course is what a verifier gave over the steps, null where it judged nothing.
type course struct {
	Name    string `json:"name"`
	Answers int    `json:"answers"`
	Score   []any  `json:"score"`  // mean
	Tokens  []any  `json:"tokens"` // mean length of the answers
}

// length is a histogram of a step's answers: Stopped and Cut have the numbers of those that have up to
// Edges tokens and more than the edge before.
type length struct {
	Step    int   `json:"step"`
	Answers int   `json:"answers"`
	Edges   []int `json:"edges"`
	Stopped []int `json:"stopped"`
	Cut     []int `json:"cut"`
}

// rolloutsOf brings the rollouts of the run that a request names up to date, and holds them until done
// is called; nil when the request is answered.
func (d *server) rolloutsOf(w http.ResponseWriter, q *http.Request) (r *run, all *rollouts, done func()) {
	if r = d.of(w, q); r == nil {
		return nil, nil, nil
	}
	all = r.rollouts
	all.mu.Lock()
	if err := all.update(); err != nil {
		all.mu.Unlock()
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return nil, nil, nil
	}
	return r, all, all.mu.Unlock
}

// sampled answers with all rollouts in figures, with the lengths at the first step and at ?step=, else
// at the last one.
func (d *server) sampled(w http.ResponseWriter, q *http.Request) {
	step, err := whole(q, "step", math.MaxInt32, math.MaxInt32)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r, all, done := d.rolloutsOf(w, q)
	if r == nil {
		return
	}
	defer done()
	a := sampled{Began: all.began, Lines: len(all.lines), Bad: all.bad, Prompts: len(all.prompts()), Verifiers: []course{}, Lengths: []length{}}
	steps := all.steps()
	all.courses(&a, steps)
	if len(steps) > 0 {
		i, found := slices.BinarySearch(steps, step)
		if !found {
			i = max(i-1, 0)
		}
		a.Lengths = all.lengths(steps[0], steps[i])
	}
	answer(w, a)
}

// courses fills in what each verifier gave.
func (r *rollouts) courses(a *sampled, steps []int) {
	a.Per = max(1, (len(steps)+mostPlaces-1)/mostPlaces)
	a.Steps = []int{}
	for i := 0; i < len(steps); i += a.Per {
		a.Steps = append(a.Steps, steps[i])
	}
	type means struct{ score, tokens average }
	places := make([][]means, len(r.verifiers))
	counts := make([]int, len(r.verifiers))
	for v := range places {
		places[v] = make([]means, len(a.Steps))
	}
	place := 0
	for _, l := range r.lines {
		for place+1 < len(a.Steps) && int(l.step) >= a.Steps[place+1] {
			place++
		}
		m := &places[l.verifier][place]
		m.score.add(float64(l.score))
		m.tokens.add(float64(l.tokens))
		counts[l.verifier]++
	}
	order := make([]int, 0, len(r.verifiers))
	for v := range r.verifiers {
		if counts[v] > 0 {
			order = append(order, v)
		}
	}
	slices.SortFunc(order, func(v, w int) int {
		return cmp.Or(counts[w]-counts[v], cmp.Compare(r.verifiers[v], r.verifiers[w]))
	})
	a.Others = max(0, len(order)-mostVerifiers)
	for _, v := range order[:len(order)-a.Others] {
		c := course{Name: r.verifiers[v], Answers: counts[v], Score: []any{}, Tokens: []any{}}
		for i := range places[v] {
			c.Score, c.Tokens = append(c.Score, places[v][i].score.value()), append(c.Tokens, places[v][i].tokens.value())
		}
		a.Verifiers = append(a.Verifiers, c)
	}
}

// lengths are the histograms of steps, with the same edges: twelve at most, round ones.
func (r *rollouts) lengths(steps ...int) []length {
	steps = slices.Compact(steps)
	longest := 1
	for _, step := range steps {
		for _, l := range r.of(step) {
			longest = max(longest, int(l.tokens))
		}
	}
	width := 1
	for i := 0; (longest+width-1)/width > 12; i++ {
		width = []int{2, 5, 10}[i%3] * int(math.Pow10(i/3))
	}
	var list []length
	for _, step := range steps {
		h := length{Step: step}
		for edge := width; edge < longest+width; edge += width {
			h.Edges, h.Stopped, h.Cut = append(h.Edges, edge), append(h.Stopped, 0), append(h.Cut, 0)
		}
		for _, l := range r.of(step) {
			bin := max(int(l.tokens)-1, 0) / width
			if h.Answers++; l.stopped {
				h.Stopped[bin]++
			} else {
				h.Cut[bin]++
			}
		}
		list = append(list, h)
	}
	return list
}

// promptOrders are those in which prompts are offered.
var promptOrders = map[string]func(a, b *asked) int{
	"often":  func(a, b *asked) int { return b.Steps - a.Steps },
	"risen":  func(a, b *asked) int { return cmp.Compare(b.last.of()-b.first.of(), a.last.of()-a.first.of()) },
	"fallen": func(a, b *asked) int { return cmp.Compare(a.last.of()-a.first.of(), b.last.of()-b.first.of()) },
	"low":    func(a, b *asked) int { return cmp.Compare(a.last.of(), b.last.of()) },
	"high":   func(a, b *asked) int { return cmp.Compare(b.last.of(), a.last.of()) },
}

// prompts answers with those that one may choose from, in the order that ?order= names.
func (d *server) prompts(w http.ResponseWriter, q *http.Request) {
	order, ok := promptOrders[cmp.Or(q.FormValue("order"), "often")]
	if !ok {
		http.Error(w, "there is no such order of prompts", http.StatusBadRequest)
		return
	}
	r, all, done := d.rolloutsOf(w, q)
	if r == nil {
		return
	}
	defer done()
	list := all.prompts()
	slices.SortFunc(list, func(a, b *asked) int { return cmp.Or(order(a, b), a.Prompt-b.Prompt) })
	list = append([]*asked{}, list[:min(len(list), mostPrompts)]...)
	for _, p := range list {
		p.Verifier, p.First, p.Last = all.verifiers[p.verifier], p.first.value(), p.last.value()
	}
	answer(w, list)
}

// answers is what the page shows of a prompt.
type answers struct {
	Prompt int    `json:"prompt"`
	Text   string `json:"text"`  // nothing without a tokenizer
	Truth  string `json:"truth"` // what the verifier compares with
	Steps  []int  `json:"steps"` // at which it was asked, at most so many as there are places
	Means  []any  `json:"means"` // of the scores
	// Shown are some of the steps within what was asked for, with their samples.
	Shown []answersOf `json:"shown"`
}

// answersOf are the answers of a step.
type answersOf struct {
	Step    int      `json:"step"`
	Mean    any      `json:"mean"`
	Total   int      `json:"total"` // of samples
	Samples []sample `json:"samples"`
}

// sample is an answer.
type sample struct {
	Line      int    `json:"line"` // of the rollouts, as the page asks for it
	Step      int    `json:"step"`
	Prompt    int    `json:"prompt"`
	Sample    int    `json:"sample"`
	Verifier  string `json:"verifier"`
	Score     any    `json:"score"`
	Advantage any    `json:"advantage"`
	Tokens    int    `json:"tokens"`
	Stopped   bool   `json:"stopped"`
	Trained   *bool  `json:"trained"` // null where the file does not say
	LogProb   any    `json:"logprob"` // mean of the tokens'
	Text      string `json:"text"`
	Cut       int    `json:"cut"` // characters of the text that are left out

	Asked string `json:"asked,omitempty"` // text of the prompt, of a single sample
	Truth string `json:"truth,omitempty"`

	promptIDs []int32
}

// answers answers with a prompt's samples at some steps between ?from= and ?to=, beside each other.
func (d *server) answers(w http.ResponseWriter, q *http.Request) {
	prompt, err := strconv.Atoi(q.PathValue("prompt"))
	from, bad1 := whole(q, "from", 0, math.MaxInt32)
	to, bad2 := whole(q, "to", math.MaxInt32, math.MaxInt32)
	if err := errors.Join(err, bad1, bad2); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r, all, done := d.rolloutsOf(w, q)
	if r == nil {
		return
	}
	defer done()
	groups := all.groups(prompt)
	if len(groups) == 0 {
		http.Error(w, fmt.Sprintf("prompt %d was not asked", prompt), http.StatusNotFound)
		return
	}
	a := answers{Prompt: prompt, Shown: []answersOf{}}
	for _, g := range spread(groups, mostPlaces) {
		a.Steps, a.Means = append(a.Steps, int(all.lines[g[0]].step)), append(a.Means, all.mean(g))
	}
	within := slices.DeleteFunc(slices.Clone(groups), func(g []int) bool {
		step := int(all.lines[g[0]].step)
		return step < from || step > to
	})
	for _, g := range spread(within, shownSteps) {
		s := answersOf{Step: int(all.lines[g[0]].step), Mean: all.mean(g), Total: len(g)}
		read, err := all.samples(g[:min(len(g), shownSamples)])
		if err != nil {
			// Another file has come in its place since; it is read at the next request.
			http.Error(w, fmt.Sprintf("reading %s: %v", all.path, err), http.StatusConflict)
			return
		}
		for i := range read {
			if a.Text == "" {
				a.Text, a.Truth = d.textOf(r, read[i].promptIDs), read[i].Truth
			}
			read[i].Truth = ""
			read[i].Text, read[i].Cut = beginning(read[i].Text, shownText)
		}
		s.Samples = read
		a.Shown = append(a.Shown, s)
	}
	answer(w, a)
}

// sample answers with a single one, whole.
func (d *server) sample(w http.ResponseWriter, q *http.Request) {
	n, err := strconv.Atoi(q.PathValue("line"))
	r, all, done := d.rolloutsOf(w, q)
	if r == nil {
		return
	}
	defer done()
	if err != nil || n < 0 || n >= len(all.lines) {
		http.Error(w, "there is no such rollout", http.StatusNotFound)
		return
	}
	read, err := all.samples([]int{n})
	if err != nil {
		http.Error(w, fmt.Sprintf("reading %s: %v", all.path, err), http.StatusConflict)
		return
	}
	read[0].Asked = d.textOf(r, read[0].promptIDs)
	answer(w, read[0])
}

// groups are the lines of a prompt, by steps.
func (r *rollouts) groups(prompt int) (groups [][]int) {
	step := int32(-1)
	for i := range r.lines {
		if l := &r.lines[i]; l.prompt == prompt {
			if l.step != step {
				groups, step = append(groups, nil), l.step
			}
			last := len(groups) - 1
			groups[last] = append(groups[last], i)
		}
	}
	return groups
}

func (r *rollouts) mean(lines []int) any {
	var m average
	for _, i := range lines {
		m.add(float64(r.lines[i].score))
	}
	return m.value()
}

// spread takes at most n of a list, the first and the last among them.
func spread[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	some := make([]T, n)
	for i := range some {
		some[i] = list[i*(len(list)-1)/(n-1)]
	}
	return some
}

// beginning is the first characters of a text, and how many were left out.
func beginning(text string, most int) (string, int) {
	n := 0
	for at := range text {
		if n == most {
			return text[:at], utf8.RuneCountInString(text[at:])
		}
		n++
	}
	return text, 0
}

// textOf is what ids say, nothing where no tokenizer is known.
func (d *server) textOf(r *run, ids []int32) string {
	if d.source == nil {
		return ""
	}
	text, err := d.source.Text(r.folder, ids)
	if err != nil {
		return ""
	}
	return text
}

// samples reads lines from the file, which is read anew next time when it has become another.
func (r *rollouts) samples(lines []int) ([]sample, error) {
	f, err := store.Open(filepath.Clean(r.path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list := []sample{}
	for _, i := range lines {
		l := &r.lines[i]
		text, err := r.text(f, l)
		if err != nil {
			r.reset()
			return nil, err
		}
		s := sample{Line: i, Step: int(l.step), Prompt: l.prompt, Sample: int(l.sample), Verifier: r.verifiers[l.verifier], Tokens: int(l.tokens), Stopped: l.stopped}
		s.Score, s.Advantage = number(l.score), number(l.advantage)
		s.read(text)
		list = append(list, s)
	}
	return list, nil
}

// number is a value as the page gets it, null for what is none.
func number(v float32) any {
	if !finite(float64(v)) {
		return nil
	}
	return v
}

// read takes from a line what the index does not have. A member of another type is as if it were missing.
func (s *sample) read(line []byte) {
	runlog.Members(line, func(key string, value []byte) {
		switch key {
		case "text":
			_ = json.Unmarshal(value, &s.Text)
		case "trained":
			_ = json.Unmarshal(value, &s.Trained)
		case "prompt_ids":
			_ = json.Unmarshal(value, &s.promptIDs)
		case "ground_truth":
			if json.Unmarshal(value, &s.Truth) != nil {
				s.Truth = string(value)
			}
		case "logprobs":
			var all []float64
			var m average
			if json.Unmarshal(value, &all) == nil {
				for _, v := range all {
					m.add(v)
				}
			}
			s.LogProb = m.value()
		}
	})
}
