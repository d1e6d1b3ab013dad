package dashboard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"olmo/config"
	"olmo/release"
	"olmo/runlog"
	"olmo/store"
)

// run is one run on disk, followed as it goes on.
type run struct {
	id          int
	folder, log string

	mu      sync.Mutex
	columns *runlog.Columns
	// What the config says, as it was when it was last read.
	settings map[string]string
	read     time.Time // the config's time then
	weights  int64     // how many, 0 when not known
	// held tells whether a process had the run's lock when it was last asked.
	held  bool
	asked time.Time

	rollouts *rollouts
}

func newRun(id int, log string) *run {
	folder := filepath.Dir(log)
	return &run{id: id, folder: folder, log: log, columns: runlog.NewColumns(log), settings: map[string]string{}, rollouts: &rollouts{path: filepath.Join(folder, rolloutsName)}}
}

const logName = "metrics.jsonl"

// find lists the logs of the runs that a path stands for, also of runs that have not
// begun: a log, the folder of a run, of a quickstart or of a release, or a folder with such
// folders below it.
func find(path string) ([]string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening run: %w", err)
	}
	if !st.IsDir() {
		return []string{path}, nil
	}
	if exists(filepath.Join(path, release.ManifestFile)) {
		return []string{filepath.Join(path, trainFolder, logName)}, nil
	}
	isRun := func(folder string) bool {
		return exists(filepath.Join(folder, logName)) || exists(filepath.Join(folder, "config.yaml"))
	}
	if isRun(path) {
		return []string{filepath.Join(path, logName)}, nil
	}
	// A quickstart may not have come to training; it may have come to the stages of adaptation.
	if run := filepath.Join(path, "run"); isRun(run) || exists(filepath.Join(path, "config", "train.yaml")) {
		return append([]string{filepath.Join(run, logName)}, below(filepath.Join(path, "chat"))...), nil
	}
	return below(path), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// deepest is how far below a folder runs are looked for.
const deepest = 5

