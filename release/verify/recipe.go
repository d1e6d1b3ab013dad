package verify

import (
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"olmo/config"
	"olmo/proof"
	"olmo/release"
	"olmo/train"
)

// part is a stretch of the run with settings of its own, from a step on.
type part struct {
	step   int
	line   *proof.Line   // that names what is other
	recipe []byte        // nil where it is not there, or another
	cfg    *train.Config // nil where the recipe is
	err    error         // why the data cannot be read that cfg names
}

// data are the settings of a part whose token files are there; nil otherwise.
func (p *part) data() *train.Config {
	if p.err != nil {
		return nil
	}
	return p.cfg
}

// maxSmall is how long a file may be that is read whole: settings, and the state of a run.
const maxSmall = 64 << 20

// text is what a small file holds.
func (v *verifier) text(name string) ([]byte, error) {
	f := v.usable(name)
	if f == nil {
		return nil, fmt.Errorf("%s is not there", name)
	}
	if f.length() > maxSmall {
		return nil, fmt.Errorf("%s has %d bytes, more than such a file can have", name, f.length())
	}
	in, err := f.text()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, maxSmall))
}

// readParts reads the settings of the run, as the chain names them.
func (v *verifier) readParts() {
	c := v.chain
	if c == nil {
		return
	}
	v.parts = []part{{step: c.first.Step, line: c.first}}
	for _, l := range c.changes {
		v.parts = append(v.parts, part{step: l.Step, line: l})
	}
	hash := *c.first.Recipe
	for i := range v.parts {
		p := &v.parts[i]
		switch {
		case i == 0:
			p.recipe = v.readRecipe(v.train+recipeFile, hash)
		case p.line.Recipe == nil: // only the data are others
			p.recipe = v.parts[i-1].recipe
		default:
			hash = *p.line.Recipe
			p.recipe = v.readRecipe(v.train+fmt.Sprintf("recipe-%d.json", p.step), hash)
		}
		if p.recipe == nil {
			continue
		}
		to := -1
		if i < len(v.parts)-1 {
			to = v.parts[i+1].step - 1
		}
		if p.cfg, p.err = v.fromRecipe(p.recipe, p.step, to); p.err != nil {
			v.note("the data from step %d on cannot be read: %v", p.step, p.err)
		}
	}
	last := v.parts[len(v.parts)-1]
	v.configGives(v.train+configFile, last.recipe)
	if v.release != nil && last.cfg != nil && last.cfg.Data.MemmapDType != v.release.Data.DType {
		v.problem(Manifest, release.ManifestFile, "%s says that tokens are %s, the settings %s", release.ManifestFile, v.release.Data.DType, last.cfg.Data.MemmapDType)
	}
	for _, name := range sortedKeys(v.files) {
		if step, ok := v.stepOf(name); ok && strings.HasSuffix(name, "/config.yaml") {
			if p := v.partAt(step); p != nil {
				v.configGives(name, p.recipe)
			}
		}
	}
}

// partAt is the part of the run that led to a step.
func (v *verifier) partAt(step int) *part {
	var at *part
	for i := range v.parts {
		if p := &v.parts[i]; p.step <= step {
			at = p
		}
	}
	return at
}

// readRecipe reads a file of settings, nil where it is not the one with the hash.
func (v *verifier) readRecipe(name string, want proof.Hash) []byte {
	f := v.usable(name)
	switch {
	case f == nil && v.there[name] == nil:
		if v.wanted(name) {
			v.problem(Recipe, name, "%s is missing: the chain has the hash %v for it", name, want)
		}
		return nil
	case f == nil:
		return nil // told of as a file
	}
	text, err := v.text(name)
	if err != nil {
		v.problem(Recipe, name, "%v", err)
		return nil
	}
	if f.sum == want {
		return text
	}
	p := v.problem(Recipe, name, "%s has the hash %v, the chain says %v", name, f.sum, want)
	if given, err := v.recipeOf(v.train + configFile); err == nil && proof.Sum(given) == want {
		if keys, err := train.RecipeDifferences(given, text); err == nil && len(keys) > 0 {
			p.Key = keys[0]
		}
		return given
	}
	return nil
}

