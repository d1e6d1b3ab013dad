package model_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/model"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

var update = flag.Bool("update", false, "write docs/compatibility.md anew; needs OLMO_TRANSFORMERS_PYTHON")

var compatibilityPage = filepath.Join("..", "docs", "compatibility.md")

// pythons are those that OLMO_TRANSFORMERS_PYTHON names, or the test is skipped.
func pythons(t *testing.T) []string {
	t.Helper()
	list := filepath.SplitList(os.Getenv("OLMO_TRANSFORMERS_PYTHON"))
	if len(list) == 0 {
		t.Skip("OLMO_TRANSFORMERS_PYTHON names no Python with Transformers")
	}
	return list
}

// TestCompatibilityPage: every family, every scaled rotation and every way of storing codes that
// is read has a row in docs/compatibility.md, and no other has.
func TestCompatibilityPage(t *testing.T) {
	text, err := os.ReadFile(compatibilityPage)
	if err != nil {
		t.Fatal(err)
	}
	const again = "\nhint: OLMO_TRANSFORMERS_PYTHON=… go test ./model -run 'TestCompatibility$' -update, after a fixture of it (docs/testing.md)"
	families, rotations := map[string]bool{}, map[string]bool{}
	stored := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		switch {
		case len(cells) > 10 && strings.HasPrefix(cells[1], " `"):
			families[strings.Trim(cells[1], " `")] = true
			word, _, _ := strings.Cut(strings.TrimPrefix(cells[3], " rotary, "), " ")
			rotations[word] = true
		case len(cells) > 4 && strings.HasPrefix(cells[1], " `"):
			stored[strings.Trim(cells[1], " `")] = true
		}
	}
	for _, name := range model.Families() {
		if !families[name] {
			t.Errorf("the page has no row of the family %s%s", name, again)
		}
		delete(families, name)
	}
	for name := range families {
		t.Errorf("the page has rows of %s, which is no family%s", name, again)
	}
	for _, name := range model.Scalings {
		if !rotations[name] {
			t.Errorf("the page has no row of rotations scaled by %s%s", name, again)
		}
	}
	dirs, err := filepath.Glob(filepath.Join(quantisedFolders, "*", "reference.json"))
	if err != nil || len(dirs) == 0 {
		t.Fatal(len(dirs), err)
	}
	for _, path := range dirs {
		if name := filepath.Base(filepath.Dir(path)); !stored[name] {
			t.Errorf("the page has no row of %s%s", name, again)
		}
	}
}

const quantisedFolders = "../weights/quantised/testdata"

