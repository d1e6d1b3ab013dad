package eval

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	evaldata "olmo/eval/data"
	"olmo/eval/stats"
	"olmo/internal/pyjson"
)

// Results is what results.json holds: lm-eval's form, and what a later run needs to know that
// a result need not be computed again.
type Results struct {
	Results       map[string]map[string]any  `json:"results"`
	Groups        map[string]map[string]any  `json:"groups,omitempty"`
	GroupSubtasks map[string][]string        `json:"group_subtasks,omitempty"`
	Samples       map[string]Samples         `json:"n-samples"`
	Shots         map[string]int             `json:"n-shot"`
	Higher        map[string]map[string]bool `json:"higher_is_better"`
	Versions      map[string]any             `json:"versions"`
	Configs       map[string]map[string]any  `json:"configs"`
	Config        map[string]any             `json:"config"`
	ModelName     string                     `json:"model_name"`
	// Boundary is the convention of each task's requests, Truncated counts those whose beginning
	// did not fit the model, Tokens those that were scored or written, Seconds is the time of
	// their answers, which alone differs from run to run.
	Boundary  map[string]Boundary `json:"boundary"`
	Truncated map[string]int      `json:"truncated"`
	Tokens    map[string]int64    `json:"tokens"`
	Seconds   map[string]float64  `json:"seconds"`
	// Headline is the figure that each task is quoted with.
	Headline map[string]string `json:"quoted,omitempty"`
	// Intervals are Wilson's of 95 % of the figures that are shares, by task and figure.
	Intervals map[string]map[string]stats.Interval `json:"intervals,omitempty"`
	// Data says where a task's rows came from: a file with its SHA-256, or "inside".
	Data map[string][]Data `json:"data,omitempty"`
	// Digests are hashes of all that a result depends on, Requests those of the files that
	// hold its requests.
	Digests map[string]string `json:"digests"`
	// Weights are the weights_digest of the model that a task was asked of, where its files are here.
	Weights  map[string]string `json:"weights,omitempty"`
	Requests map[string]string `json:"requests,omitempty"`
	Notices  []string          `json:"notices,omitempty"`

	// Scores are the results of this run's jobs.
	Scores map[string]Score `json:"-"`
}

// Samples counts a task's documents: those that there are, and those that were asked.
type Samples struct {
	Original  int `json:"original"`
	Effective int `json:"effective"`
}

// Data is where a task's rows came from.
type Data struct {
	Name   string `json:"name,omitempty"`
	Place  string `json:"place"`
	SHA256 string `json:"sha256,omitempty"`
}

// Score is the result of a job.
type Score struct {
	Figures   map[string]Figure      // by metric, with a comma and the filter's name where there are filters
	Choices   *ChoiceScore           // of a task of OLMo's in-loop evaluation
	Documents *Perplexity            // of a task of documents
	Domains   map[string]*Perplexity // the same by domain, where there are several
}

func newResults() *Results {
	return &Results{
		Results: map[string]map[string]any{}, Samples: map[string]Samples{}, Shots: map[string]int{}, Higher: map[string]map[string]bool{},
		Versions: map[string]any{}, Configs: map[string]map[string]any{}, Boundary: map[string]Boundary{}, Truncated: map[string]int{},
		Groups: map[string]map[string]any{}, GroupSubtasks: map[string][]string{}, Tokens: map[string]int64{}, Seconds: map[string]float64{}, Data: map[string][]Data{}, Digests: map[string]string{}, Weights: map[string]string{}, Requests: map[string]string{},
		Scores: map[string]Score{}, Intervals: map[string]map[string]stats.Interval{}, Headline: map[string]string{},
	}
}

// readResults reads a results.json, of which nothing may be there yet.
func readResults(file string) (*Results, error) {
	res := newResults()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return res, nil
	}
	if err == nil {
		// What is not known here would be lost when the file is written anew.
		err = pyjson.Strict(text, res)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: it is no results.json of this version: %w\nhint: another --out, or remove the file", file, err)
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
	fields := res.Results[j.Name]
	text, err := json.Marshal(fields)
	if err != nil || fields == nil {
		return s, false
	}
	if j.Task.Kind == Documents {
		var domains struct{ Domains map[string]*Perplexity }
		err = errors.Join(json.Unmarshal(text, &s.Documents), json.Unmarshal(text, &domains))
		s.Domains = domains.Domains
		return s, err == nil
	}
	s.Figures = map[string]Figure{}
	for _, m := range j.Task.Metrics {
		for _, f := range j.Task.filters() {
			if v, ok := fields[m.Name+","+f.Name].(float64); ok {
				x := Figure{Value: v, N: res.Samples[j.Name].Effective, Lower: m.Lower}
				if e, ok := fields[m.Name+"_stderr,"+f.Name].(float64); ok {
					x.StdErr = &e
				}
				if i, ok := res.Intervals[j.Name][m.Name+","+f.Name]; ok {
					x.Interval = &i
				}
				s.Figures[figureName(m.Name, f.Name)] = x
			}
		}
	}
	if j.Task.inLoop() {
		err = json.Unmarshal(text, &s.Choices)
	}
	return s, err == nil
}

