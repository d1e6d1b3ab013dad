package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"olmo/data"
	"olmo/eval"
	"olmo/eval/python"
	"olmo/internal/pyjson"
	"olmo/store"
)

// exportHarness writes what lm-eval 0.4.13 leaves with --log_samples: results_DATE.json and
// samples_TASK_DATE.jsonl (loggers/evaluation_tracker.py). DATE is the time of the run's answers.
func exportHarness(folder string, run *eval.Run, results *eval.Results) error {
	when, err := run.Answered()
	if err != nil {
		return err
	}
	date := when.UTC().Format("2006-01-02T15-04-05.000000")
	former, err := formerExports(folder)
	if err != nil {
		return err
	}
	hashes, tasks := map[string]string{}, []string{}
	written := map[string]bool{}
	for _, j := range run.Jobs {
		name := fmt.Sprintf("samples_%s_%s.jsonl", sanitized(j.Name), date)
		if hashes[j.Name], err = writeSamples(filepath.Join(folder, name), run, j); err != nil {
			return err
		}
		tasks, written[name] = append(tasks, j.Name), true
	}
	text, err := pyjson.Indented(harnessOf(run, results, when, hashes))
	if err != nil {
		return err
	}
	name := "results_" + date + ".json"
	if err := store.WriteFile(filepath.Join(folder, name), text); err != nil {
		return err
	}
	written[name] = true
	// The new one is whole: what it has anew goes.
	for file, old := range former {
		if slices.ContainsFunc(old, func(task string) bool { return !slices.Contains(tasks, task) }) {
			continue
		}
		stale := []string{file}
		for _, task := range old {
			stale = append(stale, "samples_"+sanitized(task)+strings.TrimSuffix(strings.TrimPrefix(file, "results"), ".json")+".jsonl")
		}
		for _, name := range stale {
			if written[name] {
				continue
			}
			if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// formerExports are the results that this program has exported to a folder before, with their tasks.
func formerExports(folder string) (map[string][]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasPrefix(e.Name(), "results_") || !harnessResults().MatchString(e.Name()) {
			continue
		}
		var r struct {
			Exporter string            `json:"exporter"`
			Tasks    map[string]string `json:"task_hashes"`
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		if pyjson.Unmarshal(text, &r) == nil && r.Exporter == exporter {
			out[e.Name()] = slices.Collect(maps.Keys(r.Tasks))
		}
	}
	return out, nil
}

// harnessOf is what results_DATE.json holds, as far as it is known here. Of tables those rows are
// left out that are of other tasks than the run's.
func harnessOf(run *eval.Run, r *eval.Results, when time.Time, hashes map[string]string) object {
	own := map[string]bool{}
	for _, j := range run.Jobs {
		own[j.Name] = true
	}
	for _, g := range run.Groups {
		own[g.Name] = true
	}
	for _, s := range run.Suites {
		own[s.Name] = true
	}
	tables := map[string]map[string]any{}
	for name, row := range r.Results {
		if !own[name] {
			continue
		}
		kept := map[string]any{"name": name}
		for k, v := range row { // beside lm-eval's "metric,filter" stand figures of ours
			if k == "alias" || strings.Contains(k, ",") {
				kept[k] = v
			}
		}
		if n, ok := r.Samples[name]; ok {
			kept["sample_len"] = n.Effective
		}
		tables[name] = kept
	}
	var seconds float64
	configs := map[string]any{}
	for _, j := range run.Jobs {
		seconds += r.Seconds[j.Name]
		c := maps.Clone(j.Task.Config)
		if c == nil {
			c = map[string]any{}
		}
		c["task"], c["num_fewshot"] = j.Name, j.Task.Shots
		configs[j.Name] = c
	}
	config := object{{"model", exporter}, {"model_args", map[string]any{"pretrained": r.ModelName}}}
	for _, k := range slices.Sorted(maps.Keys(r.Config)) {
		name := k
		switch k {
		case "model":
			continue
		case "parameters":
			name = "model_num_parameters"
		}
		config = append(config, member{name, r.Config[k]})
	}
	out := object{{"results", tables}}
	if groups := only(r.Groups, own); len(groups) > 0 {
		out = append(out, member{"groups", groups})
	}
	out = append(out, object{
		{"group_subtasks", only(r.GroupSubtasks, own)},
		{"configs", configs},
		{"versions", only(r.Versions, own)},
		{"n-shot", only(r.Shots, own)},
		{"higher_is_better", only(r.Higher, own)},
		{"n-samples", only(r.Samples, own)},
		{"config", config},
		{"date", float64(when.UnixMicro()) / 1e6},
		{"task_hashes", hashes},
		{"model_source", exporter},
		{"model_name", r.ModelName},
		{"model_name_sanitized", sanitized(r.ModelName)},
	}...)
	for _, x := range []struct{ theirs, ours string }{{"system_instruction", "system_instruction"}, {"chat_template", "chat_template"}} {
		text, ok := r.Config[x.ours].(string)
		if !ok {
			out = append(out, member{x.theirs, nil}, member{x.theirs + "_sha", nil})
			continue
		}
		out = append(out, member{x.theirs, text}, member{x.theirs + "_sha", hashOf(text)})
	}
	chat := r.Config["chat"] == true
	return append(out, object{
		{"fewshot_as_multiturn", chat},
		{"total_evaluation_time_seconds", python.Float(seconds)},
		// lm-eval has none of these.
		{"exporter", exporter},
		{"boundary", only(r.Boundary, own)},
		{"digests", only(r.Digests, own)},
	}...)
}

// only are the entries of some names.
func only[T any](all map[string]T, names map[string]bool) map[string]T {
	out := map[string]T{}
	for name, v := range all {
		if names[name] {
			out[name] = v
		}
	}
	return out
}

// writeSamples writes a line for each document and filter, all documents of a filter together. The
// hash is lm-eval's of a task, over the hashes of its lines.
func writeSamples(path string, run *eval.Run, j *eval.Job) (hash string, err error) {
	file, err := data.CreateWriter(path)
	if err != nil {
		return "", err
	}
	defer file.Abort()
	e := json.NewEncoder(file)
	e.SetEscapeHTML(false)
	filters := j.Task.Filters
	if len(filters) == 0 {
		filters = []eval.Filter{{Name: noFilter, Apply: func(_ *eval.Document, r []string) ([]string, error) { return r[:min(1, len(r))], nil }}}
	}
	var all strings.Builder
	for _, f := range filters {
		for a, err := range run.Asked(j) {
			if err != nil {
				return "", err
			}
			s, err := sampleOf(j.Task, &a, f)
			if err != nil {
				return "", fmt.Errorf("%s: document %d: %w", j.Name, a.Index, err)
			}
			for _, m := range s {
				if strings.HasSuffix(m.name, "_hash") {
					fmt.Fprint(&all, m.value)
				}
			}
			if err := e.Encode(s); err != nil {
				return "", err
			}
		}
	}
	return hashOf(all.String()), file.Close()
}

// sampleOf is a document as one filter leaves it.
func sampleOf(t *eval.Task, a *eval.Asked, f eval.Filter) (object, error) {
	right, err := target(a.Document)
	if err != nil {
		return nil, err
	}
	prompt := a.Lines[0].Context
	if a.Requests[0].Form == eval.Rolling {
		prompt = a.Requests[0].Continuation
	}
	arguments, responses, filtered := object{}, []any{}, []any{}
	for i := range a.Lines {
		l, r := &a.Lines[i], &a.Requests[i]
		own := object{{"arg_0", l.Context}}
		switch r.Form {
		case eval.Rolling:
			own = object{{"arg_0", r.Continuation}}
			p := python.Float(*l.Logprob)
			responses, filtered = append(responses, []string{p}), append(filtered, p)
		case eval.Continuation:
			own = append(own, member{"arg_1", r.Continuation})
			p := []string{python.Float(*l.Logprob), map[bool]string{true: "True", false: "False"}[l.Greedy != nil && *l.Greedy]}
			responses, filtered = append(responses, [][]string{p}), append(filtered, p)
		case eval.Text:
			own = append(own, member{"arg_1", generation(t, r)})
			texts := l.Responses
			if l.Response != nil {
				texts = []string{*l.Response}
			}
			left, err := f.Apply(a.Document, texts)
			if err != nil {
				return nil, err
			}
			responses, filtered = append(responses, texts), append(filtered, whatIsLeft(left, l, f.Name))
		}
		arguments = append(arguments, member{"gen_args_" + strconv.Itoa(i), own})
	}
	own := values(t, a, f.Name)
	metrics := []string{}
	for _, m := range own {
		metrics = append(metrics, m.name)
	}
	return append(object{
		{"doc_id", a.Index},
		{"doc", row(a)},
		{"target", right},
		{"arguments", arguments},
		{"resps", responses},
		{"filtered_resps", filtered},
		{"filter", f.Name},
		{"metrics", metrics},
		{"doc_hash", a.Lines[0].Hash},
		{"prompt_hash", hashOf(prompt)},
		{"target_hash", hashOf(right)},
	}, own...), nil
}

// whatIsLeft is what a filter leaves: one text, or a list of them. What the run kept of the first one
// counts: thinking was taken out of it.
func whatIsLeft(left []string, l *eval.Line, filter string) any {
	first, ok := l.Filtered[filter]
	if len(left) != 1 {
		return left
	}
	if ok {
		return first
	}
	return left[0]
}
