package train

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"olmo/config"
	"olmo/data/store"
	"olmo/data/tokens"
	"olmo/internal/pyjson"
	"olmo/model"
	"olmo/numeric"
	"olmo/tensor"
)

// Continuation is a training that goes on from the weights of a finished model, on other
// tokens.
type Continuation struct {
	From  string   // what model.Open takes: a Hugging Face folder, a .gguf file, a run, …
	Name  string   // what the user calls it, after which the run is named; From when empty
	Data  []string // token files, folders of them, patterns
	Steps int
}

// Settings of a continued training, where neither model nor data say them.
const (
	continuedLength = 2048 // the most tokens of a sequence; 4096 where it is the model's own
	continuedBatch  = 8192 // tokens of a step, at least eight sequences
	continuedWarmup = 100  // steps, and at most a tenth of all
	continuedSave   = 100  // steps between two checkpoints, of which one stays
)

// Config makes the whole config of the training; overrides are merged over it as over a
// file, and what follows from length or batch follows from theirs.
//
//	model, weights, tokenizer  those of From
//	data.memmap_dtype          of the .csv.gz beside the first file, else by the vocabulary
//	max_sequence_length        the model's, at most 2048 (4096 of the ai2-olmo package's)
//	global_train_batch_size    8192 tokens and 8 sequences at least, 64 and a quarter of the data at most
//	optimizer                  AdamW, betas 0.9 and 0.95, weight decay 0.1
//	learning_rate              a tenth of Rate for the model's size, at most 5e-4
//	scheduler                  warm-up over a tenth of the steps (100 at most), cosine to a tenth
func (n *Continuation) Config(overrides []string) (*Config, error) {
	c := DefaultConfig()
	if err := c.startFrom(n.From); err != nil {
		return nil, err
	}
	hf := c.Model.HF
	own := c.Model.MaxSequenceLength
	// What is to follow from other settings is nothing so far.
	c.Model.MaxSequenceLength, c.GlobalTrainBatchSize, c.DeviceTrainMicrobatchSize, c.Data.MemmapDType = 0, 0, 0, ""
	c.Optimizer.Name, c.Optimizer.LearningRate, c.Optimizer.WeightDecay, c.Optimizer.Eps = "adamw", 0, 0.1, 1e-8
	c.Scheduler.TWarmup, c.Scheduler.WarmupMinLR = float64(min(continuedWarmup, n.Steps/10)), new(float64)
	c.MaxDuration, c.StopAt = Duration{Steps: n.Steps}, ptr(n.Steps)
	c.MaxGradNorm = ptr(1.0)
	c.Data.Paths, c.Data.DropLast = n.Data, true
	c.SaveFolder, c.NoPreTrainCheckpoint, c.SaveIntervalEphemeral = "", true, ptr(continuedSave)
	if err := config.Parse("--from", nil, overrides, c); err != nil {
		return nil, err
	}
	if c.Model.HF.Path() != "" {
		return nil, errors.New("model.hf and --from both name a model\nhint: give --from alone")
	}
	if len(hf) == 0 && len(c.Model.HF) > 0 {
		return nil, errors.New("model.hf: the keys of this model's config stand in the section model itself, such as model.rope_theta")
	}
	if err := c.expand(""); err != nil && !c.DryRun {
		return nil, err
	}
	c.find("")
	name := Name(cmp.Or(n.Name, n.From)) + "-on-" + Name(firstOf(n.Data))
	if c.SaveFolder == "" {
		c.SaveFolder = name
	}
	if c.RunName == "" {
		c.RunName = name
	}
	section := c.Model
	if section.MaxSequenceLength == 0 {
		section.MaxSequenceLength = own
	}
	m, err := section.Config()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if c.Optimizer.LearningRate == 0 {
		size := size(m)
		c.Optimizer.LearningRate = roundRate(min(Rate(size, 20*size)/10, 5e-4))
	}
	if err := c.fit(m, own); err != nil && !c.DryRun {
		return nil, err
	}
	return c, c.Validate()
}

// size counts the parameters without embedding and head.
func size(m *model.Config) float64 {
	_, n := m.NumParams()
	if !m.Tied && !m.Reward {
		n -= m.V * m.C
	}
	return float64(n)
}

// Rate is the peak of the learning rate for AdamW that a model of so many parameters without
// embedding and head is best trained with over so many tokens: 1.79·N^−0.713·D^0.307.
//
// Li et al. 2025, Predictable Scale: Part I, eq. 1 ("step law"), found with models of 60M to 1B.
func Rate(parameters, tokens float64) float64 {
	return 1.79 * numeric.Pow(max(parameters, 1), -0.713) * numeric.Pow(max(tokens, 1), 0.307)
}

