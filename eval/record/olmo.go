package record

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/eval"
	"olmo/internal/pyjson"
)

const formatOurs = "olmo"

// openOurs reads a folder of `olmo eval --out`.
func openOurs(folder string, files []string) (*Run, error) {
	if !slices.Contains(files, "results.json") {
		return nil, nil
	}
	var results struct {
		Results map[string]struct {
			Chance float64 `json:"chance"`
		} `json:"results"`
		Quoted map[string]string           `json:"quoted"`
		Higher map[string]map[string]*bool `json:"higher_is_better"`
		Model  string                      `json:"model_name"`
		Config struct {
			Parameters int64 `json:"parameters"`
		} `json:"config"`
		Boundary map[string]string      `json:"boundary"`
		Data     map[string][]eval.Data `json:"data"`
	}
	file := filepath.Join(folder, "results.json")
	text, err := os.ReadFile(file)
	if err == nil {
		err = pyjson.Unmarshal(text, &results)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: it is no results.json of this version: %w", file, err)
	}
	r := &Run{Format: formatOurs, Model: results.Model, Parameters: results.Config.Parameters, tasks: map[string]func() (*Task, error){}}
	for name := range results.Results {
		file := eval.RequestsFile(name)
		if !slices.Contains(files, file) {
			continue // a group, or a task whose requests were written elsewhere
		}
		r.tasks[name] = func() (*Task, error) {
			t := &Task{Name: name, Boundary: results.Boundary[name], lower: lower(results.Higher[name]), chance: results.Results[name].Chance}
			for _, d := range results.Data[name] {
				place, _, _ := strings.Cut(filepath.Base(d.Place), ".")
				t.Data = append(t.Data, d.Name, place)
			}
			if quoted := results.Quoted[name]; quoted != "" {
				t.quoted = withFilter(quoted)
			}
			return t, t.readOurs(filepath.Join(folder, file))
		}
	}
	return r, nil
}

// lower turns higher_is_better round, of which null says nothing.
func lower(higher map[string]*bool) map[string]bool {
	out := map[string]bool{}
	for metric, is := range higher {
		out[metric] = is != nil && !*is
	}
	return out
}

// readOurs reads requests-TASK.jsonl: a line a request, those of a document together.
func (t *Task) readOurs(path string) error {
	return eachLine(path, func(l *eval.Line) error {
		n := len(t.Documents)
		if n == 0 || l.Choice == 0 {
			t.Documents = append(t.Documents, Document{Hash: l.Hash, Index: l.Doc, ID: l.ID, Targets: l.Targets, Filtered: l.Filtered, Values: map[string]any{}})
			n++
		}
		d := &t.Documents[n-1]
		if d.Hash == "" {
			return fmt.Errorf("document %d has no doc_hash\nhint: it is of an earlier version; run 'olmo eval' again", l.Doc)
		}
		if d.Index != l.Doc || len(d.Requests) != l.Choice {
			return fmt.Errorf("request %d of document %d follows request %d of document %d", l.Choice, l.Doc, len(d.Requests)-1, d.Index)
		}
		for figure, v := range l.Scores {
			if isIndex(figure) {
				continue
			}
			d.Values[withFilter(figure)] = v
		}
		q := Request{Context: l.Context, Chat: l.Chat, Unconditional: l.Unconditional, Tokens: l.Tokens, Each: l.Each}
		switch {
		case l.Continuation == nil:
			if q.Text, q.Responses = true, l.Responses; l.Response != nil {
				q.Responses = []string{*l.Response}
			}
		case l.Logprob == nil:
			return fmt.Errorf("request %d of document %d has no logprob", l.Choice, l.Doc)
		default:
			q.Continuation, q.Logprob = *l.Continuation, *l.Logprob
			if q.Greedy = l.Greedy != nil && *l.Greedy; l.Greedy == nil && len(l.Scores) == 0 {
				// A document of bpb or paloma: its figures are made of sums.
				d.Values["bits_per_byte,none"] = []any{q.Logprob, float64(l.Bytes)}
				t.lower["bits_per_byte"] = true
			}
		}
		if l.Gold {
			d.Gold = append(d.Gold, l.Choice)
		}
		d.Requests = append(d.Requests, q)
		return nil
	})
}
