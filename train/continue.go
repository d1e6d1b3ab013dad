package train

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"olmo/data/tokens"
	"olmo/internal/program"
	"olmo/model"
	"olmo/numeric"
	"olmo/proof"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// kept is what of a chain a run goes on with.
type keptChain struct {
	text    []byte      // whole lines, without closing ones
	all     bool        // of the file, but for a closing line at its end
	closing bool        // which there is
	first   *proof.Line // nil without any
	last    *proof.Line // that is no closing one
	before  *proof.Line // the last of all
	// Those in force after the last line. recipe is a hash here.
	recipe                      proof.Hash
	documents, tokenizer, masks *proof.Nullable
	numerics                    int
}

// keepChain reads a chain up to a step. What comes after it is left out, and so is a torn end; a
// line that is wrong before is an error.
func keepChain(path string, step int) (*keptChain, error) {
	f, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	k := &keptChain{all: true}
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		text, torn, err := proof.ReadLine(in)
		if errors.Is(err, io.EOF) {
			return k, nil
		}
		if err == nil {
			err = k.add(text, torn, step)
		}
		switch {
		case errors.Is(err, errEnough):
			k.all = false
			return k, nil
		case err != nil && (torn || k.last != nil && k.last.Step >= step):
			k.all = false
			return k, nil
		case err != nil:
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
}

// add takes a line; errEnough tells that it is not to be kept.
func (k *keptChain) add(text []byte, torn bool, step int) error {
	l, err := proof.ParseLine(text)
	if err != nil {
		return err
	}
	if l.Step > step || torn {
		return errEnough
	}
	if err := l.Follow(k.before, text); err != nil {
		return err
	}
	k.before = l
	if l.Closes() {
		k.closing = true
		return nil
	}
	if k.first == nil {
		k.first = l
	}
	if l.Recipe != nil {
		k.recipe = *l.Recipe
	}
	if l.Documents != nil {
		k.documents = l.Documents
	}
	if l.Tokenizer != nil {
		k.tokenizer = l.Tokenizer
	}
	if l.Masks != nil {
		k.masks = l.Masks
	}
	if l.Numerics != nil {
		k.numerics = *l.Numerics
	}
	k.last = l
	k.text = append(append(k.text, text...), '\n')
	return nil
}

// takeSettings hashes what the run is made of.
func (t *Trainer) takeSettings(ctx context.Context) (err error) {
	c, now := t.cfg, &t.chain.now
	if now.recipe, err = c.Recipe(); err != nil {
		return err
	}
	now.numerics, now.program = numeric.Contract, program.Read().String()
	now.tokenizer, now.masks, now.documents = &proof.Nullable{}, &proof.Nullable{}, &proof.Nullable{}
	file := c.Tokenizer.Identifier
	if text, ok := t.opt.Files[filepath.Base(file)]; ok && filepath.Dir(file) == filepath.Clean(c.SaveFolder) {
		now.tokenizer.Hash, now.tokenizer.Valid = proof.Sum(text), true // it is written once nothing is refused
	} else if strings.HasSuffix(file, ".json") && exists(file) {
		if now.tokenizer.Hash, err = hashFile(file); err != nil {
			return fmt.Errorf("tokenizer: %w", err)
		}
		now.tokenizer.Valid = true
	}
	if len(c.Data.LabelMaskPaths) > 0 {
		if now.masks.Hash, err = tokens.MasksRoot(c.Data.LabelMaskPaths); err != nil {
			return fmt.Errorf("training data: %w", err)
		}
		now.masks.Valid = true
	}
	o := tokens.LeafOptions{Stored: true, Progress: t.opt.Hashing}
	now.documents.Hash, _, _, err = tokens.DocumentsRoot(ctx, c.TokenFiles(), tokens.DType(c.Data.MemmapDType), o)
	switch {
	case errors.Is(err, tokens.ErrRemote):
		return nil
	case err != nil:
		return fmt.Errorf("training data: %w", err)
	}
	now.documents.Valid = true
	return nil
}

// sameChain refuses to go on from what is not the chain's: the checkpoint, the config, the token
// files or the tokenizer. With accept_changes the next step records what is other.
func (t *Trainer) sameChain(ctx context.Context) (*keptChain, error) {
	if err := t.takeSettings(ctx); err != nil {
		return nil, err
	}
	c := &t.chain
	if !t.continues() {
		return nil, nil
	}
	path := filepath.Join(c.dir, chainFile)
	k, err := keepChain(path, t.state.Step)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // of a program that wrote none: it begins here
	}
	if err == nil {
		err = t.mendChain(k)
	}
	if err != nil {
		return nil, fmt.Errorf("the chain of the run cannot be continued: %w\nhint: restore %s from a copy; without it, and without %s and %s, the run goes on and a new chain begins at its checkpoint", err, path, tensorsFile, recipeFile)
	}
	if err := t.ofChain(k); err != nil {
		return nil, fmt.Errorf("step%d is not the checkpoint of %s: %w\nhint: restore it from a copy, or load_path=%s save_folder=DIR starts another run from it", t.state.Step, path, err, filepath.Join(c.dir, fmt.Sprintf("step%d", t.state.Step)))
	}
	// A run that took up an older one begins its chain with that one's checkpoint.
	t.state.Chain = k.last.Hash
	return k, t.sameSettings(k)
}

