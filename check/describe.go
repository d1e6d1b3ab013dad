package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/data"
	"olmo/data/dedupe"
	"olmo/data/tokens"
	"olmo/internal/pyjson"
	"olmo/model"
	"olmo/store"
	"olmo/tensor"
	"olmo/tokenizer"
	"olmo/train"
	"olmo/weights"
)

// Description says what an artefact is, from headers and small files alone.
type Description struct {
	Path    string       `json:"path"`
	Kind    string       `json:"kind"`
	Facts   []Fact       `json:"facts,omitempty"`
	Model   *ModelInfo   `json:"-"` // of a model; it has all that there is to say
	Weights *WeightsInfo `json:"-"` // of a file of weights
}

// Fact is one thing known about an artefact.
type Fact struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

func (d *Description) add(name string, value any) { d.Facts = append(d.Facts, Fact{name, value}) }

// Describe says what lies at path; configs are the kinds that are known beside training's.
func Describe(path string, configs []ConfigKind) (*Description, error) {
	a, err := find(path)
	if err != nil {
		return nil, err
	}
	d, err := a.describe(path)
	if err == nil && d.Kind == "config" {
		if text, err := store.ReadFile(path); err == nil {
			if kind, err := configOf(text, configs); err == nil && kind != nil {
				d.Kind = kind.Name
			}
		}
	}
	return d, err
}

