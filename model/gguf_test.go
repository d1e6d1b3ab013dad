package model_test

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// witnesses are the families of testdata/llamacpp: a Hugging Face folder each, and beside
// it the model.gguf that llama.cpp's own converter made of it (testdata/llamacpp.py names
// the commit). What we read and write of GGUF shares no code with it.
var witnesses = []string{"gptneox", "llama", "mixtral", "mpt", "olmo", "olmo2", "olmo3", "olmoe"}

// TestReadLlamaCpp: llama.cpp's file is the same model as the folder that it was made of,
// parameter by parameter and setting by setting.
func TestReadLlamaCpp(t *testing.T) {
	for _, family := range witnesses {
		t.Run(family, func(t *testing.T) {
			dir := filepath.Join("testdata", "llamacpp", family)
			want := open(t, dir)
			got := open(t, filepath.Join(dir, "model.gguf"))
			if g, w := said(got.Config), said(want.Config); g.Family != family || !reflect.DeepEqual(g, w) {
				t.Errorf("config\n%+v\nwant\n%+v", g, w)
			}
			if !slices.Equal(got.Stop, want.Stop) {
				t.Errorf("ids that end a text are %v, want %v", got.Stop, want.Stop)
			}
			for _, p := range want.Config.Params() {
				theirs, err := got.Param(p.Name)
				if err != nil {
					t.Fatal(err)
				}
				ours, err := want.Param(p.Name)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(theirs, ours) {
					t.Errorf("%s has other numbers", p.Name)
				}
			}
		})
	}
}

// said returns a config without what means nothing: the rotation where there is none, and
// a second theta that is the first.
func said(c *model.Config) model.Config {
	s := *c
	if s.Position == model.Alibi {
		s.RopeTheta = 0
	}
	if s.SlidingTheta == s.RopeTheta {
		s.SlidingTheta = 0
	}
	return s
}

// TestWriteLlamaCpp: what we write has llama.cpp's tensors, byte by byte, and says of the
// model what it says.
func TestWriteLlamaCpp(t *testing.T) {
	// A label for people, and sizes that follow from the others.
	unsaid := []string{"general.size_label", "llama.attention.key_length", "llama.attention.value_length"}
	for _, family := range witnesses {
		t.Run(family, func(t *testing.T) {
			dir := filepath.Join("testdata", "llamacpp", family)
			from := open(t, dir)
			path := filepath.Join(t.TempDir(), "model.gguf")
			err := model.SaveGGUF(path, from.Config, from.Param, tensor.F32, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, want := openGGUF(t, path), openGGUF(t, filepath.Join(dir, "model.gguf"))
			if g, w := got.Names(), want.Names(); !slices.Equal(g, w) {
				t.Fatalf("tensors %v\nwant %v", g, w)
			}
			for _, n := range want.All() {
				g, err := got.Tensor(n.Name)
				if err != nil {
					t.Fatal(err)
				}
				w, err := n.Value()
				if err != nil {
					t.Fatal(err)
				}
				if g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(g.Data, w.Data) {
					t.Errorf("%s is %v %v, want %v %v, or other numbers", n.Name, g.DType, g.Shape, w.DType, w.Shape)
				}
			}
			for _, kv := range want.KV {
				if strings.HasPrefix(kv.Key, "tokenizer.") && !strings.HasSuffix(kv.Key, "_token_id") {
					continue // convert writes the vocabulary, and tests it
				}
				g, ok := got.Get(kv.Key)
				if !ok && slices.Contains(unsaid, kv.Key) {
					continue
				}
				if !reflect.DeepEqual(g, kv.Value) {
					t.Errorf("%s is %v (%T), want %v (%T)", kv.Key, g, g, kv.Value, kv.Value)
				}
			}
		})
	}
}

func openGGUF(t *testing.T, path string) *weights.GGUF {
	t.Helper()
	g, err := weights.OpenGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}
