package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"olmo/store"
)

// resultsName is the file in which `olmo eval` leaves its figures.
const resultsName = "results.json"

// evaluation is what the page shows of a results.json: the tasks that were asked of one model.
type evaluation struct {
	Path    string `json:"path"`
	Name    string `json:"name"` // its folder, as seen from where it was found
	Model   string `json:"model"`
	Digest  string `json:"digest,omitempty"` // its weights_digest, where the file has it
	Run     int    `json:"run"`              // whose checkpoint has these weights, -1 for none
	Step    int    `json:"step"`             // that checkpoint's
	Tasks   []task `json:"tasks"`
	Problem string `json:"problem,omitempty"` // why nothing could be read
}

// task is a task, group or suite with its figures.
type task struct {
	Name      string      `json:"name"`
	Documents int         `json:"documents"`
	Figures   []evaluated `json:"figures"` // the one that it is quoted with comes first
}

// evaluated is a figure.
type evaluated struct {
	Name   string   `json:"name"` // "metric,filter"
	Value  float64  `json:"value"`
	StdErr *float64 `json:"stderr,omitempty"`
	Lower  bool     `json:"lower,omitempty"` // a smaller one is better
}

// resultsFile is a results.json as it was when it was last read.
type resultsFile struct {
	read        time.Time // its time then
	evaluations []evaluation
}

// findResults lists the results.json in a folder and below it, in byte order, also those in
// checkpoints' folders.
func findResults(root string) []string {
	if st, err := os.Stat(root); err != nil {
		return nil
	} else if !st.IsDir() { // a log, in the folder of its run
		root = filepath.Dir(root)
	}
	var files []string
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case !d.IsDir():
			if d.Name() == resultsName {
				files = append(files, path)
			}
			return nil
		case path == root:
			return nil
		}
		rel, _ := filepath.Rel(root, path)
		hidden := strings.HasPrefix(d.Name(), ".") || d.Name() == "train_data" || d.Name() == "data-indices" || d.Name() == "node_modules"
		if hidden || strings.Count(rel, string(filepath.Separator)) >= deepest {
			return fs.SkipDir
		}
		return nil
	})
	return files
}

// readResults reads a results.json: an evaluation for each model that its tasks were asked of.
func readResults(path string) []evaluation {
	var res struct {
		Results map[string]map[string]any          `json:"results"`
		Groups  map[string]map[string]any          `json:"groups"`
		Samples map[string]struct{ Effective int } `json:"n-samples"`
		Higher  map[string]map[string]bool         `json:"higher_is_better"`
		Quoted  map[string]string                  `json:"quoted"`
		Weights map[string]string                  `json:"weights"`
		Model   string                             `json:"model_name"`
	}
	text, err := store.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &res)
	}
	if err != nil {
		return []evaluation{{Path: path, Run: -1, Problem: err.Error()}}
	}
	by := map[string]*evaluation{}
	for _, list := range []map[string]map[string]any{res.Results, res.Groups} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			t := task{Name: name, Documents: res.Samples[name].Effective, Figures: figuresOf(list[name], res.Quoted[name], res.Higher[name])}
			digest := res.Weights[name]
			if _, isTask := res.Samples[name]; !isTask && len(by) == 1 { // a group is of the tasks' model
				digest = slices.Collect(maps.Keys(by))[0]
			}
			e := by[digest]
			if e == nil {
				e = &evaluation{Path: path, Model: res.Model, Digest: digest, Run: -1}
				by[digest] = e
			}
			if len(t.Figures) > 0 && !slices.ContainsFunc(e.Tasks, func(o task) bool { return o.Name == name }) {
				e.Tasks = append(e.Tasks, t)
			}
		}
	}
	var out []evaluation
	for _, digest := range slices.Sorted(maps.Keys(by)) {
		if len(by[digest].Tasks) > 0 {
			out = append(out, *by[digest])
		}
	}
	return out
}