// ModelInfo is what is known of a model.
type ModelInfo struct {
	Path             string  `json:"path"`
	Layout           string  `json:"layout"`
	Family           string  `json:"family"`
	DType            string  `json:"dtype"`
	Stored           string  `json:"stored_as,omitempty"` // of a quantised folder
	Layers           int     `json:"layers"`
	Width            int     `json:"width"`
	Heads            int     `json:"heads"`
	KeyHeads         int     `json:"key_heads"`
	HeadSize         int     `json:"head_size"`
	MLP              int     `json:"mlp"`
	Vocabulary       int     `json:"vocabulary"`
	Context          int     `json:"context"`
	Window           int     `json:"sliding_window,omitempty"`
	Experts          int     `json:"experts,omitempty"`
	ExpertsPerToken  int     `json:"experts_per_token,omitempty"`
	Tied             bool    `json:"tied"`
	Reward           bool    `json:"reward,omitempty"` // a score in place of logits
	Parameters       int     `json:"parameters"`
	WithoutEmbedding int     `json:"parameters_without_embedding"`
	Active           int     `json:"active_parameters"`
	FileBytes        int64   `json:"file_bytes"`
	RunBytes         int64   `json:"run_bytes"`
	CacheBytes       int64   `json:"cache_bytes"`
	TrainBytes       int64   `json:"train_bytes"`
	ForwardFLOPs     float64 `json:"forward_flops_per_token"`
	BackwardFLOPs    float64 `json:"backward_flops_per_token"`
	CoreFLOPs        float64 `json:"olmo_core_flops_per_token"`
	Tokenizer        string  `json:"tokenizer,omitempty"`
	TokenizerSize    int     `json:"tokenizer_vocabulary,omitempty"`
	StopIDs          []int32 `json:"stop_ids,omitempty"`
	// Extra are tensors that the config has no place for; Notes what else of the files is
	// left out, or used against the config.
	Extra []string `json:"extra_tensors,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

func describeModel(path string) (*Description, error) {
	l, err := model.OpenWith(path, model.OpenOptions{IgnoreExtra: true, Incomplete: true})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	c := l.Config
	r := &ModelInfo{
		Path: l.Path, Layout: string(l.Layout), Family: c.Family, DType: strings.ToLower(l.DType.String()), Stored: l.Stored, Layers: c.Layers, Width: c.C, Heads: c.H, KeyHeads: c.KV,
		HeadSize: c.D, MLP: c.F, Vocabulary: c.V, Context: c.T, Experts: c.Experts, ExpertsPerToken: c.TopK, Tied: c.Tied, Reward: c.Reward,
		Active: c.ActiveParams(), FileBytes: l.FileBytes(), TrainBytes: c.TrainBytes(), StopIDs: l.Stop, Extra: l.Extra, Notes: l.Notes,
	}
	if c.Windows != nil {
		r.Window = slices.Max(c.Windows)
	}
	r.Parameters, r.WithoutEmbedding = c.NumParams()
	r.RunBytes, r.CacheBytes = c.RunBytes()
	f := c.FLOPs(c.T)
	r.ForwardFLOPs, r.BackwardFLOPs, r.CoreFLOPs = f.Forward, f.Backward, f.Core
	switch {
	case l.Tokenizer != "":
		t, err := tokenizer.Load(filepath.Dir(l.Tokenizer))
		if err != nil {
			return nil, err
		}
		r.Tokenizer, r.TokenizerSize = l.Tokenizer, t.VocabSize()
	case l.GGUF != nil:
		if v, ok := l.GGUF.Get("tokenizer.ggml.model"); ok {
			r.Tokenizer = fmt.Sprintf("%v, in the file", v)
		}
		if v, ok := l.GGUF.Get("tokenizer.ggml.tokens"); ok {
			tokens, _ := v.([]string)
			r.TokenizerSize = len(tokens)
		}
	}
	return &Description{Path: path, Kind: "model", Model: r}, nil
}

// describeCheckpoint says what a checkpoint holds: a model, or an adapter.
func describeCheckpoint(path string) (*Description, error) {
	if exists(filepath.Join(path, model.PEFTConfigFile)) {
		return describeAdapter(path)
	}
	return describeModel(path)
}

// describeRun says what the model of a run is, or how far a run without a checkpoint is.
func describeRun(path string) (*Description, error) {
	steps, err := train.Steps(path)
	if err != nil {
		return nil, err
	}
	if len(steps) > 0 {
		latest, err := train.Latest(path)
		if err == nil && exists(filepath.Join(latest, model.PEFTConfigFile)) {
			return describeAdapter(latest)
		}
		return describeModel(path)
	}
	d := &Description{Path: path, Kind: "run"}
	d.add("checkpoints", 0)
	if log, err := describeLog(filepath.Join(path, "metrics.jsonl")); err == nil {
		d.Facts = append(d.Facts, log.Facts...)
	}
	return d, nil
}

// WeightsInfo is what is known of a file of weights.
type WeightsInfo struct {
	Path     string            `json:"path"`
	Tensors  int               `json:"tensors"`
	Elements int               `json:"elements"`
	Bytes    map[string]int64  `json:"bytes"` // by dtype
	Metadata map[string]string `json:"metadata,omitempty"`
}

func describeWeights(path string) (*Description, error) {
	set, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	r := &WeightsInfo{Path: path, Tensors: len(set.Names()), Bytes: map[string]int64{}, Metadata: set.Metadata()}
	for _, n := range set.All() {
		elements := 1
		for _, d := range n.Shape {
			elements *= d
		}
		r.Elements += elements
		if b, err := n.DType.Bytes(n.Shape); err == nil {
			r.Bytes[dtypeName(n.DType)] += int64(b)
		}
	}
	return &Description{Path: path, Kind: "weights", Weights: r}, nil
}

func dtypeName(d tensor.DType) string { return strings.ToLower(d.String()) }

// describeTokens sums up token files: one, or those of a folder.
func describeTokens(path string) (*Description, error) {
	files, err := tokens.TokenFiles(path)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "token files"}
	var n, documents, bytes int64
	var types []string
	told := true
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			return nil, err
		}
		bytes += st.Size()
		places := tokens.PlacesPath(f)
		if !exists(places) {
			told = false
			continue
		}
		of, rows, err := countPlaces(places)
		if err != nil {
			return nil, err
		}
		dtype := dtypeOf(st.Size(), of)
		if dtype == "" {
			return nil, fmt.Errorf("%s has %d bytes, which do not fit the %d tokens of %s\nhint: olmo check says more", f, st.Size(), of, filepath.Base(places))
		}
		if !slices.Contains(types, string(dtype)) {
			types = append(types, string(dtype))
		}
		n, documents = n+of, documents+rows
	}
	d.add("files", len(files))
	d.add("bytes", bytes)
	if told {
		d.add("tokens", n)
		d.add("documents", documents)
		d.add("type", strings.Join(types, ", "))
	} else {
		d.add("type", "not told: a .csv.gz with the places of documents is missing")
	}
	return d, nil
}

func countPlaces(path string) (n, documents int64, err error) {
	err = tokens.ReadPlaces(path, func(p tokens.Place) error {
		n = p.End
		documents++
		return nil
	})
	return n, documents, err
}

func describePlaces(path string) (*Description, error) {
	n, documents, err := countPlaces(path)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "places of documents"}
	d.add("documents", documents)
	d.add("tokens", n)
	return d, nil
}

func describeLeaves(path string) (*Description, error) {
	l, err := tokens.OpenLeaves(strings.TrimSuffix(path, ".leaves"))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	current, err := l.Current()
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "leaves of documents"}
	d.add("documents", l.Documents)
	d.add("type", string(l.DType))
	d.add("of the token file as it is", current)
	return d, nil
}

func describeTokenizer(path string) (*Description, error) {
	t, err := tokenizer.Load(path)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "tokenizer"}
	d.add("entries", t.VocabSize())
	d.add("fingerprint", t.Fingerprint())
	return d, nil
}

func describeFilter(path string) (*Description, error) {
	s, err := dedupe.Inspect(path)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "Bloom filter"}
	d.add("bytes", s.Bytes)
	d.add("hash functions", s.K)
	d.add("bits set", s.Load)
	return d, nil
}

// describeRows says what the first row of a file shows.
func describeRows(path string) (*Description, error) {
	a, err := find(path)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	r, err := data.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d := &Description{Path: path, Kind: a.name}
	d.add("bytes", st.Size())
	compression := data.CompressionOf(path).String()
	if strings.HasSuffix(path, ".bz2") {
		compression = "bzip2" // which is read only
	}
	d.add("compression", compression)
	// Which stage wrote the file and what its settings were, or their digest.
	if note := data.NoteOf(path); note != "" {
		d.add("note", note)
	}
	line, err := r.NextLine()
	if err != nil {
		if st.Size() > 0 {
			var bad *data.RecordError
			if errors.As(err, &bad) {
				return nil, err
			}
		}
		d.add("rows", "none can be read")
		return d, nil
	}
	fields, err := data.AppendFields(nil, line.Bytes)
	if err != nil {
		return nil, r.BadLine(line, err)
	}
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.Key)
	}
	d.add("keys", strings.Join(keys, ", "))
	return d, nil
}

func describeJSON(path string) (*Description, error) {
	text, err := store.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "JSON"}
	var object map[string]json.RawMessage
	var v any
	if err := pyjson.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if json.Unmarshal(text, &object) == nil {
		var keys []string
		for k := range object {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		d.add("keys", strings.Join(keys, ", "))
	}
	return d, nil
}

// describeFolder lists what a folder holds, by kind.
func describeFolder(path string) (*Description, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "folder"}
	names := map[string][]string{}
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		if a, err := find(filepath.Join(path, e.Name())); err == nil {
			names[a.name] = append(names[a.name], e.Name())
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: %w: it holds nothing that is known", path, ErrUnknown)
	}
	for _, a := range artefacts {
		list := names[a.name]
		delete(names, a.name)
		if n := len(list); n > mostNamed {
			d.add(a.name, fmt.Sprintf("%s and %d more", strings.Join(list[:mostNamed], ", "), n-mostNamed))
		} else if n > 0 {
			d.add(a.name, strings.Join(list, ", "))
		}
	}
	return d, nil
}

func describePointer(path string) (*Description, error) {
	return nil, fmt.Errorf("%s is a pointer of Git LFS, not the file that it stands for\nhint: git lfs pull", path)
}
