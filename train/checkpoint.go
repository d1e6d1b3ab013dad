package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"olmo/config"
	"olmo/device"
	"olmo/model"
	"olmo/proof"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// logFile is the log of a run, in its folder.
const logFile = "metrics.jsonl"

// rolloutsFile has the answers that a run with rollouts has sampled, one a line.
const rolloutsFile = "rollouts.jsonl"

// The files of a checkpoint folder stepN.
const (
	ModelFile     = "model.safetensors" // the weights, with the names of the ai2-olmo package
	optimFile     = "optim.safetensors" // exp_avg/NAME, exp_avg_sq/NAME, momentum/NAME
	stateFile     = "train.json"        // State
	recordFile    = "record.json"       // lastLines
	configFile    = "config.yaml"
	tokenizerFile = "tokenizer.json"
	manifestFile  = "manifest.json" // Manifest; written last
)

// Manifest lets a checkpoint check itself.
type Manifest struct {
	Format        string                `json:"format"`
	Step          int                   `json:"step"`
	Tokens        int64                 `json:"tokens"`
	Kind          string                `json:"kind"`
	WeightsDigest proof.Hash            `json:"weights_digest"`
	Chain         proof.Hash            `json:"chain"`
	Files         map[string]proof.Hash `json:"files"`   // SHA-256 of the small files
	Tensors       map[string]sumMap     `json:"tensors"` // and of each tensor of the others
}

// ReleaseName is what a checkpoint is called in a release, as OLMo's are on the hub: the step and
// billions of tokens, rounded.
func (m *Manifest) ReleaseName() string {
	return fmt.Sprintf("step%d-tokens%dB", m.Step, (m.Tokens+5e8)/1e9)
}

type sumMap map[string]proof.Hash

const manifestFormat = "olmo checkpoint 1"

// kind says how long a checkpoint is kept.
type kind string

const (
	kept      kind = "sharded"   // save_interval: the last save_num_checkpoints_to_keep
	permanent kind = "unsharded" // save_interval_unsharded: save_num_unsharded_checkpoints_to_keep
	ephemeral kind = "ephemeral" // save_interval_ephemeral: until the next checkpoint
)

// ErrCorrupt is what loading a damaged checkpoint returns.
var ErrCorrupt = errors.New("the checkpoint is damaged")

// lastLines are the last step's lines of log and chain, so that they are there again where a
// file has lost them.
type lastLines struct {
	Log   string `json:"log,omitempty"` // without times and speeds
	Chain string `json:"chain,omitempty"`
}

// lastLines are those of the step at which the run stands.
func (t *Trainer) lastLines() (l lastLines) {
	if n, ok := t.recorded.Step(); ok && n == t.state.Step {
		rec := maps.Clone(t.recorded)
		maps.DeleteFunc(rec, func(key string, _ any) bool { return IsTiming(key) })
		if text, err := rec.MarshalJSON(); err == nil {
			l.Log = string(text)
		}
	}
	l.Chain = string(t.chain.text)
	return l
}

// checkpoints writes a run's checkpoints, one at a time, beside the training.
type checkpoints struct {
	dir    string
	last   int    // step of the newest, −1 for none
	series series // of the folder; while a checkpoint is written its writer's
	done   chan error
	lent   chan struct{} // closed when what the device lends has been read; nil without
}

// open prepares the folder: unfinished checkpoints of a killed run are removed.
func (c *checkpoints) open(t *Trainer) error {
	c.dir, c.last = t.cfg.SaveFolder, -1
	if t.continues() {
		c.last = t.state.Step
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("opening save_folder: %w", err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, ".step") && (strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".lock")) {
			if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
				return fmt.Errorf("removing an unfinished checkpoint: %w", err)
			}
		}
	}
	if c.series, err = readSeries(c.dir); err != nil || !t.continues() {
		return err
	}
	// A run that was killed after its last checkpoint may have left those that go with it.
	for k, steps := range c.series {
		if slices.Contains(steps, c.last) {
			return c.series.retire(c.dir, c.last, k, t.cfg.keep())
		}
	}
	return nil
}

// keep is how many checkpoints of each kind stay; below 0 all.
func (c *Config) keep() map[kind]int {
	return map[kind]int{kept: c.SaveNumCheckpoints, permanent: c.SaveNumUnsharded}
}

// wait returns when no checkpoint is being written, with the error of the last.
func (c *checkpoints) wait() error {
	if c.done == nil {
		return nil
	}
	err := <-c.done
	c.done, c.lent = nil, nil
	return err
}

// failed returns the error of the last checkpoint, without waiting for one that is being
// written: a run that cannot save should not go on until it wants to save again.
func (c *checkpoints) failed() error {
	select {
	case err := <-c.done:
		c.done, c.lent = nil, nil
		return err
	default:
		return nil
	}
}

