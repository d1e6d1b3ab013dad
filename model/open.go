package model

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"olmo/config"
	"olmo/internal/pyjson"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// Loaded is an open checkpoint: its config, and its parameters on demand.
type Loaded struct {
	Config *Config
	Path   string // the folder or file that was opened in the end
	Layout Layout
	DType  tensor.DType // that of most bytes
	Set    *weights.Set // of a quantised folder with its weights dequantised
	// Stored says how the weights of a quantised folder lie in its files; empty for others.
	Stored string
	GGUF   *weights.GGUF // of a .gguf file, with the tokenizer in its metadata; else nil
	AI2    *AI2          // model section of config.yaml; nil for other layouts
	// Tokenizer is the path of the tokenizer.json beside the weights, or empty.
	Tokenizer string
	// Stop lists the ids that end a text: eos_token_id of config.json and
	// generation_config.json, which may have several.
	Stop []int32
	// Extra are tensors that the config has no place for; none without
	// OpenOptions.IgnoreExtra.
	Extra []string
	// Notes say, as sentences, what of the files is left out or used against the config.
	Notes []string

	files  *weights.Set // of a quantised folder, with its codes; else nil
	layout *layout
	rename func(tensor string) string // from the layout's name to the file's; nil: the same
	head   string                     // what the file calls a stored copy of the tied embedding; or empty
	opened OpenOptions
	merged *merging // an adapter that parameters are read with; nil: none

	// shared is the last tensor that several parameters lie in, all experts of a layer.
	shared struct {
		sync.Mutex
		name  string
		data  []float32
		shape []int
	}
}

// Open opens a checkpoint of any layout: a Hugging Face folder, a folder of the
// ai2-olmo package or one of our steps (config.yaml and weights), a run folder (its
// latest step), a quickstart folder (the run inside), or a GGUF file. Only headers are
// read, and where a tied head is stored, it and the embedding. Tensors that the config
// has no place for are an *ExtraError; those that it asks for are a *MissingError where they
// are not there, and a *ShapeError where they have another shape.
func Open(path string) (*Loaded, error) { return OpenWith(path, OpenOptions{}) }

// OpenOptions say how strict OpenWith is.
type OpenOptions struct {
	// IgnoreExtra leaves out tensors that the config has no place for, and lists them in
	// Loaded.Extra. Without them it may be another model than the one that was saved.
	IgnoreExtra bool
	// Quantize is a dtype of blocks in which EachMatrix gives what lies in plain numbers and SaveGGUF
	// would write in blocks; Invalid: as it lies.
	Quantize tensor.DType
	// Incomplete opens a checkpoint that lacks tensors, or has some of another shape, for who
	// tells of each.
	Incomplete bool
}