// mendChain gives a chain that has lost the line of the checkpoint's step, as a torn end
// does, that line from the checkpoint.
func (t *Trainer) mendChain(k *keptChain) error {
	if k.last != nil && k.last.Step == t.state.Step {
		return nil
	}
	if text := t.lost.Chain; text != "" && k.last != nil && k.last.Step == t.state.Step-1 && k.add([]byte(text), false, t.state.Step) == nil {
		k.all = false
		return nil
	}
	if k.last == nil {
		return errors.New("it has no first line")
	}
	return fmt.Errorf("it ends at step %d, the checkpoint is of step %d", k.last.Step, t.state.Step)
}

// ofChain compares the checkpoint that was loaded with what the chain says of its step.
func (t *Trainer) ofChain(k *keptChain) error {
	begun := k.first == k.last && k.first.From != nil && *k.first.From == t.state.Chain
	if k.last.Hash != t.state.Chain && !begun {
		return fmt.Errorf("its train.json has the hash %v, the line of step %d %v", t.state.Chain, k.last.Step, k.last.Hash)
	}
	c := &t.chain
	if c.loaded == nil {
		return nil
	}
	want, err := tensorsAt(filepath.Join(c.dir, tensorsFile), t.state.Step)
	if err != nil {
		return err
	}
	sums := func(file string, names []string, shapes [][]int, want map[string]proof.Hash) (proof.Hash, error) {
		var all []weights.Sum
		for i, name := range names {
			have := c.loaded.Tensors[file][name]
			if w, ok := want[name]; ok && w != have {
				return proof.Hash{}, fmt.Errorf("%s: %s has the hash %v, %s says %v", file, name, have, tensorsFile, w)
			}
			all = append(all, weights.Sum{Name: name, DType: tensor.F32, Shape: shapes[i], SHA256: have})
		}
		slices.SortFunc(all, func(a, b weights.Sum) int { return strings.Compare(a.Name, b.Name) })
		return weights.Root(all), nil
	}
	var names, stateNames []string
	var shapes, stateShapes [][]int
	for _, p := range t.params {
		names, shapes = append(names, p.Name), append(shapes, p.Shape)
	}
	_ = t.eachState(func(s state, _ model.Param) error {
		stateNames, stateShapes = append(stateNames, s.name), append(stateShapes, s.shape)
		return nil
	})
	w, err := sums(ModelFile, names, shapes, want.Weights)
	if err != nil {
		return err
	}
	o, err := sums(optimFile, stateNames, stateShapes, want.Optim)
	if err != nil {
		return err
	}
	if k.last.Weights == nil {
		return nil
	}
	h, err := t.state.Hash()
	switch {
	case err != nil:
		return err
	case w != *k.last.Weights:
		return fmt.Errorf("its weights have the root %v, the chain says %v", w, *k.last.Weights)
	case o != *k.last.Optim:
		return fmt.Errorf("its optimiser's state has the root %v, the chain says %v", o, *k.last.Optim)
	case h != *k.last.State:
		return fmt.Errorf("its %s has the hash %v, the chain says %v", stateFile, h, *k.last.State)
	}
	return nil
}

