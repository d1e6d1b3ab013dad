package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"olmo/model"
	"olmo/train"
)

// isAdapter knows a folder with an adapter of low rank, as PEFT writes them, that is no run.
func isAdapter(p *place) bool { return p.dir && p.names[model.PEFTConfigFile] && !isRun(p) }

// adapter checks a folder with an adapter: its matrices, and, where the base is known here, whether they
// are those of its modules.
func (c *checker) adapter(path string) {
	file := model.PEFTWeights(path)
	if file == "" {
		c.problem(Missing, path, "%s is there, and no weights of an adapter are", model.PEFTConfigFile)
		return
	}
	if !exists(filepath.Join(path, "manifest.json")) { // which has been compared
		c.weights(file)
	}
	base, err := baseOf(path)
	switch {
	case err != nil:
		c.damage(filepath.Join(path, model.PEFTConfigFile), err)
	case base == nil:
		c.note(path, "the base of the adapter is not here: whether the matrices are those of its modules was not seen")
	default:
		p, err := model.OpenPEFT(path, base)
		if err != nil {
			c.problem(Model, path, "%v", err)
			return
		}
		p.Close()
	}
}

// baseOf is the model that an adapter belongs to: of a checkpoint the one in its config, else the one that
// it names, looked for from here and from the folder; nil where that is not there.
func baseOf(path string) (*model.Config, error) {
	if file := filepath.Join(path, "config.yaml"); exists(file) {
		if c, err := train.LoadRun(path, nil); err == nil {
			return c.Model.Config()
		}
	}
	named, err := model.PEFTBase(path)
	if err != nil || named == "" {
		return nil, err
	}
	for _, at := range []string{named, filepath.Join(path, named)} {
		if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		l, err := model.Open(at)
		if err != nil {
			return nil, fmt.Errorf("its base: %w", err)
		}
		return l.Config, l.Close()
	}
	return nil, nil
}

func describeAdapter(path string) (*Description, error) {
	d := &Description{Path: path, Kind: "adapter"}
	base, err := model.PEFTBase(path)
	if err != nil {
		return nil, err
	}
	w, err := describeWeights(model.PEFTWeights(path))
	if err != nil {
		return nil, err
	}
	d.add("base", base)
	d.add("tensors", w.Weights.Tensors)
	d.add("elements", w.Weights.Elements)
	c, err := baseOf(path)
	if err != nil || c == nil {
		return d, err
	}
	p, err := model.OpenPEFT(path, c)
	if err != nil {
		return nil, err
	}
	d.add("rank", p.Rank)
	d.add("alpha", p.Alpha)
	d.add("modules", p.Targets)
	return d, p.Close()
}