// notRuns are folders in which no run lies: checkpoints, and what a run keeps beside them.
var notRuns = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\..*|step\d+.*|latest|train_data|data-indices|node_modules)$`)
})

// below lists the logs of the runs below a folder, in byte order. Folders that cannot be
// read are passed over.
func below(root string) []string {
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	var logs []string
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case !d.IsDir():
			if d.Name() == logName || d.Name() == "config.yaml" && describesRun(path) {
				if log := filepath.Join(filepath.Dir(path), logName); !slices.Contains(logs, log) {
					logs = append(logs, log)
				}
			}
			return nil
		case path == root:
			return nil
		}
		if rel, _ := filepath.Rel(root, path); strings.Count(rel, string(filepath.Separator)) >= deepest || notRuns().MatchString(d.Name()) {
			return fs.SkipDir
		}
		return nil
	})
	return logs
}

// describesRun tells whether a config.yaml is that of a training run, by the key that
// says where it is saved.
func describesRun(path string) bool {
	text, err := store.ReadFile(path)
	return err == nil && regexp.MustCompile(`(?m)^save_folder:`).Match(text)
}

// names tells runs apart by as little of their paths as is needed, from the end. The
// folders run of a quickstart and train of a release say nothing.
func names(logs []string) []string {
	parts := make([][]string, len(logs))
	for i, log := range logs {
		if abs, err := filepath.Abs(log); err == nil {
			log = abs
		}
		folder, file := filepath.Split(log)
		p := strings.FieldsFunc(filepath.ToSlash(folder), func(r rune) bool { return r == '/' })
		if n := len(p); n > 1 && (p[n-1] == "run" || released(filepath.Dir(log)) != "") {
			p = p[:n-1]
		}
		if file != logName {
			p = append(p, strings.TrimSuffix(file, ".jsonl"))
		}
		if len(p) == 0 {
			p = []string{"run"}
		}
		parts[i] = p
	}
	suffix := func(i, n int) string { return strings.Join(parts[i][max(0, len(parts[i])-n):], "/") }
	out := make([]string, len(logs))
	for n := 1; slices.Contains(out, ""); n++ {
		count := map[string]int{}
		for i := range logs {
			count[suffix(i, n)]++
		}
		for i := range logs {
			if out[i] == "" && (count[suffix(i, n)] == 1 || n >= len(parts[i])) {
				out[i] = suffix(i, n)
			}
		}
	}
	return out
}

// update reads what has come to the log, and the config where it changed.
func (r *run) update() error {
	path, stage := filepath.Join(r.folder, "config.yaml"), filepath.Join(r.folder, stageName)
	if st, err := os.Stat(path); err == nil && !st.ModTime().Equal(r.read) {
		r.settings, r.read, r.weights = map[string]string{}, st.ModTime(), 0
		settings(r.settings, "", path)
		settings(r.settings, "adapt", stage)
	}
	return r.columns.Update()
}

// stageName is the file in which a run of adaptation has the config that its own was made from.
const stageName = "adapt.yaml"

// settings adds a config's values by dotted key below another; nothing where it is not readable.
func settings(all map[string]string, below, path string) {
	text, err := store.ReadFile(path)
	if err != nil {
		return
	}
	var c struct {
		All any `yaml:"all"`
	}
	if config.Parse("config.yaml", []byte("all:\n  "+strings.ReplaceAll(string(text), "\n", "\n  ")), nil, &c) == nil {
		flatten(all, below, c.All)
	}
}

// flatten lists the values of a config under dotted keys; long lists only by length.
func flatten(into map[string]string, key string, v any) {
	join := func(k string) string {
		if key == "" {
			return k
		}
		return key + "." + k
	}
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for k, x := range v {
			flatten(into, join(k), x)
		}
	case []any:
		if len(v) > 8 {
			into[key] = fmt.Sprintf("%d elements", len(v))
			return
		}
		into[key] = fmt.Sprint(v)
	default:
		into[key] = fmt.Sprint(v)
	}
}

// about is what the page says of a run.
type about struct {
	ID       int               `json:"id"`
	Name     string            `json:"name"`     // tells it apart from the others
	RunName  string            `json:"run_name"` // as its config calls it
	Path     string            `json:"path"`
	Config   map[string]string `json:"config"` // by dotted key
	State    string            `json:"state"`
	Says     string            `json:"says"` // of the state, in a few words
	Last     int               `json:"last"` // step
	End      int               `json:"end"`  // step, 0 when not known
	Left     float64           `json:"left"` // seconds, 0 when not known
	Began    int               `json:"began"`
	Weights  int64             `json:"parameters"`
	Saved    []int             `json:"checkpoints"`
	Samples  bool              `json:"samples"`
	Rollouts bool              `json:"rollouts"`
	Report   bool              `json:"report"`
	Release  int64             `json:"release"`  // Unix milliseconds of its release.json, 0 without one
	Modified int64             `json:"modified"` // Unix milliseconds of the last step
}

// The states of a run.
const (
	waiting  = "not begun"
	running  = "running"
	finished = "finished"
	stopped  = "stopped"
	stalled  = "stalled"
	ended    = "released" // part of a release, in which nothing goes on
)

// about says how a run is.
func (r *run) about(now time.Time) about {
	a := about{
		ID: r.id, Path: r.log, RunName: r.settings["run_name"], Config: r.settings, State: waiting, End: r.end(), Began: r.columns.Began(),
		Weights: r.weights, Saved: r.checkpoints(), Samples: exists(filepath.Join(r.folder, "samples.jsonl")), Rollouts: exists(r.rollouts.path), Report: r.report() != "",
	}
	n := r.columns.Len()
	if dir := released(r.folder); dir != "" {
		if st, err := os.Stat(filepath.Join(dir, release.ManifestFile)); err == nil {
			a.Release = st.ModTime().UnixMilli()
		}
		a.State = ended
		if n == 0 {
			a.Says = "without its log"
		} else {
			a.Last = r.columns.Step(n - 1)
		}
		return a // and its lock is not asked for, as nothing is written into a release
	}
	if n == 0 {
		if r.locked(now) {
			a.State, a.Says = running, "no step yet"
		}
		return a
	}
	a.Last = r.columns.Step(n - 1)
	st, err := os.Stat(r.log)
	if err != nil {
		return a
	}
	a.Modified = st.ModTime().UnixMilli()
	quiet, pace := now.Sub(st.ModTime()), r.pace()
	switch {
	case a.End > 0 && a.Last >= a.End:
		a.State = finished
	// Checkpoints and evaluations take longer than a step.
	case quiet < time.Minute || quiet < 30*pace && quiet < time.Hour:
		a.State = running
		a.Left = float64(max(0, a.End-a.Last)) * pace.Seconds()
	case r.locked(now):
		a.State, a.Says = stalled, "its process lives, but there was no step for "+inWords(quiet)
	default:
		a.State, a.Says = stopped, "no step for "+inWords(quiet)
	}
	return a
}

// inWords writes a span of time with one unit.
func inWords(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// locked tells whether a process has the run's lock. It is asked for seldom: to ask is to
// take it for a moment.
func (r *run) locked(now time.Time) bool {
	if now.Sub(r.asked) > 30*time.Second {
		var held *store.HeldError
		r.held, r.asked = errors.As(store.HeldIn(r.folder), &held), now
	}
	return r.held
}

// pace is the time of a step, 0 when the log does not tell.
func (r *run) pace() time.Duration {
	c := r.columns.Column("throughput/device/batches_per_second")
	if c.Len() == 0 {
		return 0
	}
	if _, rate := c.At(c.Len() - 1); rate > 0 && rate < 1e6 {
		return time.Duration(float64(time.Second) / rate)
	}
	return 0
}

// end is the step at which a run ends by its config, 0 when the config does not tell in
// steps or tokens.
func (r *run) end() int {
	end := 0
	for _, key := range []string{"stop_at", "max_duration"} {
		text := r.settings[key]
		n, err := strconv.ParseFloat(strings.TrimSuffix(text, "T"), 64)
		if err != nil || n <= 0 || n > 1<<53 {
			continue
		}
		if strings.HasSuffix(text, "T") {
			batch, _ := strconv.ParseFloat(r.settings["global_train_batch_size"], 64)
			length, _ := strconv.ParseFloat(r.settings["model.max_sequence_length"], 64)
			if batch*length <= 0 {
				continue
			}
			n = (n + batch*length - 1) / (batch * length)
		}
		if end == 0 || int(n) < end {
			end = int(n)
		}
	}
	return end
}

var checkpointName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^step(\d+)$`)
})

// checkpoints are the steps that the run has saved.
func (r *run) checkpoints() []int {
	steps := []int{}
	entries, _ := os.ReadDir(r.folder)
	for _, e := range entries {
		if m := checkpointName().FindStringSubmatch(e.Name()); m != nil && e.IsDir() {
			if n, err := strconv.Atoi(m[1]); err == nil {
				steps = append(steps, n)
			}
		}
	}
	slices.Sort(steps)
	return steps
}

// report is the report card of the quickstart that the run belongs to, or nothing.
func (r *run) report() string {
	path := filepath.Join(filepath.Dir(r.folder), "report.html")
	if filepath.Base(r.folder) == "run" && exists(path) {
		return path
	}
	return ""
}
