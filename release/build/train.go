package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"olmo/config"
	"olmo/model"
	"olmo/proof"
	"olmo/proof/note"
	"olmo/store"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// noteFile is the head of the chain, signed.
const noteFile = "chain.note"

// initFile are the weights that the run began with, where init_weights named some.
const initFile = "init.safetensors"

// writeTraining writes train/: the record of the run, and its checkpoints.
func (b *builder) writeTraining() error {
	names := []string{logFile, chainFile, tensorsFile, recipeFile}
	for folder, ends := range map[string][2]string{"": {"recipe-", ".json"}, "data-indices": {"rank", ".tsv.gz"}} {
		entries, err := os.ReadDir(filepath.Join(b.dir, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ends[0]) && strings.HasSuffix(e.Name(), ends[1]) {
				names = append(names, path.Join(folder, e.Name()))
			}
		}
	}
	for _, name := range names {
		if err := b.folder.copied("train/"+name, filepath.Join(b.dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	if err := b.writeNote(); err != nil {
		return err
	}
	begin, err := b.writeInit()
	if err != nil {
		return err
	}
	if err := b.writeConfig("train", b.cfg, begin); err != nil {
		return err
	}
	var tensors []shared
	for _, c := range b.checkpoints {
		files, err := b.writeCheckpoint(&c, begin)
		if err != nil {
			return fmt.Errorf("step%d: %w", c.step, err)
		}
		tensors = append(tensors, files...)
	}
	return b.shareWith("checkpoints", tensors)
}

// writeNote signs how far the chain is, under the name of the release.
func (b *builder) writeNote() error {
	if b.o.Note == nil {
		return nil
	}
	text, err := note.Head{Origin: b.manifest.Name, Size: int64(b.lines), Root: b.stepsRoot}.Sign(b.o.Note)
	if err != nil {
		return fmt.Errorf("signing the chain: %w", err)
	}
	return b.folder.text("train/"+noteFile, text)
}

// shareWith shares files and tells how far it is.
func (b *builder) shareWith(part string, files []shared) error {
	var total, done int64
	for _, s := range files {
		if st, err := os.Stat(s.from); err == nil {
			total += st.Size()
		}
	}
	told := make(chan int64)
	end := make(chan struct{})
	go func() {
		defer close(end)
		for n := range told {
			done += n
			b.o.Progress(part, done, total, "bytes")
		}
	}()
	err := b.folder.share(files, func(n int64) { told <- n })
	close(told)
	<-end
	return err
}

// writeCheckpoint writes the small files of a checkpoint, and returns the large ones.
func (b *builder) writeCheckpoint(c *checkpoint, begin string) (tensors []shared, err error) {
	to := fmt.Sprintf("train/step%d", c.step)
	if err := b.writeConfig(to, c.cfg, begin); err != nil {
		return nil, err
	}
	state, err := store.ReadFile(filepath.Join(c.dir, "train.json"))
	if err != nil {
		return nil, err
	}
	if err := b.folder.text(to+"/train.json", state); err != nil {
		return nil, err
	}
	written, _, err := b.folder.hash(b.folder.path(to + "/config.yaml"))
	if err != nil {
		return nil, err
	}
	m := *c.Manifest
	m.Files = map[string]proof.Hash{"train.json": proof.Sum(state), "config.yaml": written}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := b.folder.text(to+"/manifest.json", append(text, '\n')); err != nil {
		return nil, err
	}
	for file := range m.Tensors {
		tensors = append(tensors, shared{path.Join(to, file), filepath.Join(c.dir, file)})
	}
	return tensors, nil
}

// writeConfig writes a config of the run with paths inside of the release. A run from another's
// checkpoint begins with its own first one there.
func (b *builder) writeConfig(to string, cfg *train.Config, begin string) error {
	start := fmt.Sprintf("step%d", b.first.Step)
	if cfg.LoadPath != "" && !(b.first.From != nil && slices.ContainsFunc(b.checkpoints, func(c checkpoint) bool { return c.step == b.first.Step })) {
		start = ""
	}
	data := dataPlaces(cfg)
	placed := cfg.Placed(func(input string) string {
		for _, places := range []map[string]string{data, b.held} {
			if at, ok := places[input]; ok {
				return "../" + at
			}
		}
		switch input {
		case cfg.Tokenizer.Identifier:
			if b.tokenizerFile() != "" {
				return "../" + tokenizerPath
			}
		case cfg.InitWeights:
			return begin
		case cfg.LoadPath:
			return start
		}
		return ""
	})
	if b.tokenizerFile() == "" {
		placed.Tokenizer.Identifier = cfg.Tokenizer.Identifier // a name that the field knows, no file
		if filepath.IsAbs(placed.Tokenizer.Identifier) {
			placed.Tokenizer.Identifier = ""
		}
	}
	if placed.LoadPath != "" {
		// That checkpoint is the state after what was to be set back.
		placed.ResetOptimizerState, placed.ResetTrainerState = false, false
	}
	placed.SaveFolder = "../" + path.Base(b.manifest.Name) + "-again"
	name := to + "/config.yaml"
	if err := config.Write(b.folder.path(name), placed); err != nil {
		return err
	}
	return b.folder.adopt(name)
}

// writeInit writes the weights that the run began with, and returns their name from the folder of the run;
// empty where init_fn made them.
func (b *builder) writeInit() (string, error) {
	from := b.cfg.InitWeights
	if from == "" {
		return "", nil
	}
	name := "train/" + initFile
	first := filepath.Join(b.dir, fmt.Sprintf("step%d", b.first.Step), train.ModelFile)
	switch {
	case b.first.From == nil && exists(first):
		from = first
	case filepath.Ext(from) != ".safetensors":
		if err := b.convertInit(name, from); err != nil {
			return "", fmt.Errorf("init_weights: %w", err)
		}
		return initFile, b.folder.adopt(name)
	}
	return initFile, b.shareWith("weights", []shared{{name, from}})
}

// convertInit writes the weights of any model as training takes them.
func (b *builder) convertInit(name, from string) error {
	var all []weights.Named
	l, err := model.Open(from)
	switch {
	case err == nil:
		defer l.Close()
		m, err := b.cfg.Model.Config()
		if err != nil {
			return err
		}
		head, err := b.cfg.Beginning(l, m)
		if err != nil {
			return err
		}
		for _, p := range m.Params() {
			v := head
			if head == nil || p.Name != model.RewardHead {
				if v, err = l.Param(p.Name); err != nil {
					return err
				}
			}
			all = append(all, weights.Named{Name: p.Name, Tensor: tensor.FromFloat32(p.Shape, v)})
		}
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w\nhint: the run cannot be begun again without them; --without train/%s", err, initFile)
	default:
		set, e := weights.Open(from)
		if e != nil {
			return err
		}
		defer set.Close()
		all = set.All()
	}
	if err := os.MkdirAll(filepath.Dir(b.folder.path(name)), 0o777); err != nil {
		return err
	}
	return weights.WriteSafetensors(b.folder.path(name), all, map[string]string{"format": "pt"})
}
