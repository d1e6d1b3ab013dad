package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"olmo/data"
	"olmo/eval"
	"olmo/internal/pyjson"
	"olmo/store"
)

var olmesMetrics = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^task-(\d+)-(.*)-metrics\.json$`)
})

// exportOLMES writes what oe-eval (allenai/olmes, run_eval.py, February 2026) leaves in its
// --output-dir: for each task its metrics, predictions and requests, and metrics.json of all tasks
// that the folder has. A task keeps its number.
func exportOLMES(folder string, run *eval.Run, results *eval.Results) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	numbers, next := map[string]int{}, 0
	for _, e := range entries {
		if m := olmesMetrics().FindStringSubmatch(e.Name()); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				return fmt.Errorf("%s: its number is too large", e.Name())
			}
			numbers[m[2]], next = n, max(next, n+1)
		}
	}
	for _, j := range run.Jobs {
		name := sanitized(j.Name)
		n, ok := numbers[name]
		if !ok {
			n, numbers[name] = next, next
			next++
		}
		if err := writeTask(filepath.Join(folder, fmt.Sprintf("task-%03d-%s-", n, name)), n, run, j, results); err != nil {
			return err
		}
	}
	return writeMetrics(folder, numbers, results)
}

// writeMetrics gathers the tasks of a folder in metrics.json.
func writeMetrics(folder string, numbers map[string]int, results *eval.Results) error {
	names := slices.SortedFunc(maps.Keys(numbers), func(a, b string) int { return numbers[a] - numbers[b] })
	summary, tasks := []string{}, []object{}
	for _, name := range names {
		path := filepath.Join(folder, fmt.Sprintf("task-%03d-%s-metrics.json", numbers[name], name))
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var m struct {
			Task    string          `json:"task_name"`
			Metrics json.RawMessage `json:"metrics"`
			N       int             `json:"num_instances"`
			Seconds float64         `json:"processing_time"`
			Config  json.RawMessage `json:"task_config"`
		}
		var primary struct {
			Score *float64 `json:"primary_score"`
		}
		if err = pyjson.Unmarshal(text, &m); err == nil {
			err = pyjson.Unmarshal(m.Metrics, &primary)
		}
		if err != nil {
			return fmt.Errorf("%s: it is no metrics.json of OLMES: %w", path, err)
		}
		score := "NA"
		if primary.Score != nil {
			score = strconv.FormatFloat(*primary.Score, 'g', 6, 64)
		}
		summary = append(summary, m.Task+": "+score)
		tasks = append(tasks, object{{"alias", m.Task}, {"metrics", m.Metrics}, {"num_instances", m.N}, {"processing_time", m.Seconds}, {"task_config", m.Config}})
	}
	text, err := pyjson.Indented(object{{"all_primary_scores", summary}, {"tasks", tasks}, {"model_config", modelConfig(results)}})
	if err != nil {
		return err
	}
	return store.WriteFile(filepath.Join(folder, "metrics.json"), text)
}

func modelConfig(r *eval.Results) object {
	return object{{"model", r.ModelName}, {"model_type", exporter}}
}

// writeTask writes a task's files, its metrics last: they say that the others are whole.
func writeTask(prefix string, number int, run *eval.Run, j *eval.Job, r *eval.Results) error {
	n := 0
	err := writeLines(prefix+"predictions.jsonl", func(write func(v any) error) error {
		for a, err := range run.Asked(j) {
			if err != nil {
				return err
			}
			if err := write(predictionOf(j.Task, &a)); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err == nil {
		err = writeLines(prefix+"requests.jsonl", func(write func(v any) error) error { return writeRequests(run, j, write) })
	}
	if err != nil {
		return err
	}
	when, err := run.Answered()
	if err != nil {
		return err
	}
	config := object{
		{"task_name", j.Name},
		{"task_core", j.Name},
		{"num_shots", j.Task.Shots},
		{"primary_metric", strings.TrimSuffix(j.Task.Quoted, ","+noFilter)},
		{"version", j.Task.Version},
		{"metadata", object{{"alias", j.Name}}},
	}
	for _, k := range slices.Sorted(maps.Keys(j.Task.Config)) {
		if !slices.ContainsFunc(config, func(m member) bool { return m.name == k }) {
			config = append(config, member{k, j.Task.Config[k]})
		}
	}
	metrics := object{}
	for _, k := range slices.Sorted(maps.Keys(r.Results[j.Name])) {
		if v, ok := r.Results[j.Name][k].(float64); ok && strings.Contains(k, ",") && !strings.Contains(k, "_stderr,") {
			metrics = append(metrics, member{strings.TrimSuffix(k, ","+noFilter), v})
		}
	}
	if x, ok := r.Quoted(j); ok && !math.IsNaN(x.Value) && !math.IsInf(x.Value, 0) && !slices.ContainsFunc(metrics, func(m member) bool { return m.name == "primary_score" }) {
		metrics = append(metrics, member{"primary_score", x.Value})
	}
	text, err := pyjson.Indented(object{
		{"task_name", j.Name},
		{"task_hash", r.Digests[j.Name]},
		{"model_hash", hashOf(r.ModelName)},
		{"model_config", modelConfig(r)},
		{"task_config", config},
		{"compute_config", r.Config},
		{"processing_time", r.Seconds[j.Name]},
		{"current_date", when.UTC().Format("2006-01-02 15:04:05 UTC")},
		{"num_instances", n},
		{"metrics", metrics},
		{"task_idx", number},
		// oe-eval has neither of these.
		{"higher_is_better", r.Higher[j.Name]},
		{"boundary", j.Boundary},
	})
	if err != nil {
		return err
	}
	return store.WriteFile(prefix+"metrics.json", text)
}

// writeLines writes a file of a JSON object a line.
func writeLines(path string, each func(write func(v any) error) error) error {
	file, err := data.CreateWriter(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	e := json.NewEncoder(file)
	e.SetEscapeHTML(false)
	if err := each(e.Encode); err != nil {
		return err
	}
	return file.Close()
}

// label is the right answer: a choice's number, a text, or a list of either.
func label(d *eval.Document) any {
	switch {
	case len(d.Gold) == 1:
		return d.Gold[0]
	case len(d.Gold) > 0:
		return d.Gold
	case len(d.Targets) == 1:
		return d.Targets[0]
	case len(d.Targets) > 0:
		return d.Targets
	}
	return nil
}

// nativeID is the data set's name for a document, else its number.
func nativeID(a *eval.Asked) any {
	if a.ID != "" {
		return a.ID
	}
	return a.Index
}

// predictionOf is a document's line of predictions.jsonl.
func predictionOf(t *eval.Task, a *eval.Asked) object {
	metrics := object{}
	scores := a.Lines[0].Scores
	for _, k := range slices.Sorted(maps.Keys(scores)) {
		metrics = append(metrics, member{k, scores[k]})
	}
	if t.Kind == eval.Documents {
		metrics = values(t, a, noFilter)
	}
	if len(a.Gold) == 1 {
		metrics = append(metrics, member{"correct_choice", a.Gold[0]})
	}
	asked := len(a.Lines)
	for i := range a.Lines {
		if a.Lines[i].Unconditional {
			asked = min(asked, i)
		}
	}
	outputs := []object{}
	for i := range asked {
		l := &a.Lines[i]
		switch {
		case l.Response != nil:
			outputs = append(outputs, object{{"continuation", *l.Response}, {"num_tokens", l.Tokens}})
		case l.Continuation == nil:
			for _, text := range l.Responses {
				outputs = append(outputs, object{{"continuation", text}})
			}
		default:
			outputs = append(outputs, outputOf(l, a.Lines[asked:], i))
		}
	}
	return object{
		{"doc_id", a.Index},
		{"native_id", nativeID(a)},
		{"metrics", metrics},
		{"model_output", outputs},
		{"label", label(a.Document)},
		{"doc_hash", a.Lines[0].Hash}, // which oe-eval does not have
	}
}

// bitsOfNat is log2(e) in as many digits as oe-eval writes.
const bitsOfNat = 1.44269504089

// outputOf is what a model makes of a continuation.
func outputOf(l *eval.Line, unconditional []eval.Line, i int) object {
	sum := *l.Logprob
	o := object{{"sum_logits", sum}, {"num_tokens", l.Tokens}}
	if l.Greedy != nil {
		o = append(o, member{"is_greedy", *l.Greedy})
	}
	if i < len(unconditional) && unconditional[i].Logprob != nil {
		o = append(o, member{"sum_logits_uncond", *unconditional[i].Logprob})
	}
	chars, bytes := max(utf8.RuneCountInString(*l.Continuation), 1), max(len(*l.Continuation), 1)
	return append(o, object{
		{"logits_per_token", sum / float64(max(l.Tokens, 1))}, {"logits_per_char", sum / float64(chars)}, {"bits_per_byte", -bitsOfNat * (sum / float64(bytes))}, {"num_chars", chars},
	}...)
}

// writeRequests writes requests.jsonl: the requests, then the unconditional ones, whose documents
// have numbers of their own.
func writeRequests(run *eval.Run, j *eval.Job, write func(v any) error) error {
	for _, unconditional := range []bool{false, true} {
		for a, err := range run.Asked(j) {
			if err != nil {
				return err
			}
			idx := 0
			for i := range a.Requests {
				if a.Requests[i].Unconditional != unconditional {
					continue
				}
				kind, request := requestOf(j.Task, &a, i)
				for range max(len(a.Lines[i].Responses), 1) {
					doc := a.Index
					if unconditional {
						doc += unconditionalDocs
					}
					err := write(object{{"request_type", kind}, {"doc", row(&a)}, {"request", request}, {"idx", idx}, {"task_name", j.Name}, {"doc_id", doc}, {"native_id", nativeID(&a)}, {"label", label(a.Document)}})
					if err != nil {
						return err
					}
					idx++
				}
			}
		}
	}
	return nil
}

// requestOf is a request in oe-eval's form (components/requests.py).
func requestOf(t *eval.Task, a *eval.Asked, i int) (kind string, request object) {
	r := &a.Requests[i]
	switch r.Form {
	case eval.Rolling:
		return "loglikelihood_rolling", object{{"context", r.Continuation}}
	case eval.Text:
		return "generate_until", object{{"context", a.Lines[i].Context}, {"stop_sequences", r.Until}, {"generation_kwargs", generation(t, r)}}
	}
	return "loglikelihood", object{{"context", a.Lines[i].Context}, {"continuation", r.Continuation}}
}