// OpenWith is Open with options.
func OpenWith(path string, o OpenOptions) (*Loaded, error) {
	l, err := find(path)
	if err != nil {
		return nil, err
	}
	l.opened = o
	if len(l.Extra) > 0 && !o.IgnoreExtra {
		return nil, errors.Join(&ExtraError{l.Path, l.Extra}, l.Close())
	}
	if !o.Incomplete {
		if err := l.complete(); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// Reopen opens the same checkpoint once more, with the same options.
func (l *Loaded) Reopen() (*Loaded, error) { return OpenWith(l.Path, l.opened) }

// find opens a checkpoint of any layout.
func find(path string) (*Loaded, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		if filepath.Ext(path) == ".gguf" {
			return openGGUF(path)
		}
		return nil, fmt.Errorf("%s is not a model\nhint: a model is a folder with config.json or config.yaml and weights, or a .gguf file", path)
	}
	for range 3 { // a quickstart folder has a run, a run has steps
		if err := notAdapter(path); err != nil {
			return nil, err
		}
		switch {
		case exists(path, "config.json"):
			return openHF(path)
		case exists(path, "config.yaml") && hasWeights(path):
			return openAI2(path)
		}
		next, err := inside(path)
		if err != nil {
			return nil, err
		}
		if next == "" {
			break
		}
		path = next
	}
	if found, err := filepath.Glob(filepath.Join(path, "*.gguf")); err == nil && len(found) == 1 {
		return openGGUF(found[0])
	}
	return nil, fmt.Errorf("%s holds no model\nhint: it needs config.json (Hugging Face) or config.yaml (ai2-olmo) with weights, checkpoints stepN, or a single .gguf", path)
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func hasWeights(dir string) bool {
	return slices.ContainsFunc([]string{"model.safetensors", "model.safetensors.index.json", "model.pt"}, func(name string) bool { return exists(dir, name) })
}

// inside returns the run of a quickstart folder, the latest step of a run, or the main model of a release;
// empty when there is none of them.
func inside(dir string) (string, error) {
	if main := filepath.Join(dir, "model", "main"); exists(dir, "release.json") && hasWeights(main) {
		return main, nil
	}
	latest := filepath.Join(dir, "latest")
	if st, err := os.Stat(latest); err == nil {
		if st.IsDir() {
			// Its true name, in case the link moves on while we read.
			return filepath.EvalSymlinks(latest)
		}
		name, err := store.ReadFile(latest) // where links cannot be made
		if err != nil {
			return "", err
		}
		if target := strings.TrimSpace(string(name)); filepath.IsLocal(target) {
			return filepath.Join(dir, target), nil
		}
		return "", fmt.Errorf("%s names %.100q, which is no folder beside it", latest, name)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	best, at := -1, ""
	for _, e := range entries {
		number, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), "-unsharded"), "step")
		n, err := strconv.Atoi(number)
		if path := filepath.Join(dir, e.Name()); ok && err == nil && n > best && hasWeights(path) {
			best, at = n, path
		}
	}
	if at == "" && exists(dir, "run") {
		at = filepath.Join(dir, "run")
	}
	return at, nil
}

// RouterLossWeight is router_aux_loss_coef of a mixture of experts: the weight that Transformers' class gives the loss
// of the routers, and its default where no config.json has one; 0 of other models.
func (l *Loaded) RouterLossWeight() (float64, error) {
	usual, ok := map[string]float64{"olmoe": 0.01, "mixtral": 0.001}[l.Config.Family]
	if !ok || l.Layout != HuggingFace {
		return usual, nil
	}
	m, err := pyjson.ReadObject(filepath.Join(l.Path, "config.json"))
	if err != nil {
		return 0, err
	}
	h := &hfReader{m: m, err: new(error)}
	return h.float64("router_aux_loss_coef", usual), *h.err
}

func openHF(dir string) (*Loaded, error) {
	m, err := pyjson.ReadObject(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	l := &Loaded{Path: dir, Layout: HuggingFace}
	if m["model_type"] == "hf_olmo" {
		// OLMo 1 as first released: the package's own config and names.
		a, err := ai2FromJSON(m)
		if err == nil {
			l.Config, err = a.Config()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "config.json"), err)
		}
		l.Layout, l.AI2 = Native, a
		l.rename = func(name string) string { return "model." + name }
	} else if l.Config, err = configFromHF(m); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "config.json"), err)
	}
	h := &hfReader{m: m, err: new(error)}
	l.Stop = h.ids("eos_token_id")
	if *h.err != nil {
		return nil, fmt.Errorf("%s: %w", dir, *h.err)
	}
	if err := l.MoreStops(dir); err != nil {
		return nil, err
	}
	if l.Set, err = weights.Open(dir); err != nil {
		return nil, err
	}
	if err := l.dequantise(m); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l.finish()
}

// MoreStops adds the ids that end a text by the generation_config.json of a folder, if it has one: the
// model's, or that of an adapter to it.
func (l *Loaded) MoreStops(dir string) (err error) {
	l.Stop, err = MoreStops(l.Stop, dir)
	return err
}

