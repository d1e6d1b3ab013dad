package build

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/convert"
	"olmo/model"
	"olmo/proof"
	"olmo/release"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// shardBytes is the most that a file of weights holds, as Transformers has it.
const shardBytes = 5e9

// writeModels writes model/: a Hugging Face folder for each checkpoint, and main, which is the last
// one's.
func (b *builder) writeModels() error {
	m := b.manifest
	var main release.Revision
	for i, c := range b.checkpoints {
		b.o.Progress("models", int64(i), int64(len(b.checkpoints)), "models")
		if err := b.ctx.Err(); err != nil {
			return err
		}
		r := release.Revision{Name: c.branch, Step: c.step, Path: "model/" + c.branch}
		files, err := b.writeModel(c.dir, r.Path)
		if err != nil {
			return fmt.Errorf("the model of step %d: %w", c.step, err)
		}
		if r.WeightsRoot, err = weightsRoot(b.folder.path(r.Path)); err != nil {
			return err
		}
		if i == len(b.checkpoints)-1 {
			main = r
			main.Name, main.Path = release.Main, "model/"+release.Main
			if err := b.shareMain(files, r.Path, main.Path); err != nil {
				return err
			}
		}
		if !slices.ContainsFunc(files, func(name string) bool { return !b.folder.leftOut(name) }) {
			// It is listed, and takes no more room.
			if err := store.RemoveFolder(b.folder.path(r.Path)); err != nil {
				return err
			}
			continue
		}
		m.Revisions = append(m.Revisions, r)
	}
	m.Revisions = append(m.Revisions, main)
	m.Run = release.Run{Steps: b.last.Step, ChainHead: b.last.Hash, StepsRoot: b.stepsRoot}
	var err error
	m.Run.Tokens, err = b.tokensSeen()
	return err
}

// writeModel writes the model of a checkpoint as Transformers reads it, and returns its files.
func (b *builder) writeModel(from, to string) (files []string, err error) {
	l, err := model.Open(from)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	dir := b.folder.path(to)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	get := func(name string) ([]float32, error) {
		l.Set.Forget()
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		return l.Param(name)
	}
	if err := model.SaveHF(dir, l.Config, get, tensor.F32, shardBytes, l.Stop); err != nil {
		if errors.Is(err, model.ErrLayout) {
			err = fmt.Errorf("%w\nhint: the run stays what it is, and 'olmo verify' and 'olmo replay' take its own folder; a release has the model as Transformers loads it (include_bias: false, say, is in the config before training)", err)
		}
		return nil, err
	}
	tokenizer, err := convert.TokenizerFiles(l, func(string) {})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(tokenizer)) {
		if err := store.WriteFile(filepath.Join(dir, name), tokenizer[name]); err != nil {
			return nil, err
		}
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, to+"/"+filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	return files, b.folder.adopt(files...)
}

// shareMain gives the files of a model the names of main.
func (b *builder) shareMain(files []string, from, to string) error {
	var all []shared
	for _, name := range files {
		all = append(all, shared{to + strings.TrimPrefix(name, from), b.folder.path(name)})
	}
	return b.folder.share(all, func(int64) {})
}

// tokensSeen is how many tokens the run had seen after its last step.
func (b *builder) tokensSeen() (int64, error) {
	last := b.checkpoints[len(b.checkpoints)-1]
	if last.step == b.last.Step {
		return last.Tokens, nil
	}
	f, err := store.Open(filepath.Join(b.dir, logFile))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	seen := int64(-1)
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		var rec struct {
			Step   int     `json:"step"`
			Tokens float64 `json:"throughput/total_tokens"`
		}
		if json.Unmarshal(line, &rec) == nil && rec.Step == b.last.Step {
			seen = int64(rec.Tokens)
		}
	}
	if seen < 0 {
		return 0, fmt.Errorf("%s has no step %d, which is the last of %s\nhint: the run mends its end when it goes on", filepath.Join(b.dir, logFile), b.last.Step, chainFile)
	}
	return seen, nil
}

// weightsRoot is the root over the tensors of a model.
func weightsRoot(dir string) (proof.Hash, error) {
	set, err := weights.Open(dir)
	if err != nil {
		return proof.Hash{}, err
	}
	defer set.Close()
	sums, err := weights.Sums(set.All())
	if err != nil {
		return proof.Hash{}, err
	}
	return weights.Root(sums), nil
}