// copied is up to how many bytes of weights and optimiser state a checkpoint copies. A
// larger one is written from what the device has: the next update waits until it is.
var copied int64 = 256 << 20

// release returns when the checkpoint that is being written has no use for the device.
func (c *checkpoints) release() {
	if c.lent == nil {
		return
	}
	select {
	case <-c.lent:
	case err := <-c.done:
		c.done <- err // for wait
	}
	c.lent = nil
}

// save writes the state of the run as stepN while training goes on.
func (t *Trainer) save(k kind) error {
	began := time.Now()
	defer func() { t.speed.saved = time.Since(began) }()
	c := &t.checkpoints
	if err := c.wait(); err != nil {
		return err
	}
	if n := t.cfg.SaveIntervalUnsharded; k == kept && n != nil && t.state.Step%*n == 0 {
		k = permanent
	}
	roots, err := t.hashTensors()
	if err == nil && (t.chain.rootless && t.chain.lines != nil) {
		err = t.chain.note(roots)
	}
	if err != nil {
		return fmt.Errorf("saving step %d: %w", t.state.Step, err)
	}
	w := &writer{dir: c.dir, kind: k, state: t.state, roots: roots, lines: t.lastLines(), config: t.written, tokenizer: t.cfg.Tokenizer.Identifier, keep: t.cfg.keep(), series: c.series, uploads: t.uploads}
	if t.model.Adapters != nil {
		if w.adapter, err = model.PEFTConfig(t.model, t.written.InitWeights); err != nil {
			return fmt.Errorf("saving step %d: %w", t.state.Step, err)
		}
	}
	read := t.dev.Read
	if n := checkpointBytes(t.groups, &t.cfg.Optimizer); n > copied {
		read, w.lender, w.lent = t.dev.Lend, t.dev, make(chan struct{})
	}
	for _, p := range t.params {
		v, err := read(p.Name)
		if err != nil {
			return fmt.Errorf("saving step %d: %w", t.state.Step, err)
		}
		w.model = append(w.model, weights.Named{Name: p.Name, Tensor: tensor.FromFloat32(p.Shape, v)})
	}
	err = t.eachState(func(s state, _ model.Param) error {
		v, err := read(s.name)
		if err != nil {
			return err
		}
		w.optim = append(w.optim, weights.Named{Name: s.name, Tensor: tensor.FromFloat32(s.shape, v)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("saving step %d: %w", t.state.Step, err)
	}
	if t.indices != nil {
		if err := t.indices.flush(); err != nil {
			return fmt.Errorf("saving step %d: %w", t.state.Step, err)
		}
	}
	if t.log != nil {
		err := errors.Join(t.log.Sync(), t.chain.sync())
		if t.traces != nil {
			err = errors.Join(err, t.traces.Sync())
		}
		if err != nil {
			return fmt.Errorf("saving step %d: %w", t.state.Step, err)
		}
	}
	c.last = t.state.Step
	c.done, c.lent = make(chan error, 1), w.lent
	go func(done chan error) { done <- w.write() }(c.done)
	return nil
}

// checkpointBytes is the size of weights and optimiser state.
func checkpointBytes(groups []Group, o *OptimizerConfig) int64 {
	var n int64
	for _, g := range groups {
		for _, p := range g.Params {
			n += 4 * int64(p.Size())
			for _, s := range o.states(g, p) {
				n += 4 * int64(s.size())
			}
		}
	}
	return n
}

// eachState calls f for every value that the optimiser keeps, and for the reference that follows.
func (t *Trainer) eachState(f func(s state, p model.Param) error) error {
	for _, g := range t.groups {
		for _, p := range g.Params {
			states := t.cfg.Optimizer.states(g, p)
			if t.cfg.follows() {
				states = append(states, referenceState(p))
			}
			for _, s := range states {
				if err := f(s, p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// writer holds all that one checkpoint is made of.
type writer struct {
	dir          string
	kind         kind
	state        State
	config       *Config // as config.yaml says it
	tokenizer    string  // where it is
	adapter      []byte  // adapter_config.json where an adapter is trained; else nil
	model, optim []weights.Named
	roots        *roots        // their hashes
	lines        lastLines     // of log and chain
	lender       device.Device // of these, until lent is closed; nil for copies
	lent         chan struct{}
	keep         map[kind]int
	series       series
	uploads      *uploads // nil without remote_save_folder
}

func (w *writer) write() error {
	name := fmt.Sprintf("step%d", w.state.Step)
	final := filepath.Join(w.dir, name)
	fail := func(err error) error {
		return fmt.Errorf("saving %s: %w\nhint: the checkpoints before it are whole; free space or choose another save_folder, then continue with try_load_latest_save=true", final, err)
	}
	// A step that exists is one that a run before this one, or a damaged disk, left.
	folder, err := store.CreateFolder(final)
	if err == nil {
		defer folder.Abort()
		err = w.fill(folder.Path())
	}
	if w.lent != nil {
		runtime.KeepAlive(w.lender)
		close(w.lent)
	}
	if err == nil {
		err = folder.Commit()
	}
	if err == nil {
		err = store.Link(filepath.Join(w.dir, "latest"), name)
	}
	if err != nil {
		return fail(err)
	}
	if w.uploads != nil && w.kind != ephemeral {
		w.uploads.add(final)
	}
	return w.series.retire(w.dir, w.state.Step, w.kind, w.keep)
}

// fill writes the files of a checkpoint, the manifest last.
func (w *writer) fill(dir string) error {
	m := Manifest{Format: manifestFormat, Step: w.state.Step, Tokens: w.state.Tokens, Kind: string(w.kind), Chain: w.state.Chain, Files: map[string]proof.Hash{}, Tensors: map[string]sumMap{}}
	for _, f := range []struct {
		file    string
		tensors []weights.Named
		sums    []weights.Sum
	}{{ModelFile, w.model, w.roots.weights}, {optimFile, w.optim, w.roots.optim}} {
		m.Tensors[f.file] = sumMap{}
		for _, s := range f.sums {
			m.Tensors[f.file][s.Name] = s.SHA256
		}
		if err := weights.WriteSafetensors(filepath.Join(dir, f.file), f.tensors, map[string]string{"format": "pt"}); err != nil {
			return err
		}
	}
	m.WeightsDigest = weights.DigestSums(w.roots.weights)
	if err := config.Write(filepath.Join(dir, configFile), w.config); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, stateFile), w.state); err != nil {
		return err
	}
	small := []string{configFile, stateFile}
	if w.adapter != nil {
		if err := store.WriteFile(filepath.Join(dir, model.PEFTConfigFile), w.adapter); err != nil {
			return err
		}
		small = append(small, model.PEFTConfigFile)
	}
	if w.lines != (lastLines{}) {
		if err := writeJSON(filepath.Join(dir, recordFile), w.lines); err != nil {
			return err
		}
		small = append(small, recordFile)
	}
	copied, err := w.copyTokenizer(dir)
	if err != nil {
		return err
	}
	small = append(small, copied...)
	for _, file := range small {
		h, err := hashFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		m.Files[file] = h
	}
	return writeJSON(filepath.Join(dir, manifestFile), m)
}

// beside are files that say of a tokenizer.json in one folder with them what it does not:
// special tokens, the chat template, which ids end a text.
var beside = []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "generation_config.json"}

// copyTokenizer keeps the tokenizer with the weights, where the config names a file that
// is there. It is not needed to train.
func (w *writer) copyTokenizer(dir string) (names []string, err error) {
	if !strings.HasSuffix(w.tokenizer, ".json") {
		return nil, nil
	}
	from := map[string]string{tokenizerFile: w.tokenizer}
	if filepath.Base(w.tokenizer) == tokenizerFile {
		for _, name := range beside {
			from[name] = filepath.Join(filepath.Dir(w.tokenizer), name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		text, err := store.ReadFile(from[name])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = store.WriteFile(filepath.Join(dir, name), text)
		}
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// Steps lists the steps of the checkpoints in a run folder, ascending.
func Steps(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing checkpoints: %w", err)
	}
	var steps []int
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "step")
		if n, err := strconv.Atoi(digits); ok && err == nil && e.IsDir() && n >= 0 && strconv.Itoa(n) == digits {
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// Latest returns the folder of the checkpoint that a run folder's latest leads to, or
// of its highest step; an error that is fs.ErrNotExist when there is none.
func Latest(dir string) (string, error) {
	candidates, err := candidates(dir)
	if err != nil {
		return "", err
	}
	if len(candidates) == 0 {
		return "", fmt.Errorf("%s holds no checkpoint (stepN): %w", dir, fs.ErrNotExist)
	}
	return candidates[0], nil
}

// candidates lists a run's checkpoint folders in the order in which to try them:
// latest, the steps before it, newest first, then the later ones.
func candidates(dir string) ([]string, error) {
	steps, err := Steps(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	latest := -1
	if name, err := store.Linked(filepath.Join(dir, "latest")); err == nil {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(name), "step")); err == nil {
			latest = n
		}
	}
	var before, after []string
	for _, n := range slices.Backward(steps) {
		path := filepath.Join(dir, fmt.Sprintf("step%d", n))
		if latest >= 0 && n > latest {
			after = append(after, path)
		} else {
			before = append(before, path)
		}
	}
	return append(before, after...), nil
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(path, append(text, '\n'))
}

func hashFile(path string) (h proof.Hash, err error) {
	f, err := store.Open(path)
	if err != nil {
		return h, err
	}
	defer f.Close()
	return proof.SumReader(f)
}