// lmEvalNames are the names that lm-eval's tables give to figures of ours.
var lmEvalNames = map[string]string{
	LenNorm: "acc_norm", "perplexity_per_byte": "byte_perplexity", "perplexity_per_word": "word_perplexity", "bits_per_byte": "bits_per_byte",
}

// add keeps a job's score, its figures also under lm-eval's names.
func (res *Results) add(j *Job, s *scored) error {
	fields := map[string]any{"alias": cmp.Or(j.Task.Alias, j.Name), "name": j.Name, "sample_len": s.documents}
	score := Score{Figures: s.figures.all()}
	higher := map[string]bool{}
	intervals := map[string]stats.Interval{}
	for _, f := range j.Task.filters() {
		for _, m := range j.Task.Metrics {
			x, ok := score.Figures[figureName(m.Name, f.Name)]
			if !ok {
				continue
			}
			higher[m.Name] = !m.Lower
			if x.Interval != nil {
				intervals[m.Name+","+f.Name] = *x.Interval
			}
			names := []string{m.Name}
			if other, ok := lmEvalNames[m.Name]; ok && j.Task.inLoop() {
				names = append(names, other)
			}
			for _, name := range names {
				fields[name+","+f.Name], fields[name+"_stderr,"+f.Name] = finite(x.Value), "N/A"
				if x.StdErr != nil {
					fields[name+"_stderr,"+f.Name] = finite(*x.StdErr)
				}
			}
			if f.Name == noFilter {
				fields[m.Name] = finite(x.Value)
				if x.StdErr != nil {
					fields[m.Name+"_stderr"] = finite(*x.StdErr)
				}
			}
		}
	}
	if j.Task.Kind == Choices {
		fields["chance"] = s.chance / float64(max(s.documents, 1))
	}
	switch {
	case j.Task.Kind == Documents:
		score.Figures, score.Documents = nil, &s.all
		p, err := asMap(s.all)
		if err != nil {
			return err
		}
		maps.Copy(fields, p)
		for ours, theirs := range lmEvalNames {
			if v, ok := p[ours]; ok {
				fields[theirs+",none"] = v
			}
		}
		if len(s.domains) > 1 {
			score.Domains = s.domains
			domains := map[string]any{}
			for name, p := range s.domains {
				if domains[name], err = asMap(p); err != nil {
					return err
				}
			}
			fields["domains"] = domains
			fields["perplexity_per_token_macro"] = macro(s.domains, func(p *Perplexity) (float64, bool) { return p.PerToken, p.Tokens > 0 })
			fields["bits_per_byte_macro"] = macro(s.domains, func(p *Perplexity) (float64, bool) { return p.BitsPerByte, p.Bytes > 0 })
		}
		higher["bits_per_byte"] = false
	case j.Task.inLoop():
		fields["task"], fields["metric"], fields["questions"] = j.Task.Name, j.Task.Quoted, s.documents
		text, err := json.Marshal(fields)
		if err == nil {
			err = json.Unmarshal(text, &score.Choices)
		}
		if err != nil {
			return err
		}
	}
	for _, d := range j.data {
		if notice := evaldata.Notice(d.Name); d.Place == evaldata.Inside && !slices.Contains(res.Notices, notice) {
			res.Notices = append(res.Notices, notice) // the questions that are embedded want their authors named
		}
	}
	original := j.original
	if j.Task.Each == nil {
		original = s.documents
	}
	res.Samples[j.Name] = Samples{Original: original, Effective: s.documents}
	if res.Shots[j.Name], res.Configs[j.Name] = j.Task.Shots, j.Task.Config; j.Task.Version != nil {
		res.Versions[j.Name] = j.Task.Version
	}
	res.Higher[j.Name], res.Boundary[j.Name], res.Truncated[j.Name], res.Tokens[j.Name] = higher, j.Boundary, s.truncated, s.tokens
	res.Headline[j.Name] = j.Task.Quoted
	delete(res.Intervals, j.Name)
	if len(intervals) > 0 {
		res.Intervals[j.Name] = intervals
	}
	if len(j.data) > 0 {
		res.Data[j.Name] = j.data
	}
	res.Results[j.Name], res.Scores[j.Name] = fields, score
	return nil
}

// finite is a figure as JSON can hold it: null for what is no number.
func finite(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
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

// macro returns the mean of a figure over domains, whatever their sizes. A domain without text
// has none.
func macro(domains map[string]*Perplexity, figure func(p *Perplexity) (float64, bool)) any {
	var sum float64
	n := 0
	for _, name := range slices.Sorted(maps.Keys(domains)) {
		if x, ok := figure(domains[name]); ok {
			sum += x
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return sum / float64(n)
}

// Quoted is the figure that the job's task is quoted with.
func (res *Results) Quoted(j *Job) (Figure, bool) {
	s := res.Scores[j.Name]
	if s.Documents != nil {
		return Figure{Value: s.Documents.BitsPerByte, N: s.Documents.Documents, Lower: true}, s.Documents.Bytes > 0
	}
	if x, ok := s.Figures[j.Task.Quoted]; ok {
		return x, true
	}
	x, ok := s.Figures[strings.TrimSuffix(j.Task.Quoted, ","+noFilter)]
	return x, ok
}