// OtherRunError says why a run would not continue the one in its folder, which other settings or data have made.
type OtherRunError struct{ Reason error }

func (e *OtherRunError) Error() string { return e.Reason.Error() }
func (e *OtherRunError) Unwrap() error { return e.Reason }

// sameSettings compares what the run is made of with what the chain says.
func (t *Trainer) sameSettings(k *keptChain) error {
	now, change := &t.chain.now, &proof.Line{}
	var what []string
	if h := proof.Sum(now.recipe); h != k.recipe {
		keys, err := t.recipeChanges(k.recipe)
		if err != nil {
			return err
		}
		for _, key := range keys {
			follows := key == "data.seed" && t.cfg.Data.Seed == nil && slices.Contains(t.cfg.AllowChanges, "seed")
			if !follows && !slices.Contains(t.cfg.AllowChanges, key) {
				what = append(what, key)
			}
		}
		change.Recipe = &h
	}
	other := func(a, b *proof.Nullable) bool { return b != nil && *a != *b }
	files := func(name string, now, was *proof.Nullable, to **proof.Nullable) {
		if other(now, was) {
			what, *to = append(what, name), now
		}
	}
	files("the token files or their documents", now.documents, k.documents, &change.Documents)
	files("the tokenizer", now.tokenizer, k.tokenizer, &change.Tokenizer)
	files("the label masks", now.masks, k.masks, &change.Masks)
	if now.numerics != k.numerics {
		what = append(what, fmt.Sprintf("the numeric contract (%d there, %d here)", k.numerics, now.numerics))
		change.Numerics, change.Program = &now.numerics, &now.program
	}
	if len(what) > 0 && !t.cfg.AcceptChanges {
		return &OtherRunError{fmt.Errorf("going on after step %d would not continue the run in %s: other than its chain says are %s\nhint: accept_changes=true goes on and records what is other from step %d on; save_folder=DIR load_path=%s starts another run from here",
			t.state.Step, t.chain.dir, strings.Join(what, ", "), t.state.Step+1, t.chain.dir)}
	}
	if *change != (proof.Line{}) {
		t.chain.change = change
		if len(what) > 0 {
			t.opt.Warn(fmt.Sprintf("going on after step %d with other settings, which the chain records: %s", t.state.Step, strings.Join(what, ", ")))
		}
	}
	return nil
}

// recipeChanges names the keys in which the recipe differs from the one with a hash, which lies in
// the run's folder.
func (t *Trainer) recipeChanges(was proof.Hash) ([]string, error) {
	files, err := recipes(t.chain.dir)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := store.ReadFile(filepath.Join(t.chain.dir, file))
		if err == nil && proof.Sum(text) == was {
			return RecipeDifferences(text, t.chain.now.recipe)
		}
	}
	return []string{"the settings (" + recipeFile + " is not there or not the chain's, so that nobody can tell which)"}, nil
}

// recipes lists the recipe files of a run.
func recipes(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, ok := recipeStep(e.Name()); ok {
			files = append(files, e.Name())
		}
	}
	return files, nil
}

// recipeStep is the step from which a recipe file holds, 0 for recipe.json.
func recipeStep(file string) (step int, ok bool) {
	if file == recipeFile {
		return 0, true
	}
	digits, ok := strings.CutSuffix(strings.TrimPrefix(file, "recipe-"), ".json")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && file == recipeFrom(n)
}