// roundRate keeps two digits: the law knows no more, and the config is read by people.
func roundRate(rate float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(rate, 'g', 2, 64), 64)
	return r
}

func ptr[T any](v T) *T { return &v }

func firstOf(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return paths[0]
}

// Name is a short name for what lies at a path: its last part without an ending, of a
// checkpoint the run's too, of a pattern that of the folder.
func Name(path string) string {
	if !strings.Contains(path, "://") {
		if full, err := filepath.Abs(path); err == nil {
			path = filepath.ToSlash(full)
		}
	}
	parts := slices.DeleteFunc(strings.Split(path, "/"), func(p string) bool { return p == "" || isPattern(p) })
	if len(parts) == 0 {
		return "model"
	}
	name := parts[len(parts)-1]
	for _, end := range []string{".gguf", ".npy"} {
		name = strings.TrimSuffix(name, end)
	}
	if digits := strings.TrimPrefix(name, "step"); len(parts) > 1 && (name == "latest" || digits != name && strings.Trim(digits, "0123456789") == "") {
		name = parts[len(parts)-2] + "-" + name
	}
	return name
}

// startFrom takes model, weights and tokenizer from a checkpoint, and of a config.json alone
// the model.
func (c *Config) startFrom(path string) error {
	fail := func(err error) error { return fmt.Errorf("opening the model %s: %w", path, err) }
	if filepath.Ext(path) == ".json" {
		a := model.DefaultAI2()
		var err error
		if a.HF, err = readConfigJSON(path); err != nil {
			return fail(err)
		}
		m, err := a.Config()
		if err == nil {
			size := m.V
			a.MaxSequenceLength, a.VocabSize, a.EmbeddingSize, a.WeightTying = m.T, m.VocabSize, &size, m.Tied
			a.EOSTokenID, a.PadTokenID = int(max(m.EOS, 0)), int(max(m.PAD, 0))
			err = c.takeSection(m, &a)
		}
		if err != nil {
			return fail(err)
		}
		return nil
	}
	l, err := model.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "hint:") {
		err = fmt.Errorf("%w\nhint: it must be a folder as Hugging Face has them, a .gguf file, or a run; a name on a hub must be downloaded first", err)
	}
	if err != nil {
		return fail(err)
	}
	defer l.Close()
	if err := c.takeModel(l); err != nil {
		return fail(err)
	}
	c.origin, c.InitWeights = l.Path, l.Path
	c.Tokenizer.Identifier = l.Tokenizer
	return nil
}

// takeModel writes the section model of a checkpoint's.
func (c *Config) takeModel(l *model.Loaded) error {
	m := l.Config
	section, err := m.Section()
	switch {
	case l.AI2 != nil:
		a := *l.AI2
		section, err = &a, nil
		section.WeightTying = m.Tied
		if len(a.HF) > 0 {
			section.HF["tie_word_embeddings"] = m.Tied
		}
	case err != nil && l.Layout == model.HuggingFace:
		// The keys of the package cannot say it, its own can.
		a := model.DefaultAI2()
		a.MaxSequenceLength, a.VocabSize, a.EmbeddingSize = m.T, m.VocabSize, &m.V
		a.EOSTokenID, a.PadTokenID = int(max(m.EOS, 0)), int(max(m.PAD, 0))
		if a.HF, err = readConfigJSON(filepath.Join(l.Path, "config.json")); err == nil {
			a.HF["tie_word_embeddings"] = m.Tied
		}
		section = &a
	}
	if err != nil {
		return err
	}
	return c.takeSection(m, section)
}

// readConfigJSON reads the keys of a model; how its weights were stored is none of them.
func readConfigJSON(path string) (model.HFConfig, error) {
	m, err := pyjson.ReadObject(path)
	if err != nil {
		return nil, err
	}
	delete(m, "quantization_config")
	return m, nil
}

// takeSection takes a section model for a model, if it says the very same: what it cannot say
// would be lost without a word.
func (c *Config) takeSection(m *model.Config, section *model.AI2) error {
	section.AttentionDropout, section.ResidualDropout, section.EmbeddingDropout = 0, 0, 0
	again, err := section.Config()
	if err != nil {
		return err
	}
	if field := unsaid(m, again); field != "" {
		return fmt.Errorf("a training config cannot say all of this model: its %s would be another", field)
	}
	if m.Position != model.Learned {
		limit := 2 * continuedLength
		if len(section.HF) > 0 {
			limit = continuedLength // the config.json keeps the model's own
		}
		section.MaxSequenceLength = min(m.T, limit)
	}
	c.Model = *section
	return nil
}

