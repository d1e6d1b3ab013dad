package record

import (
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
				Metadata struct {
					Alias string `json:"alias"`
				} `json:"metadata"`
			} `json:"task_config"`
			Model struct {
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
			t := &Task{Name: name, Boundary: "together", lower: map[string]bool{}}
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
	number := map[int]int{}
	err := eachLine(path, func(p *prediction) error {
		if _, ok := number[p.Doc]; ok {
			return fmt.Errorf("document %d is there twice", p.Doc)
		}
		d := Document{Index: p.Doc, Values: map[string]any{}}
		if p.ID != nil {
			d.ID = fmt.Sprint(p.ID)
		}
		// Without rows the data set's own names say what is the same.
		d.Hash = hashOf(fmt.Sprintf("%s %d", d.ID, p.Doc))
		for metric, v := range p.Metrics {
			if isIndex(metric) {
				continue
			}
			d.Values[metric+","+noFilter] = plain(v)
			t.lower[metric] = strings.HasPrefix(metric, "bits_per_byte")
		}
		if g, ok := p.Label.(float64); ok {
			d.Gold = []int{int(g)}
		}
		for _, o := range p.Output {
			q := Request{Tokens: o.Tokens, Greedy: o.Greedy}
			switch {
			case o.SumLogits != nil:
				q.Logprob = *o.SumLogits
			case o.Continuation != nil:
				q.Text, q.Responses = true, []string{*o.Continuation}
			}
			d.Requests = append(d.Requests, q)
		}
		number[p.Doc] = len(t.Documents)
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
		if next[a.Doc]++; k == 0 {
			row, err := python.Dumps(a.Row)
			if err != nil {
				return fmt.Errorf("document %d has no doc", a.Doc)
			}
			d.Hash = hashOf(row)
		}
		if k >= len(d.Requests) { // an unconditional one, whose answers are figures of the choices
			return nil
		}
		if json.Unmarshal(a.Request.Context, &d.Requests[k].Context) != nil {
			d.Requests[k].Context = string(a.Request.Context) // the turns of a conversation
		}
		d.Requests[k].Continuation = a.Request.Continuation
		return nil
	})
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