// MoreStops is Loaded.MoreStops of any stops, which stay as they are.
func MoreStops(stop []int32, dir string) ([]int32, error) {
	if !exists(dir, "generation_config.json") {
		return stop, nil
	}
	path := filepath.Join(dir, "generation_config.json")
	m, err := pyjson.ReadObject(path)
	if err != nil {
		return nil, err
	}
	h := &hfReader{m: m, err: new(error)}
	stop = slices.Clip(stop)
	for _, id := range h.ids("eos_token_id") {
		if !slices.Contains(stop, id) {
			stop = append(stop, id)
		}
	}
	if *h.err != nil {
		return nil, fmt.Errorf("%s: %w", path, *h.err)
	}
	return stop, nil
}

// ai2FromJSON takes the keys that the package's ModelConfig has.
func ai2FromJSON(m map[string]any) (*AI2, error) {
	known := map[string]any{}
	t := reflect.TypeFor[AI2]()
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		v, ok := m[name]
		if x, number := v.(float64); number && x == float64(int64(x)) {
			v = int64(x) // JSON has one kind of number
		}
		if ok {
			known[name] = v
		}
	}
	return parseAI2("config.json", known)
}

// parseAI2 reads a model section that is already decoded.
func parseAI2(name string, m map[string]any) (*AI2, error) {
	text, err := yaml.Marshal(m)
	if err != nil {
		return nil, err
	}
	a := DefaultAI2()
	if err := config.Parse(name, text, nil, &a); err != nil {
		return nil, err
	}
	return &a, nil
}

func openAI2(dir string) (*Loaded, error) {
	path := filepath.Join(dir, "config.yaml")
	a, err := readAI2(path)
	if err != nil {
		return nil, err
	}
	l := &Loaded{Path: dir, Layout: Native, AI2: a}
	if l.Config, err = a.Config(); err != nil {
		return nil, fmt.Errorf("%s: model: %w", path, err)
	}
	if l.Config.EOS >= 0 {
		l.Stop = []int32{l.Config.EOS}
	}
	if err := l.MoreStops(dir); err != nil {
		return nil, err
	}
	if l.Set, err = weights.Open(dir); err != nil {
		return nil, err
	}
	l.rename = InGroups(l.Set.Names())
	return l.finish()
}

// InGroups returns what the ai2-olmo package calls a parameter in a list of names when
// block_group_size counts the blocks by groups; nil when it does not.
func InGroups(names []string) func(name string) string {
	size := 0
	for slices.Contains(names, fmt.Sprintf("transformer.block_groups.0.%d.attn_out.weight", size)) {
		size++
	}
	if size == 0 {
		return nil
	}
	return func(name string) string {
		n, rest, ok := part(name)
		if !ok {
			return name
		}
		return fmt.Sprintf("transformer.block_groups.%d.%d.%s", n/size, n%size, rest)
	}
}

// readAI2 reads the model section of a training config; the rest of it is the
// trainer's.
func readAI2(path string) (*AI2, error) {
	text, err := store.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Model map[string]any `yaml:"model"`
	}
	if err := config.CheckDepth(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if file.Model == nil {
		return nil, fmt.Errorf("%s has no section model", path)
	}
	return parseAI2(path+": model", file.Model)
}

func openGGUF(path string) (*Loaded, error) {
	g, err := weights.OpenGGUF(path)
	if err != nil {
		return nil, err
	}
	c, err := configFromGGUF(g)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), g.Close())
	}
	l := &Loaded{Config: c, Path: path, Layout: GGUF, Set: g.Set, GGUF: g}
	if c.EOS >= 0 {
		l.Stop = []int32{c.EOS}
	}
	for _, key := range ggufStops {
		if n, ok := g.Int(key); ok && n >= 0 && n <= math.MaxInt32 && !slices.Contains(l.Stop, int32(n)) {
			l.Stop = append(l.Stop, int32(n))
		}
	}
	return l.finish()
}

