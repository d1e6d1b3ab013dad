package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"olmo/internal/pyjson"
	"olmo/store"
)

// score is a figure of an evaluation.
type score struct {
	Task, Metric string
	Value        float64
	Error        *float64 // standard
	Questions    int      // or documents; 0 where nobody says
	Shots        *int
	File         string // that has it, from the release on
}

// readScores reads the results of evaluations: of each task the figure that it is quoted with, or all.
func (f *facts) readScores(dir string) ([]score, error) {
	var out []score
	for _, s := range f.in.scores {
		if f.has(s.File) {
			out = append(out, s)
		}
	}
	for _, x := range f.below(evaluationFolder) {
		if !strings.HasSuffix(x.Path, "/results.json") {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(x.Path))
		b, err := store.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var r struct {
			Results map[string]map[string]json.RawMessage `json:"results"`
			Quoted  map[string]string                     `json:"quoted"`
			Shots   map[string]int                        `json:"n-shot"`
			Samples map[string]struct {
				Effective int `json:"effective"`
			} `json:"n-samples"`
		}
		if err := pyjson.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, task := range slices.Sorted(maps.Keys(r.Results)) {
			figures := r.Results[task]
			for _, key := range slices.Sorted(maps.Keys(figures)) {
				metric, filter, filtered := strings.Cut(key, ",")
				// Our own results have a figure under both names, and say which one is quoted; lm-eval's
				// have all of a task's with their filters.
				if quoted := r.Quoted[task]; quoted != "" && key != quoted || quoted == "" && !filtered || strings.HasSuffix(metric, "_stderr") {
					continue
				}
				s := score{Task: task, Metric: metric, Questions: r.Samples[task].Effective, File: x.Path}
				if json.Unmarshal(figures[key], &s.Value) != nil {
					continue // null, or words about it
				}
				under := metric + "_stderr"
				if filtered {
					under += "," + filter
				}
				var e float64
				if text, ok := figures[under]; ok && json.Unmarshal(text, &e) == nil {
					s.Error = &e
				}
				if n, ok := r.Shots[task]; ok {
					s.Shots = &n
				}
				out = append(out, s)
			}
		}
	}
	return out, nil
}
