package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"olmo/proof"
	"olmo/release/verify"
	"olmo/store"
	"olmo/train"
)

// The files of a run that are read here, beside those of its checkpoints.
const (
	chainFile   = "chain.jsonl"
	tensorsFile = "tensors.jsonl"
	recipeFile  = "recipe.json"
	logFile     = "metrics.jsonl"
	samplesFile = "samples.jsonl"
)

// source is the run that is released.
type source struct {
	dir         string // of the run
	quickstart  string // its folder, empty for a run alone
	cfg         *train.Config
	checkpoints []checkpoint // ascending
	left        map[string]bool
	chain       os.FileInfo // as it was in the beginning
	first, last *proof.Line
	lines       uint64 // of the chain
	stepsRoot   proof.Hash
	// inForce are the documents and the tokenizer after the last line.
	inForce struct{ documents, tokenizer *proof.Nullable }
}

// checkpoint is a folder stepN of the run.
type checkpoint struct {
	step   int
	dir    string
	branch string // what the release calls its model
	cfg    *train.Config
	*train.Manifest
}

// open looks at a run, which must not be written to.
func open(run string) (*source, error) {
	cfg, err := train.LoadRun(run, nil)
	if err != nil {
		return nil, err
	}
	s := &source{dir: cfg.SaveFolder, cfg: cfg, left: map[string]bool{}}
	if _, err := os.Stat(filepath.Join(run, "train", chainFile)); err == nil {
		return nil, fmt.Errorf("%s is a release already\nhint: give the run of which it was made", run)
	}
	if cfg.Adapter != nil {
		return nil, fmt.Errorf("%s trained an adapter, and a release has whole models alone\nhint: 'olmo verify' and 'olmo replay' take the run's own folder; 'olmo merge' makes a model of base and adapter", s.dir)
	}
	if same(filepath.Join(run, "run"), s.dir) && exists(filepath.Join(run, "report.json")) {
		s.quickstart = run
	}
	if err := store.HeldIn(s.dir); err != nil {
		return nil, fmt.Errorf("the run is not at rest: %w", err)
	}
	if path := filepath.Join(s.dir, chainFile); !exists(path) {
		return nil, fmt.Errorf("%s has no %s: a release is checked against the run's own record\nhint: a run of an older program gets one when it goes on: olmo train %s try_load_latest_save=true", s.dir, chainFile, filepath.Join(s.dir, "config.yaml"))
	}
	return s, nil
}

// sound is an *UnsoundError where the run is not what it says.
func (s *source) sound(ctx context.Context, progress func(done, total int64)) error {
	r, err := verify.Folder(ctx, s.dir, verify.Options{Progress: progress})
	if err == nil && !r.OK {
		err = &UnsoundError{s.dir, r}
	}
	return err
}

// UnsoundError says that a run is not what it says of itself: a release of it would not be, either.
type UnsoundError struct {
	Run    string
	Report *verify.Report
}

func (e *UnsoundError) Error() string {
	first := e.Report.Problems[0].Message
	if n := len(e.Report.Problems) - 1; n > 0 {
		first = fmt.Sprintf("%s, and %d more problems", first, n)
	}
	return fmt.Sprintf("the run in %s is not sound: %s\nhint: olmo verify %[1]s lists all", e.Run, first)
}

// read reads the chain and lists the checkpoints.
func (s *source) read() error {
	if err := s.readChain(); err != nil {
		return err
	}
	steps, err := train.Steps(s.dir)
	if err != nil {
		return err
	}
	for _, step := range steps {
		c := checkpoint{step: step, dir: filepath.Join(s.dir, fmt.Sprintf("step%d", step))}
		if c.Manifest, err = train.ReadManifest(c.dir); err != nil {
			return err
		}
		if c.cfg, err = train.LoadRun(c.dir, nil); err != nil {
			return err
		}
		c.branch = c.ReleaseName()
		s.checkpoints = append(s.checkpoints, c)
	}
	if len(s.checkpoints) == 0 {
		return fmt.Errorf("%s holds no checkpoint: there is no model to release\nhint: olmo train goes on and saves one", s.dir)
	}
	return nil
}