// unsaid names a field in which two models differ, empty for none. Dropout, noise and the routers' losses of a stage are
// training's, and special ids the tokenizer's.
func unsaid(a, b *model.Config) string {
	p, q := *a, *b
	for _, c := range []*model.Config{&p, &q} {
		if c.SlidingTheta == 0 {
			c.SlidingTheta = c.RopeTheta
		}
	}
	x, y := reflect.ValueOf(p), reflect.ValueOf(q)
	for i := range x.NumField() {
		f := x.Type().Field(i)
		if !f.IsExported() || slices.Contains([]string{"AttentionDropout", "ResidualDropout", "EmbeddingDropout", "NEFTune", "PooledBalance", "BOS", "EOS", "PAD", "VocabSize"}, f.Name) {
			continue
		}
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return f.Name
		}
	}
	return ""
}

// StartedFrom is the checkpoint whose weights and tokenizer the config names because of
// --from or of a path in model.hf; empty for other configs.
func (c *Config) StartedFrom() string { return c.origin }

// fit sets width, length and batches after the tokens that there are. own is the length that
// the model is trained with where there is enough.
func (c *Config) fit(m *model.Config, own int) error {
	paths := c.Data.paths()
	if c.Data.MemmapDType == "" {
		c.Data.MemmapDType = string(tokens.DTypeFor(m.V))
		if len(paths) > 0 {
			d, err := width(paths[0], m.V)
			if err != nil {
				return fmt.Errorf("training data: %w", err)
			}
			c.Data.MemmapDType = string(d)
		}
	}
	T := c.Model.MaxSequenceLength
	if T == 0 {
		T = own
	}
	var lengths []int
	longest := 0
	var err error
	for _, path := range paths {
		var n int
		if n, err = checkTokens(path, tokens.DType(c.Data.MemmapDType), m); err != nil {
			err = fmt.Errorf("training data: %w", err)
			break
		}
		lengths, longest = append(lengths, n), max(longest, n)
	}
	if c.Model.MaxSequenceLength == 0 {
		for m.Position != model.Learned && T > longest && T > 16 && longest > 0 {
			T /= 2
		}
		c.Model.MaxSequenceLength = T
	}
	instances := 0
	for _, n := range lengths {
		instances += n / T
	}
	if c.GlobalTrainBatchSize == 0 {
		c.GlobalTrainBatchSize = min(max(continuedBatch/T, 8), 64)
		if instances > 0 {
			c.GlobalTrainBatchSize = min(c.GlobalTrainBatchSize, max(instances/4, 1))
		}
	}
	if c.DeviceTrainMicrobatchSize == 0 {
		c.DeviceTrainMicrobatchSize = min(max(continuedLength/T, 1), c.GlobalTrainBatchSize)
	}
	c.DeviceEvalBatchSize = c.DeviceTrainMicrobatchSize
	return err
}

// width finds the type of the ids of a token file: of so many bytes as the places of its
// documents count tokens, or where these are not there what a vocabulary of V takes.
func width(path string, V int) (tokens.DType, error) {
	st, err := store.Stat(path)
	if err != nil {
		return "", err
	}
	var n int64
	err = tokens.ReadPlaces(tokens.PlacesPath(path), func(p tokens.Place) error { n = p.End; return nil })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if n == 0 && V == 0 {
		return "", nil
	}
	if n == 0 {
		return tokens.DTypeFor(V), nil
	}
	for _, d := range []tokens.DType{tokens.Uint8, tokens.Uint16, tokens.Uint32, tokens.Uint64} {
		if n*int64(d.Size()) == st.Size {
			return d, nil
		}
	}
	return "", fmt.Errorf("%s has %d bytes, and its places count %d tokens: that is no width of 1, 2, 4 or 8 bytes\nhint: one of the two files is cut off or another's", path, st.Size, n)
}

// TokenType is the type of the ids of token files, which --data names beside a config, where
// the places of their documents tell it; else it is empty.
func TokenType(config string, data []string) (tokens.DType, error) {
	c := DefaultConfig()
	c.Data.Paths = data
	if err := c.expand(config); err != nil {
		return "", err
	}
	c.find(config)
	if !store.Exists(c.Data.Paths[0]) || !store.Exists(tokens.PlacesPath(c.Data.Paths[0])) {
		return "", nil
	}
	return width(c.Data.Paths[0], 0)
}

