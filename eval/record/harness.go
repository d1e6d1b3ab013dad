package record

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/eval/python"
	"olmo/internal/pyjson"
	"olmo/numeric"
)

const formatHarness = "lm-eval"

// lm-eval 0.4.13 (loggers/evaluation_tracker.py) ends its files' names with the time of the run,
// in which names sort as times do.
var (
	harnessResults = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^.*_(\d{4}-\d\d-\d\dT[\d.-]+)\.json$`)
	})
	harnessSamples = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^samples_(.*)_(\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl$`)
	})
)

// openHarness reads a folder of lm-eval's. Of several runs in it each task's last one counts.
func openHarness(folder string, files []string) (*Run, error) {
	r := &Run{Format: formatHarness, tasks: map[string]func() (*Task, error){}}
	var results struct {
		Higher map[string]map[string]*bool `json:"higher_is_better"`
		Model  string                      `json:"model_name"`
		Config struct {
			Parameters int64 `json:"model_num_parameters"`
		} `json:"config"`
		// Of this program's exports.
		Boundary map[string]string `json:"boundary"`
	}
	newest, at := map[string]string{}, map[string]string{}
	higher, boundary := map[string]map[string]*bool{}, map[string]string{}
	files = slices.Sorted(slices.Values(files))
	found := false
	for _, name := range files {
		if m := harnessSamples().FindStringSubmatch(name); m != nil {
			if m[2] >= at[m[1]] {
				newest[m[1]], at[m[1]] = name, m[2]
			}
			found = true
			continue
		}
		if !harnessResults().MatchString(name) {
			continue
		}
		file := filepath.Join(folder, name)
		text, err := os.ReadFile(file)
		if err == nil {
			err = pyjson.Unmarshal(text, &results)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: it is no results of lm-eval: %w", file, err)
		}
		for task, h := range results.Higher {
			higher[task] = h
		}
		for task, b := range results.Boundary {
			boundary[task] = b
		}
		found = true
	}
	if !found {
		return nil, nil
	}
	r.Model, r.Parameters = results.Model, results.Config.Parameters
	names := map[string]string{} // of tasks whose files cannot be called so
	for task := range higher {
		names[sanitized(task)] = task
	}
	for stem, file := range newest {
		task := cmp.Or(names[stem], stem)
		r.tasks[task] = func() (*Task, error) {
			t := &Task{Name: task, Boundary: cmp.Or(boundary[task], "together"), lower: lower(higher[task])}
			return t, t.readHarness(filepath.Join(folder, file))
		}
	}
	return r, nil
}

// sample is a line of lm-eval's: a document as one filter leaves it.
type sample struct {
	Doc       int             `json:"doc_id"`
	Row       json.RawMessage `json:"doc"`
	Target    any             `json:"target"`
	Arguments arguments       `json:"arguments"`
	Responses []any           `json:"resps"`
	Filtered  []any           `json:"filtered_resps"`
	Filter    string          `json:"filter"`
	Metrics   []string        `json:"metrics"`
	Hash      string          `json:"doc_hash"`
	values    map[string]json.RawMessage
}

func (s *sample) UnmarshalJSON(text []byte) error {
	type plain sample
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	return json.Unmarshal(text, &s.values)
}

// arguments are those of a sample's requests: objects of objects, or lists of lists as versions
// before 0.4.4 have them.
type arguments [][]json.RawMessage

func (a *arguments) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, (*[][]json.RawMessage)(a)) == nil {
		return nil
	}
	var named map[string]map[string]json.RawMessage
	if err := json.Unmarshal(text, &named); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	*a = make(arguments, len(named))
	for i := range *a {
		own, ok := named["gen_args_"+strconv.Itoa(i)]
		if !ok {
			return fmt.Errorf("arguments: there is no gen_args_%d", i)
		}
		for k := range len(own) {
			(*a)[i] = append((*a)[i], own["arg_"+strconv.Itoa(k)])
		}
	}
	return nil
}

// known are the members of a sample that are no metrics' values, for versions that do not list
// the metrics.
var known = []string{"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}

// readHarness reads samples_TASK_….jsonl: all documents of the first filter, then those of the next.
func (t *Task) readHarness(path string) error {
	number := map[int]int{} // of a doc_id among the documents
	return eachLine(path, func(s *sample) error {
		i, ok := number[s.Doc]
		if !ok {
			i = len(t.Documents)
			number[s.Doc] = i
			d, err := s.document()
			if err != nil {
				return err
			}
			t.Documents = append(t.Documents, d)
		}
		d := &t.Documents[i]
		if s.Filter == "" {
			s.Filter = noFilter
		}
		if s.Metrics == nil {
			for _, name := range slices.Sorted(maps.Keys(s.values)) {
				if !slices.Contains(known, name) {
					s.Metrics = append(s.Metrics, name)
				}
			}
		}
		for _, metric := range s.Metrics {
			if d.Values[metric+","+s.Filter] != nil {
				return fmt.Errorf("document %d is there twice", s.Doc)
			}
			var v any
			if err := json.Unmarshal(s.values[metric], &v); err != nil {
				return fmt.Errorf("document %d has no value of %s", s.Doc, metric)
			}
			if _, isNumber := v.(float64); metric == "brier_score" && !isNumber {
				v = d.brier()
			}
			d.Values[metric+","+s.Filter] = plain(v)
		}
		if d.Requests[0].Text && len(s.Filtered) > 0 {
			if text := first(s.Filtered[0]); text != "" {
				d.Filtered[s.Filter] = text
			}
		}
		return nil
	})
}

// first is a text, or that of the first of several.
func first(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			return first(v[0])
		}
	}
	return ""
}