// readChain goes through the lines of the chain.
func (s *source) readChain() error {
	path := filepath.Join(s.dir, chainFile)
	f, err := store.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.chain, err = f.Stat(); err != nil {
		return err
	}
	var tree proof.Tree
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		text, torn, err := proof.ReadLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		var line *proof.Line
		if err == nil {
			line, err = proof.ParseLine(text)
		}
		if err == nil && torn {
			err = errors.New("it is torn")
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		tree.Add(text)
		if s.first == nil {
			s.first = line
		}
		s.last = line
		if line.Documents != nil {
			s.inForce.documents = line.Documents
		}
		if line.Tokenizer != nil {
			s.inForce.tokenizer = line.Tokenizer
		}
	}
	if s.last == nil {
		return fmt.Errorf("%s is empty", path)
	}
	s.lines, s.stepsRoot = tree.Len(), tree.Root()
	return nil
}

// unchanged is an error where the run went on since it was opened.
func (s *source) unchanged() error {
	if err := store.HeldIn(s.dir); err != nil {
		return fmt.Errorf("the run has gone on meanwhile: %w", err)
	}
	now, err := os.Stat(filepath.Join(s.dir, chainFile))
	if err == nil && (now.Size() != s.chain.Size() || !now.ModTime().Equal(s.chain.ModTime())) {
		err = fmt.Errorf("the run in %s has gone on while it was released\nhint: give the command again", s.dir)
	}
	return err
}

// inputs are the places that a release may not be written over.
func (s *source) inputs() []string {
	all := []string{s.dir, filepath.Join(s.dir, chainFile)}
	if s.quickstart != "" {
		all = append(all, s.quickstart)
	}
	return append(all, s.cfg.TokenFiles()...)
}

// choose leaves out the checkpoints of all other steps.
func (s *source) choose(steps []int) error {
	if steps == nil {
		return nil
	}
	for _, step := range steps {
		if !slices.ContainsFunc(s.checkpoints, func(c checkpoint) bool { return c.step == step }) {
			var there []string
			for _, c := range s.checkpoints {
				there = append(there, fmt.Sprint(c.step))
			}
			return fmt.Errorf("the run has no checkpoint of step %d\nhint: it has those of %s", step, strings.Join(there, ", "))
		}
	}
	for _, c := range s.checkpoints {
		if !slices.Contains(steps, c.step) {
			s.left[fmt.Sprintf("train/step%d", c.step)], s.left["model/"+c.branch] = true, true
		}
	}
	return nil
}

// skipped tells whether a path is of a checkpoint that was not chosen.
func (s *source) skipped(path string) bool {
	parts := strings.SplitN(path, "/", 3)
	return len(parts) == 3 && s.left[parts[0]+"/"+parts[1]]
}

// Last is the step of the last checkpoint of a run, for who wants that alone.
func Last(run string) (int, error) {
	cfg, err := train.LoadRun(run, nil)
	if err != nil {
		return 0, err
	}
	steps, err := train.Steps(cfg.SaveFolder)
	if err == nil && len(steps) == 0 {
		err = fmt.Errorf("%s holds no checkpoint", cfg.SaveFolder)
	}
	if err != nil {
		return 0, err
	}
	return steps[len(steps)-1], nil
}

// machine are the folders of this machine that a release must not tell.
func (s *source) machine() []string {
	home, _ := os.UserHomeDir()
	work, _ := os.Getwd()
	var all []string
	for _, dir := range []string{home, work, s.dir, s.quickstart} {
		abs, err := filepath.Abs(dir)
		// The folders at the top are the same on many machines, and texts speak of them.
		if err == nil && dir != "" && strings.Count(filepath.ToSlash(abs), "/") > 1 && !slices.Contains(all, abs) {
			all = append(all, abs)
		}
	}
	return all
}

// notOfNames is what a name on a hub cannot have.
var notOfNames = regexp.MustCompile(`[^\w.-]+|-{2,}|\.{2,}`)

// nameOf makes a name of a release of a run's.
func nameOf(run string) string {
	name := strings.Trim(notOfNames.ReplaceAllString(run, "-"), "-.")
	if name == "" {
		return "model"
	}
	return name[:min(len(name), 96)]
}

func same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
