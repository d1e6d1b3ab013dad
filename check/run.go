package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"olmo/runlog"
	"olmo/store"
	"olmo/train"
)

// run checks a run's folder: every checkpoint, where latest leads, the config and the log.
func (c *checker) run(path string) {
	steps, err := train.Steps(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	seen := map[string]int{} // steps by digest
	for _, n := range steps {
		dir := filepath.Join(path, fmt.Sprintf("step%d", n))
		before := len(c.report.Problems)
		if !c.one(dir) {
			c.problem(Missing, dir, "step%d holds no checkpoint", n)
		}
		for i := range c.report.Problems[before:] {
			c.report.Problems[before+i].Step = &n
		}
		m, err := train.ReadManifest(dir)
		if err != nil {
			continue
		}
		digest := m.WeightsDigest.String()
		if other, ok := seen[digest]; ok {
			c.sameSteps(path, dir, other, n)
		}
		seen[digest] = n
	}
	if len(steps) == 0 {
		c.note(path, "no checkpoint is there yet")
	}
	c.latest(path, steps)
	if file := filepath.Join(path, "config.yaml"); exists(file) {
		c.config(file)
	}
	for _, name := range []string{"metrics.jsonl", "samples.jsonl"} {
		if file := filepath.Join(path, name); exists(file) {
			c.one(file)
		} else if name == "metrics.jsonl" {
			c.note(path, "there is no metrics.jsonl")
		}
	}
	c.logOfSteps(path, steps)
	indices, _ := os.ReadDir(filepath.Join(path, "data-indices"))
	for _, e := range indices {
		if file := filepath.Join(path, "data-indices", e.Name()); !hidden(e.Name()) {
			c.compressed(file)
		}
	}
}

// sameSteps judges two steps with the same weights: an error of whoever copied them,
// unless the learning rate was 0 all the while.
func (c *checker) sameSteps(run, dir string, a, b int) {
	records, err := runlog.Read(filepath.Join(run, "metrics.jsonl"))
	if err == nil {
		for _, r := range records {
			rate, _ := r["optim/learning_rate_group0"].(float64)
			if n, ok := r.Step(); ok && n > a && n <= b && rate > 0 {
				c.problem(Duplicate, dir, "step%d has the weights of step%d, though the log tells of updates between them", b, a).Step = &b
				return
			}
		}
	}
	c.note(dir, "has the same weights as step%d", a)
}

// latest must lead to a step that is there.
func (c *checker) latest(path string, steps []int) {
	link := filepath.Join(path, "latest")
	if _, err := os.Lstat(link); err != nil {
		if len(steps) > 0 {
			c.note(path, "there is no latest: the highest step counts")
		}
		return
	}
	name, err := store.Linked(link)
	if err != nil {
		c.damage(link, err)
		return
	}
	target := filepath.Join(path, filepath.Base(name))
	if !strings.HasPrefix(filepath.Base(name), "step") || !exists(target) {
		c.problem(Missing, link, "latest leads to %s, which is not there", name)
	}
}

// logOfSteps compares each checkpoint with the log's line of its step.
func (c *checker) logOfSteps(path string, steps []int) {
	file := filepath.Join(path, "metrics.jsonl")
	records, err := runlog.Read(file)
	if err != nil {
		return // said where the log is checked
	}
	lines := map[int]runlog.Record{}
	for _, r := range records {
		if n, ok := r.Step(); ok {
			lines[n] = r
		}
	}
	if len(lines) == 0 {
		return
	}
	for _, n := range steps {
		m, err := train.ReadManifest(filepath.Join(path, fmt.Sprintf("step%d", n)))
		line := lines[n]
		if err != nil || n == 0 {
			continue
		}
		if line == nil {
			// A log may begin after the steps that a run took over.
			c.note(path, "the log has no line of step %d", n)
			continue
		}
		if chain, ok := line["chain"].(string); ok && chain != m.Chain.String() {
			c.problem(Log, file, "the line of step %d has the chain %s, the checkpoint %s", n, chain, m.Chain).Step = &n
		}
		if seen, ok := line["throughput/total_tokens"].(float64); ok && int64(seen) != m.Tokens {
			c.problem(Log, file, "the line of step %d says %.0f tokens, the checkpoint %d", n, seen, m.Tokens).Step = &n
		}
	}
}

// checkpointKinds are the kinds of what a checkpoint's manifest denies.
var checkpointKinds = []struct {
	err  error
	kind Kind
}{{train.ErrChanged, Changed}, {train.ErrMissing, Missing}, {train.ErrUnlisted, Unlisted}, {train.ErrManifest, Manifest}}

// checkpoint checks a folder stepN: each file and tensor against the manifest, then as a
// model.
func (c *checker) checkpoint(path string) {
	c.report.Checked.Checkpoints++
	if !exists(filepath.Join(path, "manifest.json")) {
		if strings.HasPrefix(filepath.Base(path), "step") && exists(filepath.Join(path, "train.json")) {
			c.problem(Missing, filepath.Join(path, "manifest.json"), "manifest.json is missing: nothing says what the checkpoint should hold")
		}
		c.model(path)
		return
	}
	m, damages, err := train.Damages(path)
	if err != nil {
		c.damage(filepath.Join(path, "manifest.json"), err).Kind = Manifest
	}
	for _, d := range damages {
		p := c.damage(filepath.Join(path, d.File), d)
		p.Tensor = d.Tensor
		for _, k := range checkpointKinds {
			if errors.Is(d, k.err) {
				p.Kind = k.kind
			}
		}
	}
	if m != nil {
		for file := range m.Files {
			c.known[absolute(filepath.Join(path, file))] = entry{}
		}
		for file := range m.Tensors {
			c.known[absolute(filepath.Join(path, file))] = entry{}
		}
		c.known[absolute(filepath.Join(path, "manifest.json"))] = entry{}
		if name := filepath.Base(absolute(path)); strings.HasPrefix(name, "step") && name != fmt.Sprintf("step%d", m.Step) {
			c.problem(Checkpoint, path, "%s holds the checkpoint of step %d", name, m.Step)
		}
		if path == c.root {
			c.note(path, "in a release this checkpoint is called %s", m.ReleaseName())
		}
	}
	c.model(path)
	if file := filepath.Join(path, "config.yaml"); m != nil && !c.compared(file) {
		c.config(file)
	}
	if m == nil {
		return
	}
	for _, w := range c.report.Weights {
		if w.Path == c.rel(path) && w.Digest != m.WeightsDigest.String() {
			c.problem(Checkpoint, path, "the weights have the digest %s, the manifest says %s", w.Digest, m.WeightsDigest)
		}
	}
}