// checkTokens looks at up to 64 blocks of a token file, evenly spread, for an id that the
// model has no token for, and returns the file's number of tokens.
func checkTokens(path string, d tokens.DType, m *model.Config) (int, error) {
	const block, blocks = 1 << 14, 64
	f, err := tokens.Open(path, d)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n := f.Len()
	ids := make([]int32, min(block, n))
	last := -1
	for i := range blocks {
		at := (n - len(ids)) * i / (blocks - 1)
		if at == last {
			continue
		}
		last = at
		if err := f.Read(ids, at); err != nil {
			return 0, err
		}
		for j, id := range ids {
			if int(id) >= m.V {
				return 0, fmt.Errorf("%s holds id %d (token %d), and the model has %d ids: these tokens were made with another tokenizer\nhint: make them with the model's: olmo data tokens --tokenizer.name_or_path MODEL/tokenizer.json", path, id, at+j, m.V)
			}
		}
	}
	return n, nil
}

// loadModel reads parameters, which must be all of a model, from a checkpoint of any layout.
func (t *Trainer) loadModel(path string, params []model.Param) error {
	l, head, err := t.openModel(path)
	if err != nil {
		return err
	}
	defer l.Close()
	if head != nil {
		params = slices.DeleteFunc(slices.Clone(params), func(p model.Param) bool { return p.Name == model.RewardHead })
	}
	if err := l.Each(t.writer(params, path)); err != nil || head == nil {
		return err
	}
	return t.dev.Write(model.RewardHead, head)
}

// writer writes those of a model's parameters to the device that are among params.
func (t *Trainer) writer(params []model.Param, path string) func(p model.Param, w []float32) error {
	return func(p model.Param, w []float32) error {
		i := slices.IndexFunc(params, func(q model.Param) bool { return q.Name == p.Name })
		if i < 0 {
			return nil
		}
		return t.write(p.Name, params[i].Shape, tensor.FromFloat32(p.Shape, w), path)
	}
}

// openModel opens a checkpoint of any layout that the run can start from. head is that of Beginning.
func (t *Trainer) openModel(path string) (_ *model.Loaded, head []float32, err error) {
	l, err := model.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, f := range unshaped(l.Config, t.model) {
		if fmt.Sprint(f.theirs) != fmt.Sprint(f.ours) {
			return nil, nil, fmt.Errorf("%s is of another model: %s is %v there and %v here\nhint: 'olmo train --from %s', or model.hf: %s in the config, takes the model too", path, f.key, f.theirs, f.ours, path, path)
		}
	}
	for _, text := range l.Told() {
		t.opt.Warn(path + ": " + text)
	}
	stored := t.cfg.Adapter != nil && t.cfg.Adapter.Stored
	switch l.DType {
	case tensor.F64, tensor.F32, tensor.F16, tensor.BF16:
		if stored {
			t.opt.Warn(fmt.Sprintf("%s: its weights are %v, and stay so: nothing is quantised", path, l.DType))
		}
	default:
		if !stored {
			t.opt.Warn(fmt.Sprintf("%s: its weights are %v, and are trained as float32 from what they say", path, l.DType))
		}
	}
	head, err = t.cfg.Beginning(l, t.model)
	return l, head, err
}

// Beginning checks that a run of model m can start from the weights of l, all of which it takes by their
// names. A reward model takes no output matrix, and its head is the one that is returned, unless it is nil:
// then l is a reward model itself.
func (c *Config) Beginning(l *model.Loaded, m *model.Config) (head []float32, err error) {
	in := func(list []model.Param, name string) bool {
		return slices.ContainsFunc(list, func(p model.Param) bool { return p.Name == name })
	}
	ours, theirs := m.Params(), l.Config.Params()
	adopts := m.Reward && !l.Config.Reward
	for _, p := range ours {
		if !in(theirs, p.Name) && !(adopts && p.Name == model.RewardHead) {
			return nil, fmt.Errorf("%s has no %s\nhint: is this another model?", l.Path, p.Name)
		}
	}
	for _, p := range theirs {
		if !in(ours, p.Name) && !(adopts && p.Layer < 0) {
			return nil, fmt.Errorf("%s holds %s, which the model lacks\nhint: is this another model?", l.Path, p.Name)
		}
	}
	if adopts || m.Reward && c.InitRewardHead != "" {
		return c.rewardHead(m)
	}
	return nil, nil
}

// isModel tells whether init_weights names a whole model, and not a file of weights under
// the names of training, or a folder with such a file alone.
func isModel(path string) bool {
	st, err := os.Stat(path)
	if err != nil || !st.IsDir() {
		return filepath.Ext(path) == ".gguf"
	}
	if exists(filepath.Join(path, "config.json")) || exists(filepath.Join(path, configFile)) || exists(filepath.Join(path, model.PEFTConfigFile)) {
		return true
	}
	return !isCheckpoint(path) && !exists(filepath.Join(path, "model.safetensors.index.json"))
}