// figuresOf are the figures among a task's fields, which are called "metric,filter", the quoted
// one first.
func figuresOf(fields map[string]any, quoted string, higher map[string]bool) []evaluated {
	var list []evaluated
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		metric, filter, ok := strings.Cut(name, ",")
		v, isNumber := fields[name].(float64)
		if !ok || !isNumber || strings.HasSuffix(metric, "_stderr") {
			continue
		}
		up, said := higher[metric]
		f := evaluated{Name: name, Value: v, Lower: said && !up}
		if e, ok := fields[metric+"_stderr,"+filter].(float64); ok {
			f.StdErr = &e
		}
		list = append(list, f)
	}
	first := func(f evaluated) int {
		metric, _, _ := strings.Cut(f.Name, ",")
		switch {
		case metric == quoted:
			return 0
		case quoted == "" && (metric == "bits_per_byte" || metric == "primary_score"):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b evaluated) int { return cmp.Compare(first(a), first(b)) })
	return list
}

// evaluations answers with the results of `olmo eval` in and below the folders of the page, each
// beside the run whose checkpoint has the weights that it is about.
func (d *server) evaluations(w http.ResponseWriter, _ *http.Request) {
	runs := d.all()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.results == nil || time.Since(d.lookedResults) > 5*time.Second {
		found := map[string]*resultsFile{}
		for _, root := range d.roots {
			for _, path := range findResults(root) {
				st, err := os.Stat(path)
				if err != nil {
					continue
				}
				f := d.results[path]
				if f == nil || !f.read.Equal(st.ModTime()) {
					f = &resultsFile{st.ModTime(), readResults(path)}
					for i := range f.evaluations {
						f.evaluations[i].Name = nameBelow(root, filepath.Dir(path))
					}
				}
				found[path] = f
			}
		}
		d.results, d.lookedResults = found, time.Now()
	}
	list := []evaluation{}
	for _, path := range slices.Sorted(maps.Keys(d.results)) {
		for _, e := range d.results[path].evaluations {
			for _, r := range runs {
				if step, ok := d.stepOf(r, e.Digest); ok && e.Digest != "" {
					e.Run, e.Step = r.id, step
					break
				}
			}
			list = append(list, e)
		}
	}
	answer(w, list)
}

// nameBelow is a folder as it is called from a folder above it, and its own name for the same one.
func nameBelow(root, folder string) string {
	if rel, err := filepath.Rel(root, folder); err == nil && rel != "." && rel != ".." {
		return filepath.ToSlash(rel)
	}
	if abs, err := filepath.Abs(folder); err == nil {
		folder = abs
	}
	return filepath.Base(folder)
}

// stepOf is the step of the run's checkpoint with these weights, or of its quickstart's release.
func (d *server) stepOf(r *run, digest string) (int, bool) {
	for _, step := range slices.Backward(r.checkpoints()) {
		var m struct {
			WeightsDigest string `json:"weights_digest"`
		}
		if d.known(filepath.Join(r.folder, fmt.Sprintf("step%d", step), "manifest.json"), &m) && m.WeightsDigest == digest {
			return step, true
		}
	}
	if path := r.report(); path != "" {
		var c struct {
			Digest string `json:"release_weights_digest"`
		}
		if steps := r.checkpoints(); len(steps) > 0 && d.known(strings.TrimSuffix(path, ".html")+".json", &c) && c.Digest == digest {
			return steps[len(steps)-1], true
		}
	}
	return 0, false
}

// known reads a file of JSON, which it remembers while the file's time stays.
func (d *server) known(path string, into any) bool {
	st, err := os.Stat(path)
	if err != nil {
		return false
	}
	f, ok := d.texts[path]
	if !ok || !f.read.Equal(st.ModTime()) {
		f.read = st.ModTime()
		if text, err := store.ReadFile(path); err == nil && json.Unmarshal(text, into) == nil {
			f.text, _ = json.Marshal(into)
		}
		if d.texts == nil {
			d.texts = map[string]knownText{}
		}
		d.texts[path] = f
	}
	return json.Unmarshal(f.text, into) == nil
}

// knownText is what is needed of a file of JSON.
type knownText struct {
	read time.Time
	text []byte
}