// TestCompatibility takes every fixture of the repository through every layout, to every version
// of Transformers that OLMO_TRANSFORMERS_PYTHON names and back, and through a training; the page
// of what goes is docs/compatibility.md.
func TestCompatibility(t *testing.T) {
	c := compatibility{t: t, ids: []int32{5, 17, 3, 20, 31, 9, 8, 30, 12, 12, 25}}
	for _, python := range pythons(t) {
		c.versions = append(c.versions, &transformers{python: python})
	}
	c.collect()
	for _, v := range c.versions {
		c.ask(v)
	}
	slices.SortFunc(c.versions, func(a, b *transformers) int { return strings.Compare(a.Transformers, b.Transformers) })
	text := c.page()
	old, err := os.ReadFile(compatibilityPage)
	if err != nil && !*update {
		t.Fatal(err)
	}
	made := regexp.MustCompile(`Transformers (.*) \(PyTorch .*, on \d{4}-\d\d-\d\d`)
	undated := func(s string) string { return made.ReplaceAllString(s, "Transformers $1") }
	switch {
	case undated(string(old)) == undated(text) || t.Failed():
	case *update:
		if err := os.WriteFile(compatibilityPage, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	case !strings.Contains(string(old), "Transformers "+c.named()+" ("):
		t.Errorf("docs/compatibility.md is not of Transformers %s, which OLMO_TRANSFORMERS_PYTHON has", c.named())
	default:
		t.Errorf("docs/compatibility.md is not what the programs do:\n%shint: go test ./model -run 'TestCompatibility$' -update writes it anew", changedLines(undated(string(old)), undated(text)))
	}
}

// changedLines lists the lines that only one of two texts has.
func changedLines(old, now string) string {
	var s strings.Builder
	a, b := strings.SplitAfter(old, "\n"), strings.SplitAfter(now, "\n")
	for _, line := range a {
		if !slices.Contains(b, line) {
			s.WriteString("- " + line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			s.WriteString("+ " + line)
		}
	}
	return s.String()
}

// compatibility makes the page.
type compatibility struct {
	t        *testing.T
	ids      []int32
	versions []*transformers
	models   []*fixture // of families, in the order of the program's list
	stored   []*fixture // with codes
	notes    []string   // below the table
}

// transformers is one version of it, and the folder of what it was given.
type transformers struct {
	python, root        string
	Transformers, Torch string
}

// fixture is one model of the repository.
type fixture struct {
	dir    string
	name   string // in the page
	loaded *model.Loaded
	logits []float64
	// refused is why it is no model of Transformers; nil: it is one.
	refused error
}

// collect opens the fixtures and computes their logits.
func (c *compatibility) collect() {
	take := func(pattern, prefix string) (found []*fixture) {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 10 {
			c.t.Fatalf("%d fixtures at %s: %v", len(paths), pattern, err)
		}
		for _, path := range paths {
			dir := filepath.Dir(path)
			f := &fixture{dir: dir, name: prefix + filepath.Base(dir), loaded: open(c.t, dir)}
			f.logits = logitsOf(c.t, f.loaded, c.ids)
			found = append(found, f)
		}
		return found
	}
	c.models = append(take("testdata/reference/*/expected.safetensors", ""), take("testdata/llamacpp/*/model.gguf", "llamacpp/")...)
	order := model.Families()
	slices.SortStableFunc(c.models, func(a, b *fixture) int {
		return slices.Index(order, a.loaded.Config.Family) - slices.Index(order, b.loaded.Config.Family)
	})
	c.stored = take(quantisedFolders+"/*/reference.json", "stored/")
}

// ask writes every fixture as a Hugging Face folder and has a version load, differentiate and
// save them.
func (c *compatibility) ask(v *transformers) {
	v.root = c.t.TempDir()
	var dirs []string
	for _, f := range append(slices.Clone(c.models), c.stored...) {
		dir := v.folder(f)
		if err := os.Mkdir(dir, 0o777); err != nil {
			c.t.Fatal(err)
		}
		err := model.SaveHF(dir, f.loaded.Config, f.loaded.Param, tensor.F32, 50_000, f.loaded.Stop)
		if errors.Is(err, model.ErrLayout) {
			f.refused = err
			continue
		}
		if err != nil {
			c.t.Fatalf("%s: %v", f.name, err)
		}
		dirs = append(dirs, dir)
	}
	ids, err := json.Marshal(c.ids)
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.CommandContext(c.t.Context(), v.python, append([]string{filepath.Join("testdata", "compatibility.py"), string(ids)}, dirs...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%s: %v: %s", v.python, err, said.String())
	}
	if err := json.Unmarshal(out, v); err != nil {
		c.t.Fatalf("%s printed %q: %v", v.python, out, err)
	}
}

// folder is where a fixture, as SaveHF wrote it, lies for a version.
func (v *transformers) folder(f *fixture) string {
	return filepath.Join(v.root, strings.ReplaceAll(f.name, "/", "_"))
}

// How far float32 logits, and gradients in shares of their largest element, may be from those of
// Transformers: it takes sums in another order.
const (
	logitBound    = 2e-5
	gradientBound = 5e-5
)

// hugging are the cells of a fixture and a version: what we write is loaded there, what it saves
// is read, and both differentiate alike.
func (c *compatibility) hugging(v *transformers, f *fixture) [3]string {
	if f.refused != nil {
		return [3]string{c.no(f, "", f.refused), "", ""}
	}
	theirs := filepath.Join(v.folder(f), "theirs")
	told := "Transformers " + v.Transformers
	if why, err := os.ReadFile(filepath.Join(theirs, "refused")); err == nil {
		return [3]string{c.note(told + ": " + string(why)), "", ""}
	}
	set, err := weights.Open(filepath.Join(theirs, "logits.safetensors"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer set.Close()
	want := expected{c.t, set}.floats("logits")
	cells := [3]string{"yes", "yes", "yes"}
	if d := difference(f.logits, want); !(d <= logitBound) {
		cells[0] = c.note(fmt.Sprintf("%s: logits differ by %.1g", told, d))
	}
	if l, err := model.Open(filepath.Join(theirs, "saved")); err != nil {
		cells[1] = c.no(f, told+"'s own copy: ", err)
	} else {
		if d := difference(logitsOf(c.t, l, c.ids), want); !(d <= logitBound) {
			cells[1] = c.note(fmt.Sprintf("%s's own copy: logits differ by %.1g", told, d))
		}
		if err := l.Close(); err != nil {
			c.t.Error(err)
		}
	}
	g, err := model.Open(filepath.Join(theirs, "gradients"))
	if err != nil {
		c.t.Fatalf("gradients of %s: %v", f.name, err)
	}
	if worst := gradientDifference(c.t, f.loaded, g, c.ids, 1); worst.share > gradientBound {
		cells[2] = c.note(fmt.Sprintf("%s: the gradient of %s differs by %.1g of its largest element", told, worst.param, worst.share))
	}
	if err := g.Close(); err != nil {
		c.t.Error(err)
	}
	return cells
}

// gguf are the cells of a fixture: whose file was read, and what was written.
func (c *compatibility) gguf(f *fixture) (read, written string) {
	theirs := filepath.Join(f.dir, "model.gguf")
	_, err := os.Stat(theirs)
	witness := err == nil
	if witness {
		read = "llama.cpp's"
		if d := difference(logitsOf(c.t, open(c.t, theirs), c.ids), f.logits); !(d <= logitBound) {
			read = c.note(fmt.Sprintf("llama.cpp's file: logits differ by %.1g", d))
		}
	}
	path := filepath.Join(c.t.TempDir(), "model.gguf")
	if err := model.SaveGGUF(path, f.loaded.Config, f.loaded.Param, tensor.F32, nil, f.loaded.Stop); err != nil {
		if !errors.Is(err, model.ErrLayout) {
			c.t.Errorf("%s: %v", f.name, err)
		}
		return read, c.no(f, "", err)
	}
	l := open(c.t, path)
	written = "yes"
	// Eps and thetas are float32 in GGUF, and so is a factor of sines.
	if d := difference(logitsOf(c.t, l, c.ids), f.logits); !(d <= logitBound) {
		return read, c.note(fmt.Sprintf("our GGUF file: logits differ by %.1g", d))
	}
	if witness {
		if other := unlike(c.t, l.GGUF, openGGUF(c.t, theirs)); other != "" {
			return read, c.note("our GGUF file beside llama.cpp's: " + other)
		}
		written = "as llama.cpp"
	}
	if read == "" {
		read = "ours"
	}
	return read, written
}

// ai2 is the cell of the ai2-olmo package's layout: written and read again.
func (c *compatibility) ai2(f *fixture) string {
	dir := c.t.TempDir()
	if err := model.SaveAI2(dir, f.loaded.Config, f.loaded.Param, tensor.F32, f.loaded.Stop); err != nil {
		if !errors.Is(err, model.ErrLayout) {
			c.t.Errorf("%s: %v", f.name, err)
		}
		return c.no(f, "", err)
	}
	if d := difference(logitsOf(c.t, open(c.t, dir), c.ids), f.logits); d != 0 {
		return c.note(fmt.Sprintf("ai2: logits differ by %.1g", d))
	}
	return "yes"
}

// trained is the cell of a training that goes on from the fixture, of two steps over one sequence
// again and again: the first loss is that of the logits, and the run's weights have a lower one.
func (c *compatibility) trained(f *fixture) string {
	dir := c.t.TempDir()
	ids := c.ids
	if f.loaded.Config.Position == model.Learned {
		// The package's table of positions is as long as its sequences.
		for len(ids) < f.loaded.Config.T {
			ids = append(slices.Clip(ids), c.ids...)
		}
		ids = ids[:f.loaded.Config.T]
	}
	data := filepath.Join(dir, "tokens.npy")
	var text []byte
	for range 4 {
		for _, id := range ids {
			text = binary.LittleEndian.AppendUint16(text, uint16(id))
		}
	}
	if err := os.WriteFile(data, text, 0o666); err != nil {
		c.t.Fatal(err)
	}
	n := train.Continuation{From: f.dir, Data: []string{data}, Steps: 2}
	cfg, err := n.Config([]string{
		"save_folder=" + filepath.Join(dir, "run"), fmt.Sprintf("model.max_sequence_length=%d", len(ids)), "data.memmap_dtype=uint16",
		"global_train_batch_size=2", "device_train_microbatch_size=2", "scheduler.t_warmup=0",
	})
	if err != nil {
		return c.no(f, "train: ", err)
	}
	var losses []float64
	tr, err := train.New(cfg, cpuDevice(c.t), train.Options{Progress: func(p train.Progress) { losses = append(losses, p.Loss) }})
	if err != nil {
		return c.no(f, "train: ", err)
	}
	_, err = tr.Run(c.t.Context())
	if err = errors.Join(err, tr.Close()); err != nil {
		c.t.Fatalf("%s: %v", f.name, err)
	}
	// The run divides by all ids of a batch, of which the first of a sequence follows nothing.
	first := losses[0] * float64(len(ids)) / float64(len(ids)-1)
	before, after := loss(logitsOf(c.t, f.loaded, ids), ids), loss(logitsOf(c.t, open(c.t, cfg.SaveFolder), ids), ids)
	if math.Abs(first-before) > 1e-5 || !(after < before) {
		return c.note(fmt.Sprintf("train: the first loss is %.6f, that of the logits %.6f, after two steps %.6f", first, before, after))
	}
	return "yes"
}

// loss is the mean cross entropy of every next id.
func loss(logits []float64, ids []int32) float64 {
	var sum float64
	V := len(logits) / len(ids)
	for i, id := range ids[1:] {
		row := make([]float32, V)
		for j := range row {
			row[j] = float32(logits[i*V+j])
		}
		sum -= logSoftmax(row, id)
	}
	return sum / float64(len(ids)-1)
}

// no is the cell of an error: its first sentence stands below the table.
func (c *compatibility) no(f *fixture, before string, err error) string {
	text := strings.TrimPrefix(firstLine(err), model.ErrLayout.Error()+": ")
	if start, ok := strings.CutSuffix(text, "no family "+f.loaded.Config.Family); ok {
		text = start + "none of this family"
	}
	return c.note(before + text)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// note gives a sentence a number below the table.
func (c *compatibility) note(text string) string {
	i := slices.Index(c.notes, text)
	if i < 0 {
		i = len(c.notes)
		c.notes = append(c.notes, text)
	}
	return fmt.Sprintf("no [%d]", i+1)
}

// traits says in words what a model has: how it knows the order of tokens, and the rest.
func traits(c *model.Config) (positions, rest string) {
	var p, r []string
	add := func(list *[]string, is bool, format string, args ...any) {
		if is {
			*list = append(*list, fmt.Sprintf(format, args...))
		}
	}
	switch c.Position {
	case model.Learned:
		p = append(p, "learned")
	case model.Alibi:
		p = append(p, "ALiBi")
	default:
		p = append(p, "rotary")
		scaled := func(s *model.Scaling, where string) {
			if s == nil {
				return
			}
			words := s.Type
			if s.Factor != 0 && s.Factor != 1 {
				words += fmt.Sprintf(" ×%g", s.Factor)
			}
			p = append(p, words+where)
		}
		scaled(c.Scaling, "")
		scaled(c.SlidingScaling, " under a window")
		add(&p, c.RopeDims != 0 && c.RopeDims != c.D, "%d of %d elements", c.RopeDims, c.D)
		add(&p, c.Windows != nil && c.SlidingTheta != 0 && c.SlidingTheta != c.RopeTheta, "two thetas")
	}
	seen := 0
	for _, w := range c.Windows {
		if w > 0 {
			seen++
		}
	}
	add(&r, seen > 0, "windows in %d of %d layers", seen, c.Layers)
	add(&r, c.KV < c.H, "%d heads of queries, %d of keys", c.H, c.KV)
	add(&r, c.QKNorm != nil, "norms of queries and keys")
	add(&r, c.Experts > 0, "%d of %d experts", c.TopK, c.Experts)
	add(&r, c.Clip > 0, "clipped")
	add(&r, c.ScoreCap > 0, "capped scores")
	add(&r, c.LogitCap > 0, "capped logits")
	add(&r, c.Scale != 0, "a scale of scores")
	add(&r, c.ScaleLogits, "scaled logits")
	add(&r, c.EmbeddingNorm, "a norm of embeddings")
	add(&r, c.Parallel, "parallel blocks")
	add(&r, c.Activation == model.ReLU, "ReLU")
	switch {
	case c.AttentionBias && c.MLPBias:
		r = append(r, "biases")
	case c.AttentionBias:
		r = append(r, "biases of attention")
	case c.MLPBias:
		r = append(r, "biases of the MLP")
	case c.QKVBias:
		r = append(r, "biases of queries, keys and values")
	}
	add(&r, c.Tied, "tied")
	add(&r, !c.Tied, "a head")
	return strings.Join(p, ", "), strings.Join(r, ", ")
}

// named lists the versions in words.
func (c *compatibility) named() string {
	var names []string
	for _, v := range c.versions {
		names = append(names, v.Transformers)
	}
	return strings.Join(names, " and ")
}

// page writes the page.
func (c *compatibility) page() string {
	var torch []string
	for _, v := range c.versions {
		if !slices.Contains(torch, v.Torch) {
			torch = append(torch, v.Torch)
		}
	}
	script, err := os.ReadFile(filepath.Join("testdata", "llamacpp.py"))
	if err != nil {
		c.t.Fatal(err)
	}
	commit := regexp.MustCompile(`Made with (llama\.cpp \w+)`).FindSubmatch(script)
	if commit == nil {
		c.t.Fatal("testdata/llamacpp.py no longer names llama.cpp's commit")
	}
	var s strings.Builder
	fmt.Fprintf(&s, `# Compatibility: models, layouts, versions

Generated by `+"`go test ./model -run 'TestCompatibility$' -update`"+` with Transformers %s (PyTorch %s, float32, CPU), on %s. Do not edit: the step
`+"`compatibility` of `.ci/run`"+` makes it anew and compares. What the layouts are is in [models.md](models.md).

Every row is a tiny model with random weights, in %[4]s (those of %[5]s: Hugging Face folders that llama.cpp's converter made a
GGUF file of, %[6]s). `+"`yes`"+` says:

- *written*: the Hugging Face folder that we write of it is loaded by that version, no tensor missing or left over, and gives our logits (within %[7]g).
- *read*: the folder that this version then saves is read, with the version's own logits (within %[7]g).
- *gradient*: that of the mean cross entropy is the version's, for every parameter (within %[8]g of its largest element).
- *GGUF read*: llama.cpp's file gives the logits of the folder beside it; *ours* stands where there is only the file that we wrote. *GGUF written*: our file gives the
  same logits when it is read again; *as llama.cpp*: its tensors are those of llama.cpp's file, byte by byte.
- *ai2*: the ai2-olmo folder that we write gives the same logits, to the bit.
- *train*: a training of two steps begins with the loss of these logits, and its checkpoint has a lower one.

Nothing stands where there was nothing to try.

`, c.named(), strings.Join(torch, " and "), time.Now().UTC().Format(time.DateOnly), "`model/testdata/reference`", "`llamacpp/`", string(commit[1]), logitBound, gradientBound)

	row := func(cells ...string) {
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", "\\|")
		}
		s.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	head := func(cells ...string) {
		row(cells...)
		s.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
	}
	notes := func() {
		for i, text := range c.notes {
			if i == 0 {
				s.WriteString("\nWhere the answer is no:\n\n")
			}
			fmt.Fprintf(&s, "%d. %s\n", i+1, text)
		}
		s.WriteString("\n")
		c.notes = nil
	}

	s.WriteString("## Families\n\n")
	columns := []string{"family", "fixture", "positions", "else"}
	for _, v := range c.versions {
		columns = append(columns, v.Transformers+": written", "read", "gradient")
	}
	head(append(columns, "GGUF: read", "written", "ai2", "train")...)
	for _, f := range c.models {
		positions, rest := traits(f.loaded.Config)
		cells := []string{"`" + f.loaded.Config.Family + "`", f.name, positions, rest}
		for _, v := range c.versions {
			three := c.hugging(v, f)
			cells = append(cells, three[:]...)
		}
		read, written := c.gguf(f)
		row(append(cells, read, written, c.ai2(f), c.trained(f))...)
	}
	notes()

	s.WriteString("## Quantised folders\n\nEach in `weights/quantised/testdata`, made by its own package. *read*: the logits are those that Transformers computes with the\n" +
		"package's own dequantised weights. A version: it loads the widened folder that we write, with the same logits.\n\n")
	columns = []string{"fixture", "`quant_method`", "stored as", "read"}
	for _, v := range c.versions {
		columns = append(columns, v.Transformers)
	}
	head(append(columns, "GGUF")...)
	for _, f := range c.stored {
		cells := []string{"`" + filepath.Base(f.dir) + "`", method(c.t, f.dir), f.loaded.Stored, c.widened(f)}
		for _, v := range c.versions {
			cells = append(cells, c.hugging(v, f)[0])
		}
		_, written := c.gguf(f)
		row(append(cells, written)...)
	}
	notes()

	s.WriteString("## Refused when a model is read\n\nThe first sentence of the error; most have a hint behind it.\n\n")
	head("what", "words")
	for _, r := range refusals {
		row(r.what, c.words(r))
	}
	alike := map[string][]string{} // methods by the words, without their names
	for _, name := range unread {
		words := c.words(refusal{what: name, keys: object{"quantization_config": object{"quant_method": name}}})
		words = strings.ReplaceAll(words, " "+name+",", " METHOD,")
		alike[words] = append(alike[words], name)
	}
	for _, words := range slices.Sorted(maps.Keys(alike)) {
		row("`quant_method` "+strings.Join(alike[words], ", "), words)
	}
	return s.String()
}

// method is the quant_method of a folder.
func method(t *testing.T, dir string) string {
	t.Helper()
	q, _ := readJSON(t, filepath.Join(dir, "config.json"))["quantization_config"].(object)
	name, _ := q["quant_method"].(string)
	return name
}

// widened is the cell of a folder of codes: the logits are those of its reference.json.
func (c *compatibility) widened(f *fixture) string {
	var want struct {
		IDs    []int32
		Logits []float64
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "reference.json"))
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if d := difference(logitsOf(c.t, f.loaded, want.IDs), want.Logits); !(d <= logitBound) {
		return c.note(fmt.Sprintf("logits differ by %.1g", d))
	}
	return "yes"
}

// refusal is a change of a Llama's folder that makes it no model.
type refusal struct {
	what   string
	keys   map[string]any // of config.json
	change func(tensors map[string]tensor.Tensor)
	file   string // one more in the folder, with
	text   string
}

type object = map[string]any

var refusals = []refusal{
	{what: "another family", keys: object{"model_type": "marvel", "architectures": []string{"MarvelForCausalLM"}}},
	{what: "another rotation", keys: object{"rope_parameters": object{"rope_type": "spiral", "factor": 2.0}}},
	{what: "a rotation without its factor", keys: object{"rope_parameters": object{"rope_type": "linear"}}},
	{what: "a factor without a rotation", keys: object{"rope_parameters": nil, "rope_scaling": object{"factor": 2.0}}},
	{what: "another activation", keys: object{"hidden_act": "mish"}},
	{what: "tensors that the config denies", change: func(m map[string]tensor.Tensor) {
		m["model.layers.0.self_attn.q_proj.bias"] = tensor.FromFloat32([]int{2}, []float32{1, 2})
	}},
	{what: "a tensor that is not there", change: func(m map[string]tensor.Tensor) { delete(m, "model.norm.weight") }},
	{what: "whole numbers in a weight's place", change: func(m map[string]tensor.Tensor) {
		v := m["model.norm.weight"]
		m["model.norm.weight"] = tensor.Tensor{DType: tensor.I8, Shape: v.Shape, Data: make([]byte, v.Shape[0])}
	}},
	{what: "an adapter", file: "adapter_config.json", text: `{"peft_type": "LORA", "base_model_name_or_path": "some/base"}`},
}

// unread are the quant_methods of Transformers whose codes are not read.
var unread = []string{"aqlm", "auto-round", "bitnet", "eetq", "fbgemm_fp8", "higgs", "hqq", "mxfp4", "quanto", "quark", "spqr", "torchao", "vptq"}

// words is the first sentence with which a changed model is refused.
func (c *compatibility) words(r refusal) string {
	dir := c.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "reference", "llama_linear"))); err != nil {
		c.t.Fatal(err)
	}
	for key, v := range r.keys {
		setConfig(c.t, dir, key, v)
	}
	if r.change != nil {
		changeTensors(c.t, dir, r.change)
	}
	if r.file != "" {
		if err := os.WriteFile(filepath.Join(dir, r.file), []byte(r.text), 0o666); err != nil {
			c.t.Fatal(err)
		}
	}
	l, err := model.Open(dir)
	if err == nil {
		err = errors.Join(l.Each(func(model.Param, []float32) error { return nil }), l.Close())
	}
	if err == nil {
		c.t.Errorf("%s opens", r.what)
		return "opens"
	}
	text := strings.ReplaceAll(firstLine(err), dir+string(filepath.Separator), "")
	return strings.ReplaceAll(text, dir, "MODEL")
}