// recipeOf is the recipe that a config.yaml gives. Its paths are looked at as names alone.
func (v *verifier) recipeOf(name string) ([]byte, error) {
	text, err := v.text(name)
	if err != nil {
		return nil, err
	}
	c := train.DefaultConfig()
	if err := config.ParseWithoutPaths(name, text, c); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c.Recipe()
}

// configGives compares the settings of a config.yaml with a recipe.
func (v *verifier) configGives(name string, want []byte) {
	if v.usable(name) == nil || want == nil {
		return
	}
	got, err := v.recipeOf(name)
	if err != nil {
		v.problem(Recipe, name, "%s cannot be read: %v", name, err)
		return
	}
	keys, err := train.RecipeDifferences(got, want)
	if err != nil {
		v.problem(Recipe, name, "%s: %v", name, err)
		return
	}
	for _, key := range keys {
		v.problem(Recipe, name, "%s has another %s than the chain's recipe", name, key).Key = key
	}
}

// fromRecipe is the config that a recipe describes, by which the steps from one to another were made (to
// below 0: until the end), with the files of this release. It leads nowhere else.
// There is one beside the error where only files are missing.
func (v *verifier) fromRecipe(recipe []byte, from, to int) (*train.Config, error) {
	if v.release == nil {
		return v.fromRun(recipe, from, to)
	}
	c, err := train.FromRecipe(recipe, filepath.Join(v.dir, "data", "tokens"), filepath.Join(v.dir, "data", "masks"))
	if err != nil {
		return nil, err
	}
	for _, at := range slices.Concat(c.TokenFiles(), c.Data.LabelMaskPaths) {
		name, err := filepath.Rel(v.dir, at)
		if err != nil || !filepath.IsLocal(name) {
			return c, fmt.Errorf("the token file %s leads outside", at)
		}
		name = filepath.ToSlash(name)
		if want := v.entry(name); want == nil || v.there[name] == nil || v.there[name].odd != "" || v.there[name].size() != want.Size {
			return c, fmt.Errorf("%s is not there as it was", name)
		}
	}
	return c, nil
}

// fromRun is the config of a run in its own folder, whose token files lie where it says.
func (v *verifier) fromRun(recipe []byte, from, to int) (*train.Config, error) {
	if to < 0 {
		now, err := train.LoadRun(v.dir, nil)
		if err != nil {
			return nil, err
		}
		if text, err := now.Recipe(); err == nil && string(text) == string(recipe) {
			return now, nil
		}
	}
	tokenFiles, masks, err := train.DataFoldersAt(v.dir, from, to)
	if err != nil {
		return nil, err
	}
	return train.FromRecipe(recipe, tokenFiles, masks)
}

// judgeTokenizer compares every tokenizer.json with the chain's.
func (v *verifier) judgeTokenizer() {
	if v.chain == nil {
		return
	}
	want := v.chain.first.Tokenizer
	for _, l := range v.chain.changes {
		if l.Tokenizer != nil {
			want = l.Tokenizer
		}
	}
	if v.release != nil && len(v.chain.changes) == 0 {
		if t := v.release.Tokenizer; want.Valid != (t != nil) {
			v.problem(Tokenizer, "release.json", "release.json names %s tokenizer, the chain %s", one(t != nil), one(want.Valid))
		}
	}
	for _, name := range sortedKeys(v.files) {
		if path.Base(name) != "tokenizer.json" {
			continue
		}
		f := v.usable(name)
		if f == nil {
			continue
		}
		switch of := v.tokenizerAt(name, want); {
		case !of.Valid:
			v.problem(Tokenizer, name, "%s is not the chain's, which names none", name)
		case of.Hash != f.sum:
			v.problem(Tokenizer, name, "%s has the hash %v, the chain says %v", name, f.sum, of.Hash)
		}
	}
}

// tokenizerAt is the tokenizer that the chain has at a checkpoint, or in the end.
func (v *verifier) tokenizerAt(name string, last *proof.Nullable) *proof.Nullable {
	step, ok := v.stepOf(name)
	if !ok {
		step, ok = release.StepOf(path.Base(path.Dir(name))) // of a model
	}
	if !ok {
		return last
	}
	at := v.chain.first.Tokenizer
	for _, l := range v.chain.changes {
		if l.Tokenizer != nil && l.Step <= step {
			at = l.Tokenizer
		}
	}
	return at
}

func one(there bool) string {
	if there {
		return "a"
	}
	return "no"
}