// finish links the parameters to the tensors and looks around.
func (l *Loaded) finish() (*Loaded, error) {
	var err error
	if n := len(l.Set.Names()); l.Config.Layers > n {
		return nil, errors.Join(fmt.Errorf("%s: the config says %d layers, the weights are %d tensors", l.Path, l.Config.Layers, n), l.Close())
	}
	// A config may ask for no more than the file justifies: what follows allocates by it.
	elements := 0.0
	for _, n := range l.Set.All() {
		size := 1.0
		for _, d := range n.Shape {
			size *= float64(d)
		}
		elements += size
	}
	c := l.Config
	for _, m := range [][2]int{{c.V, c.C}, {c.C, c.H * c.D}, {c.F, c.C}} {
		if float64(m[0])*float64(m[1]) > elements {
			return nil, errors.Join(fmt.Errorf("%s: the config asks for a matrix of %d×%d, the weights are %.0f numbers in all", l.Path, m[0], m[1], elements), l.Close())
		}
	}
	if l.layout, err = l.Config.layoutOf(l.Layout); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.Notes = append(l.Notes, l.Set.Notes()...)
	if err := l.settleNames(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := l.settleHead(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := l.notCodes(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.account()
	if l.Stop == nil && l.Config.EOS >= 0 {
		l.Stop = []int32{l.Config.EOS}
	}
	l.DType = mostOf(l.Set.All())
	dir := l.Path
	if l.GGUF != nil {
		dir = filepath.Dir(l.Path)
	}
	if path := filepath.Join(dir, "tokenizer.json"); l.GGUF == nil {
		if _, err := os.Stat(path); err == nil {
			l.Tokenizer = path
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// file is what the files call a tensor of the layout.
func (l *Loaded) file(tensor string) string {
	if l.rename == nil {
		return tensor
	}
	return l.rename(tensor)
}

// Close releases the files.
func (l *Loaded) Close() error { return l.Set.Close() }

// Param returns a parameter as float32, converted from the file's layout. It may lie
// in the mapped file: it must not be written to, and is gone after Close.
func (l *Loaded) Param(name string) ([]float32, error) {
	v, err := l.layout.gather(name, func(t string) ([]float32, []int, error) {
		s := &l.shared
		s.Lock()
		defer s.Unlock()
		if s.name == t {
			return s.data, s.shape, nil
		}
		x, err := l.Set.Tensor(l.file(t))
		if err != nil {
			return nil, nil, err
		}
		f, err := x.Float32s()
		if err == nil && len(l.layout.byName[t]) > 1 {
			s.name, s.data, s.shape = t, f, x.Shape
		}
		return f, x.Shape, err
	})
	if err == nil && l.merged != nil {
		v, err = l.merged.into(name, v)
	}
	if err != nil {
		return nil, fmt.Errorf("reading weights of %s: %w", l.Path, err)
	}
	return v, nil
}

// Each calls f with every parameter, the largest first: what reading takes beside what f
// keeps is then small when f keeps nearly all. The next one is converted meanwhile.
func (l *Loaded) Each(f func(p Param, data []float32) error) error {
	return l.each(l.Config.Params(), f)
}

// EachVector is Each of what EachMatrix leaves out.
func (l *Loaded) EachVector(f func(p Param, data []float32) error) error {
	return l.each(slices.DeleteFunc(l.Config.Params(), isMatrix), f)
}

func (l *Loaded) each(params []Param, f func(p Param, data []float32) error) error {
	type numbers struct {
		data []float32
		err  error
	}
	slices.SortStableFunc(params, func(a, b Param) int { return cmp.Compare(b.Size(), a.Size()) })
	ready, stop, ended := make(chan numbers), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for _, p := range params {
			data, err := l.Param(p.Name)
			select {
			case ready <- numbers{data, err}:
			case <-stop:
				return
			}
		}
	}()
	defer func() {
		close(stop)
		<-ended // nothing reads the files after Each
	}()
	size := 0 // of the last parameters, about
	for _, p := range params {
		n := <-ready
		if n.err != nil {
			return n.err
		}
		if err := f(p, n.data); err != nil {
			return err
		}
		l.Set.Forget()
		// Go keeps the memory of garbage for more of the kind. After the last large
		// matrix none comes any more.
		if p.Size() <= size/2 {
			debug.FreeOSMemory()
		}
		if size == 0 || p.Size() <= size/2 {
			size = p.Size()
		}
	}
	return nil
}