// openChain begins the chain of the run, or goes on with what is kept of it.
func (t *Trainer) openChain(k *keptChain) (err error) {
	c := &t.chain
	path := func(file string) string { return filepath.Join(c.dir, file) }
	step := t.state.Step
	recipe := recipeFile
	if k == nil {
		if err := t.beginChain(); err != nil {
			return err
		}
		if err := store.WriteFile(path(chainFile), append(c.text, '\n')); err != nil {
			return whileWriting(err)
		}
		c.tree.Add(c.text)
	} else {
		for line := range bytes.Lines(k.text) {
			c.tree.Add(bytes.TrimSuffix(line, []byte("\n")))
		}
		if !k.all {
			if err := store.WriteFile(path(chainFile), k.text); err != nil {
				return whileWriting(err)
			}
		} else if k.closing {
			c.open = k.text // until there is a step, the run is where it was stopped
		}
		c.rootless = k.last.Weights == nil
		recipe = recipeFrom(step + 1)
	}
	files, err := recipes(c.dir)
	if err != nil {
		return whileWriting(err)
	}
	for _, file := range files {
		// What an earlier run has left, or one that was killed after it had gone on from here.
		if n, _ := recipeStep(file); k == nil && file != recipeFile || n > step {
			if err := store.Remove(path(file)); err != nil {
				return whileWriting(err)
			}
		}
	}
	if k == nil || c.change != nil && c.change.Recipe != nil {
		if err := store.WriteFile(path(recipe), c.now.recipe); err != nil {
			return whileWriting(err)
		}
	}
	if err := cutTensors(path(tensorsFile), step, k == nil); err != nil {
		return whileWriting(err)
	}
	if c.tensors, err = store.Append(path(tensorsFile)); err != nil {
		return whileWriting(err)
	}
	if c.lines, err = store.Append(path(chainFile)); err != nil {
		return whileWriting(err)
	}
	if k == nil {
		return c.note(c.roots)
	}
	return nil
}

// beginChain makes the first line.
func (t *Trainer) beginChain() error {
	c := &t.chain
	h := proof.Sum(c.now.recipe)
	l := proof.Line{
		Step: t.state.Step, Format: proof.ChainFormat, Recipe: &h, Documents: c.now.documents, Tokenizer: c.now.tokenizer,
		Numerics: &c.now.numerics, Program: &c.now.program, Masks: c.now.masks, From: c.from,
	}
	r, err := t.hashTensors()
	if err != nil {
		return err
	}
	if err := bind(&l, r, &t.state); err != nil {
		return err
	}
	if c.text, err = l.Seal(proof.Hash{}); err != nil {
		return err
	}
	t.state.Chain, c.rootless = l.Hash, false
	return nil
}

// tensorsAt is what a tensors.jsonl says of a step, nothing where it does not; a torn end is passed over.
func tensorsAt(path string, step int) (*proof.Tensors, error) {
	found := &proof.Tensors{}
	f, err := store.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = proof.ReadTensors(f, func(int) bool { return true }, func(n int, l *proof.Tensors, torn bool, err error) error {
		switch {
		case err != nil && !torn:
			return fmt.Errorf("line %d: %w", n, err)
		case err == nil && l.Step == step:
			found = l
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}

// cutTensors leaves of a tensors.jsonl the lines up to a step, or none.
func cutTensors(path string, step int, none bool) error {
	text, err := store.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept []byte
	for rest := text; len(rest) > 0 && !none; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		rest = after
		var l struct {
			Step int `json:"step"`
		}
		if whole && json.Unmarshal(line, &l) == nil && l.Step <= step {
			kept = append(append(kept, line...), '\n')
		}
	}
	if len(kept) == len(text) {
		return nil
	}
	return store.WriteFile(path, kept)
}
