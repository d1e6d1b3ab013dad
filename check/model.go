package check

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"olmo/config"
	"olmo/internal/pyjson"
	"olmo/model"
	"olmo/store"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// model checks a folder or file that holds a model: the files of its weights against each
// other, every tensor against the config, and what stands beside them.
func (c *checker) model(path string) {
	st, err := os.Stat(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	if st.IsDir() && exists(filepath.Join(path, model.PEFTConfigFile)) {
		c.adapter(path)
		return
	}
	if st.IsDir() {
		whole := c.shards(path)
		if !c.companions(path) || !whole {
			return // of a model with holes each hole was told
		}
	}
	l, err := model.OpenWith(path, model.OpenOptions{IgnoreExtra: true, Incomplete: true})
	if errors.Is(err, model.ErrQuantised) {
		c.problem(Model, path, "%v", err)
		return
	}
	if err != nil {
		c.damage(path, err)
		return
	}
	defer l.Close()
	size := int64(0)
	for _, n := range l.Set.All() {
		if b, err := n.DType.Bytes(n.Shape); err == nil {
			size += int64(b)
		}
	}
	r, err := l.Check(func(share float64) bool {
		c.progress(int64(share * float64(size)))
		return c.ctx.Err() == nil
	})
	if err != nil {
		c.damage(path, err)
		return
	}
	if st.IsDir() {
		c.countFiles(path)
	} else {
		c.count(path, st.Size())
	}
	c.report.Checked.Tensors += int64(r.Tensors)
	for _, p := range r.Problems {
		c.problem(Model, path, "%s", p.Message).Tensor = p.Tensor
	}
	for _, n := range r.Notes {
		c.note(path, "%s", n)
	}
	w := Weights{Path: c.rel(path), Names: string(l.Layout), Digest: hex.EncodeToString(r.Digest[:])}
	if len(r.Problems) == 0 {
		w.Training = trainingDigest(c.ctx, l, w.Digest)
	}
	c.report.Weights = append(c.report.Weights, w)
	if path == c.root {
		c.report.Kind = l.Config.Family + " model (" + string(l.Layout) + ")"
	}
	if l.Tokenizer != "" {
		if t := c.loadTokenizer(l.Tokenizer); t != nil && t.VocabSize() > l.Config.V {
			c.problem(Tokenizer, l.Tokenizer, "the tokenizer has %d ids, the model %d", t.VocabSize(), l.Config.V)
		}
	}
	c.card(path, &w)
}

// countFiles counts the files of a model's folder, not those of folders in it.
func (c *checker) countFiles(path string) {
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() && !hidden(e.Name()) {
			c.count(filepath.Join(path, e.Name()), st.Size())
		}
	}
}

// companions checks the small files beside a model's weights; false when one that the
// model cannot do without is damaged.
func (c *checker) companions(path string) bool {
	whole := true
	for _, f := range []struct {
		name   string
		needed bool
	}{{"config.json", true}, {"generation_config.json", true}, {"tokenizer_config.json", false}, {"special_tokens_map.json", false}, {"chat_template.jinja", false}} {
		file := filepath.Join(path, f.name)
		p, err := look(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		before := len(c.report.Problems)
		switch {
		case err != nil:
			c.damage(file, err)
		case isPointer(p):
			c.pointer(file)
		case f.name == "chat_template.jinja":
		case !c.compared(file):
			c.json(file)
		}
		whole = whole && (!f.needed || len(c.report.Problems) == before)
	}
	return whole
}

// parameters calls f with each parameter of a model under its name in training, as
// training's float32 bytes, one at a time.
func parameters(ctx context.Context, l *model.Loaded, f func(weights.Sum)) error {
	for _, p := range l.Config.Params() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s, err := l.ParamSum(p)
		if err != nil {
			return err
		}
		f(s)
		l.Set.Forget()
	}
	return nil
}

