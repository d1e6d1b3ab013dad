package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"olmo/internal/pyjson"
	"olmo/runlog"
	"olmo/store"
	"olmo/train"
)

// quickstart checks the whole folder of a quickstart: each file that its report lists,
// by digest, which happened before; the report against the copy that the stage kept; all
// checkpoints against their manifests; the release against the last checkpoint, tensor by
// tensor; and the form of what no list has.
func (c *checker) quickstart(path string) {
	report := c.quickReport(path)
	c.unlisted()
	for _, name := range []string{"data", "tokenizer", "config", "eval"} {
		if sub := filepath.Join(path, name); exists(sub) {
			c.contents(sub)
		} else if report != nil {
			c.problem(Missing, sub, "%s is missing", name)
		}
	}
	// What the stages found has the names of artefacts, tokenizer.json, and is none.
	stages, err := os.ReadDir(filepath.Join(path, "stages"))
	if err != nil {
		c.damage(filepath.Join(path, "stages"), err)
	}
	for _, e := range stages {
		if !hidden(e.Name()) {
			c.json(filepath.Join(path, "stages", e.Name()))
		}
	}
	run := filepath.Join(path, "run")
	if !exists(run) {
		if report != nil {
			c.problem(Missing, run, "run is missing")
		}
		return
	}
	c.run(run)
	if report != nil {
		c.wholeRun(run)
	}
	release := filepath.Join(path, "release")
	if !exists(release) {
		if report != nil {
			c.problem(Missing, release, "release is missing")
		}
		return
	}
	c.model(release)
	c.curve(filepath.Join(run, "metrics.jsonl"), report)
	c.sameWeights(release, run, report)
}

// wholeRun wants of a run that has come to its end what it wrote beside its checkpoints:
// the log, and the config, which the last checkpoint has too, under its manifest. Any
// other run may have been given another config since.
func (c *checker) wholeRun(run string) {
	for _, name := range []string{"config.yaml", "metrics.jsonl"} {
		if file := filepath.Join(run, name); !exists(file) {
			c.problem(Missing, file, "%s is missing", name)
		}
	}
	text, err := store.ReadFile(filepath.Join(run, "config.yaml"))
	steps, e := train.Steps(run)
	if err != nil || e != nil || len(steps) == 0 {
		return // said where the run is checked
	}
	last := fmt.Sprintf("step%d", steps[len(steps)-1])
	if kept, err := store.ReadFile(filepath.Join(run, last, "config.yaml")); err == nil && !bytes.Equal(kept, text) {
		c.problem(Changed, filepath.Join(run, "config.yaml"), "config.yaml is not that of %s, with which the run came to its end", last)
	}
}

// quickReport reads report.json; nil where there is none or it is damaged.
func (c *checker) quickReport(path string) *reportFiles {
	file, kept := filepath.Join(path, "report.json"), filepath.Join(path, "stages", "report.json")
	text, err := store.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if exists(kept) {
			c.problem(Missing, file, "report.json is missing, though the run has come to its end\nhint: remove stages/report.json and run the same quickstart again, which writes it")
		} else {
			c.note(path, "the run has not come to its end: without report.json there is no list to compare the files with")
		}
		return nil
	}
	if err != nil {
		c.damage(file, err)
		return nil
	}
	c.count(file, int64(len(text)))
	report := new(reportFiles)
	if err := pyjson.Unmarshal(text, report); err != nil {
		c.jsonDamage(file, text, err)
		return nil
	}
	if len(report.Artefacts) == 0 {
		c.problem(Manifest, file, "report.json lists no files")
	}
	stage, err := store.ReadFile(kept)
	if err != nil {
		c.note(file, "nothing to compare with: stages/report.json is not there")
		return report
	}
	var record struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(stage, &record); err != nil {
		return report // said when the stages are checked
	}
	if a, b := numbers(text), numbers(record.Result); a == nil || b == nil || !reflect.DeepEqual(a, b) {
		c.problem(Changed, file, "report.json is not the report that the run kept in stages/report.json")
	}
	return report
}

// step is the checkpoint that the report is about; a run may have gone on since.
func (r *reportFiles) step(root string) string {
	if r != nil {
		for _, f := range r.Artefacts {
			if f.What == "last checkpoint" && filepath.IsLocal(filepath.FromSlash(f.Path)) {
				return filepath.Dir(filepath.Join(root, filepath.FromSlash(f.Path)))
			}
		}
	}
	return ""
}

// curve compares the losses and rates of the report with those of the run's log. The log
// has no digest, since it holds times, too, which a repetition changes.
func (c *checker) curve(path string, report *reportFiles) {
	records, err := runlog.Read(path)
	if err != nil || report == nil {
		return // said where the log is checked
	}
	lines := map[int]runlog.Record{}
	for _, r := range records {
		if n, ok := r.Step(); ok {
			lines[n] = r
		}
	}
	wrong := 0
	for _, p := range report.Curve {
		line, ok := lines[p.Step]
		same := ok
		for key, want := range map[string]float64{"train/CrossEntropyLoss": p.Loss, "optim/learning_rate_group0": p.Rate} {
			if v, number := line[key].(float64); number && v != want {
				same = false
			}
		}
		if same {
			continue
		}
		if wrong++; wrong > mostListed {
			continue
		}
		step := p.Step
		if ok {
			c.problem(Log, path, "step %d has another loss or learning rate than in report.json", step).Step = &step
		} else {
			c.problem(Log, path, "step %d, which is in report.json, is missing", step).Step = &step
		}
	}
	c.more(path, wrong, "steps")
}

// numbers decodes JSON with numbers as they are written; nil where it is none.
func numbers(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// sameWeights compares a release with the run's last step through the names of both
// layouts, and both digests with those of the report.
func (c *checker) sameWeights(release, run string, report *reportFiles) {
	step := report.step(c.root)
	if step == "" {
		step, _ = train.Latest(run)
	}
	manifest, err := train.ReadManifest(step)
	if err != nil {
		c.note(release, "nothing to compare with: the run has no checkpoint")
		return
	}
	equal := c.compareNames(release, step, manifest)
	if report == nil {
		return
	}
	file := filepath.Join(c.root, "report.json")
	if report.Digest != manifest.WeightsDigest.String() {
		c.problem(Manifest, file, "report.json says weights_digest %s, the manifest of %s says %s", report.Digest, c.rel(step), manifest.WeightsDigest)
	}
	for _, w := range c.report.Weights {
		if w.Path != c.rel(release) {
			continue
		}
		if report.ReleaseDigest != "" && w.Digest != report.ReleaseDigest {
			c.problem(Changed, release, "release has weights_digest %s, report.json says release_weights_digest %s", w.Digest, report.ReleaseDigest)
		}
		if equal > 0 {
			c.note(release, "its %d parameters are those of %s, bit for bit, though the names and so the digests are others: %s there, %s here",
				equal, c.rel(step), manifest.WeightsDigest, w.Digest)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
