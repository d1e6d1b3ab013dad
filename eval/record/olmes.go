package record

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"olmo/eval/python"
	"olmo/internal/pyjson"
)

const formatOLMES = "olmes"

// Each task of oe-eval has files of its own, "task-000-NAME-" before their names, or none when a
// folder holds one task.
var olmesPredictions = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:task-\d+-(.*)-)?predictions\.jsonl$`)
})

// openOLMES reads a folder of oe-eval's --output-dir.
func openOLMES(folder string, files []string) (*Run, error) {
	r := &Run{Format: formatOLMES, tasks: map[string]func() (*Task, error){}}
	found := slices.Contains(files, "metrics.json")
	for _, file := range files {
		m := olmesPredictions().FindStringSubmatch(file)
		if m == nil {
			continue
		}
		found = true
		prefix, name := strings.TrimSuffix(file, "predictions.jsonl"), m[1]
		var metrics struct {
			Task   string `json:"task_name"`
			Config struct {
				Primary  string `json:"primary_metric"`
				Metadata struct {
					Alias string `json:"alias"`
				} `json:"metadata"`
			} `json:"task_config"`
			Higher   map[string]*bool `json:"higher_is_better"` // as the boundary, of this program's exports
			Boundary string           `json:"boundary"`
			Model    struct {
				Model string `json:"model"`
			} `json:"model_config"`
		}
		if slices.Contains(files, prefix+"metrics.json") {
			path := filepath.Join(folder, prefix+"metrics.json")
			text, err := os.ReadFile(path)
			if err == nil {
				err = pyjson.Unmarshal(text, &metrics)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: it is no metrics.json of OLMES: %w", path, err)
			}
			r.Model = metrics.Model.Model
		}
		for _, better := range []string{metrics.Task, metrics.Config.Metadata.Alias} {
			if better != "" {
				name = better
			}
		}
		if name == "" {
			name = filepath.Base(folder)
		}
		if r.tasks[name] != nil {
			return nil, fmt.Errorf("%s has two tasks of the name %s", folder, name)
		}
		requests := ""
		if slices.Contains(files, prefix+"requests.jsonl") {
			requests = filepath.Join(folder, prefix+"requests.jsonl")
		}
		r.tasks[name] = func() (*Task, error) {
			t := &Task{Name: name, Boundary: cmp.Or(metrics.Boundary, "together"), lower: lower(metrics.Higher)}
			if primary := metrics.Config.Primary; primary != "" {
				t.quoted = withFilter(primary)
			}
			return t, t.readOLMES(filepath.Join(folder, file), requests)
		}
	}
	if !found {
		return nil, nil
	}
	return r, nil
}

// prediction is a line of predictions.jsonl: a document with its values.
type prediction struct {
	Doc     int            `json:"doc_id"`
	ID      any            `json:"native_id"`
	Metrics map[string]any `json:"metrics"`
	Label   any            `json:"label"`
	Hash    string         `json:"doc_hash"` // of this program's exports
	Output  []struct {
		SumLogits    *float64 `json:"sum_logits"`
		Greedy       bool     `json:"is_greedy"`
		Tokens       int      `json:"num_tokens"`
		Continuation *string  `json:"continuation"`
	} `json:"model_output"`
}

// isIndex reports whether a value says which choice, of which there is no mean.
func isIndex(metric string) bool {
	return strings.HasPrefix(metric, "predicted_index_") || metric == "correct_choice"
}

// asked is a line of requests.jsonl.
type asked struct {
	Doc     int             `json:"doc_id"`
	Row     json.RawMessage `json:"doc"`
	Type    string          `json:"request_type"`
	Request struct {
		Context      json.RawMessage `json:"context"`
		Continuation string          `json:"continuation"`
	} `json:"request"`
}

// unconditionalDocs is what the doc_ids of unconditional requests begin with.
const unconditionalDocs = 1_000_000

// readOLMES reads predictions.jsonl, with the requests where they were kept.
func (t *Task) readOLMES(path, requests string) error {
	number, hashed := map[int]int{}, map[int]bool{}
	err := eachLine(path, func(p *prediction) error {
		if _, ok := number[p.Doc]; ok {
			return fmt.Errorf("document %d is there twice", p.Doc)
		}
		d := Document{Index: p.Doc, Values: map[string]any{}}
		if p.ID != nil {
			d.ID = fmt.Sprint(p.ID)
		}
		// Without rows the data set's own names say what is the same.
		d.Hash = cmp.Or(p.Hash, hashOf(fmt.Sprintf("%s %d", d.ID, p.Doc)))
		for metric, v := range p.Metrics {
			if isIndex(metric) {
				continue
			}
			d.Values[withFilter(metric)] = plain(v)
			if _, said := t.lower[metric]; !said {
				t.lower[metric] = strings.HasPrefix(metric, "bits_per_byte")
			}
		}
		d.answer(p.Label)
		for _, o := range p.Output {
			q := Request{Tokens: o.Tokens, Greedy: o.Greedy}
			switch {
			case o.SumLogits != nil:
				q.Logprob = *o.SumLogits
			case o.Continuation != nil:
				q.Text, q.Responses = true, []string{*o.Continuation}
				if n := len(d.Requests); n > 0 && d.Requests[n-1].Text { // the same once more
					d.Requests[n-1].Responses = append(d.Requests[n-1].Responses, *o.Continuation)
					continue
				}
			}
			d.Requests = append(d.Requests, q)
		}
		number[p.Doc], hashed[p.Doc] = len(t.Documents), p.Hash != ""
		t.Documents = append(t.Documents, d)
		return nil
	})
	if err != nil || requests == "" {
		return err
	}
	next := map[int]int{}
	return eachLine(requests, func(a *asked) error {
		i, ok := number[a.Doc]
		if !ok {
			if a.Doc >= unconditionalDocs {
				return nil
			}
			return fmt.Errorf("document %d has no prediction", a.Doc)
		}
		d, k := &t.Documents[i], next[a.Doc]
		if next[a.Doc]++; k == 0 && !hashed[a.Doc] {
			row, err := python.Dumps(a.Row)
			if err != nil {
				return fmt.Errorf("document %d has no doc", a.Doc)
			}
			d.Hash = hashOf(row)
		}
		if k >= len(d.Requests) { // an unconditional one, whose answers are figures of the choices
			return nil
		}
		q := &d.Requests[k]
		if json.Unmarshal(a.Request.Context, &q.Context) != nil {
			q.Context = string(a.Request.Context) // the turns of a conversation
		}
		if q.Continuation = a.Request.Continuation; a.Type == "loglikelihood_rolling" {
			q.Context, q.Continuation = "", q.Context
		}
		return nil
	})
}

// answer reads a label: a choice's number, a text, or a list of either.
func (d *Document) answer(label any) {
	switch v := label.(type) {
	case float64:
		d.Gold = append(d.Gold, int(v))
	case string:
		d.Targets = append(d.Targets, v)
	case []any:
		for _, x := range v {
			d.answer(x)
		}
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