// brier computes the Brier score of a document, which lm-eval does when it aggregates: what it
// logs is the right choice with all choices' probabilities, cut to eight digits.
func (d *Document) brier() any {
	if len(d.Gold) != 1 {
		return nil
	}
	top, all, sum := math.Inf(-1), 0.0, 0.0
	for _, q := range d.Requests {
		if !q.Unconditional {
			top = max(top, q.Logprob)
		}
	}
	for _, q := range d.Requests {
		if !q.Unconditional {
			all += numeric.Exp(q.Logprob - top)
		}
	}
	for i, q := range d.Requests {
		if q.Unconditional {
			break
		}
		p := numeric.Exp(q.Logprob-top) / all
		if i == d.Gold[0] {
			p--
		}
		sum += float64(p * p)
	}
	return sum
}

// document makes a document of its first sample.
func (s *sample) document() (Document, error) {
	d := Document{Hash: s.Hash, Index: s.Doc, Values: map[string]any{}, Filtered: map[string]string{}}
	if d.Hash == "" { // versions before 0.4.3
		row, err := python.Dumps(s.Row)
		if err != nil {
			return d, fmt.Errorf("document %d has neither doc_hash nor a row", s.Doc)
		}
		d.Hash = hashOf(row)
	}
	for i, own := range s.Arguments {
		q, err := s.request(own, i)
		if err != nil {
			return d, fmt.Errorf("document %d: request %d: %w", s.Doc, i, err)
		}
		d.Requests = append(d.Requests, q)
	}
	if len(d.Requests) == 0 {
		return d, fmt.Errorf("document %d has no arguments", s.Doc)
	}
	unconditional(d.Requests)
	target := fmt.Sprint(s.Target)
	if d.Requests[0].Text {
		d.Targets = []string{target}
	} else if len(d.Requests) > 1 {
		d.Gold = chosen(target, d.Requests)
	}
	return d, nil
}

// chosen are the choices that a target names: a number, a list of them, or the text of one choice.
func chosen(target string, requests []Request) (gold []int) {
	inner, isList := strings.CutPrefix(target, "[")
	if isList {
		inner, isList = strings.CutSuffix(inner, "]")
	}
	if !isList {
		inner = target
	}
	for _, part := range strings.Split(inner, ",") {
		g, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			gold = nil
			break
		}
		gold = append(gold, g)
	}
	if gold != nil {
		return gold
	}
	for i, q := range requests {
		if !q.Unconditional && strings.TrimSpace(q.Continuation) == strings.TrimSpace(target) {
			gold = append(gold, i)
		}
	}
	if len(gold) != 1 { // contexts with one ending
		return nil
	}
	return gold
}

// request reads a request: a context with a continuation, a context with how to go on from it,
// or a text alone.
func (s *sample) request(arguments []json.RawMessage, i int) (q Request, err error) {
	if len(arguments) == 0 || json.Unmarshal(arguments[0], &q.Context) != nil {
		return q, errors.New("its first argument is no text")
	}
	if len(arguments) == 1 {
		q.Context, q.Continuation = "", q.Context
	} else if json.Unmarshal(arguments[1], &q.Continuation) != nil {
		q.Text = true
	}
	if i >= len(s.Responses) {
		return q, nil
	}
	// Every repeat has an answer; a log-probability has one.
	repeats, _ := s.Responses[i].([]any)
	for _, r := range repeats {
		if text, ok := r.(string); ok && q.Text {
			q.Responses = append(q.Responses, text)
			continue
		}
		pair, ok := r.([]any)
		if !ok {
			pair = []any{r}
		}
		if q.Logprob, err = strconv.ParseFloat(fmt.Sprint(pair[0]), 64); err != nil {
			return q, fmt.Errorf("the log-probability is %v", pair[0])
		}
		q.Greedy = len(pair) > 1 && fmt.Sprint(pair[1]) == "True"
	}
	return q, nil
}

// unconditional finds the requests that acc_mutual_info asks after the choices: the same
// continuations after nothing.
func unconditional(requests []Request) {
	n := len(requests) / 2
	if n < 1 || len(requests)%2 == 1 {
		return
	}
	for i := range n {
		if q := requests[n+i]; q.Context != "" || q.Continuation != requests[i].Continuation || requests[i].Context == "" {
			return
		}
	}
	for i := range n {
		requests[n+i].Unconditional = true
	}
}