// trainingDigest is the digest of a model under the names of training; empty where the
// files have other numbers than training's float32. own is that of the files.
func trainingDigest(ctx context.Context, l *model.Loaded, own string) string {
	for _, n := range l.Set.All() {
		if n.DType != tensor.F32 {
			return ""
		}
	}
	if l.Layout == model.Native && slices.Equal(l.Set.Names(), paramNames(l)) {
		return own
	}
	var sums []weights.Sum
	if parameters(ctx, l, func(s weights.Sum) { sums = append(sums, s) }) != nil {
		return ""
	}
	slices.SortFunc(sums, func(a, b weights.Sum) int { return strings.Compare(a.Name, b.Name) })
	digest := weights.DigestSums(sums)
	return hex.EncodeToString(digest[:])
}

func paramNames(l *model.Loaded) []string {
	var names []string
	for _, p := range l.Config.Params() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// compareNames compares a model with a checkpoint's manifest tensor by tensor, through the
// names of both layouts, and returns how many parameters are equal if all are.
func (c *checker) compareNames(path, step string, m *train.Manifest) int {
	l, err := model.OpenWith(path, model.OpenOptions{IgnoreExtra: true, Incomplete: true})
	if err != nil {
		return 0 // said where the model is checked
	}
	defer l.Close()
	want := m.Tensors[train.ModelFile]
	n, different := 0, 0
	err = parameters(c.ctx, l, func(s weights.Sum) {
		n++
		switch sum, ok := want[s.Name]; {
		case !ok:
			different++
			c.problem(Revision, path, "%s is in %s and not in %s", s.Name, c.rel(path), c.rel(step)).Tensor = s.Name
		case sum != s.SHA256:
			different++
			c.problem(Revision, path, "%s holds other numbers in %s than in %s", s.Name, c.rel(path), c.rel(step)).Tensor = s.Name
		}
	})
	if err != nil || different > 0 {
		return 0
	}
	for name := range want {
		if !slices.ContainsFunc(l.Config.Params(), func(p model.Param) bool { return p.Name == name }) {
			c.problem(Revision, path, "%s is in %s and not in %s", name, c.rel(step), c.rel(path)).Tensor = name
			return 0
		}
	}
	return n
}

// cardDigests is what a model card says of its weights, in its head.
type cardDigests struct {
	Digest   string `yaml:"weights_digest"`
	Training string `yaml:"training_weights_digest"`
}

var cardHead = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)\A---\r?\n(.*?)\r?\n---\r?\n`)
})

// card compares the digests with those that the model's card tells, which lets a release
// be checked that has come away from its run.
func (c *checker) card(path string, w *Weights) {
	file := filepath.Join(path, "README.md")
	text, err := store.ReadFile(file)
	head := cardHead().FindSubmatch(text)
	var d cardDigests
	if err != nil || head == nil || config.CheckDepth(head[1]) != nil || yaml.Unmarshal(head[1], &d) != nil || d.Digest == "" {
		if w.Names == string(model.HuggingFace) && !c.listed(filepath.Join(path, "model.safetensors")) {
			c.note(path, "nothing to compare the weights with: no list and no card tells their digest")
		}
		return
	}
	if w.Digest != d.Digest {
		c.problem(Changed, path, "the weights have the digest %s, the card says %s", w.Digest, d.Digest)
	}
	if d.Training != "" && w.Training != "" && w.Training != d.Training {
		c.problem(Changed, path, "the weights have the digest %s under the names of training, the card says %s", w.Training, d.Training)
	}
}

// json checks the syntax of a JSON file.
func (c *checker) json(path string) {
	text, err := store.ReadFile(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	c.count(path, int64(len(text)))
	var v any
	if err := pyjson.Unmarshal(text, &v); err != nil {
		c.jsonDamage(path, text, err)
		return
	}
	c.form(path)
}

// jsonDamage reports JSON that cannot be read, and where it stops being some.
func (c *checker) jsonDamage(path string, text []byte, err error) *Problem {
	var syntax *json.SyntaxError
	mistaken := store.Mistaken(text)
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return c.problem(Truncated, path, "%s is empty", c.rel(path))
	case mistaken != nil:
		return c.problem(Missing, path, "%s: %v", c.rel(path), mistaken)
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(text)):
		return c.problem(Truncated, path, "%s ends in the middle of its JSON, after %d bytes", c.rel(path), len(text))
	}
	return c.problem(Damaged, path, "%s: %v", c.rel(path), err)
}
