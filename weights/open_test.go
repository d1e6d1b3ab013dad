package weights_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/weights"
)

// TestOpenFolder: a folder's weights are looked for under the names that the field uses, in
// their order; a single GGUF file is taken too, also where the folder's name looks like a
// pattern.
func TestOpenFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [b] model")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	opens := func(want string) {
		t.Helper()
		s, err := weights.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if !slices.Equal(s.Names(), []string{want}) || !s.Has(want) || s.Has("other") {
			t.Errorf("opened %q, want %q", s.Names(), want)
		}
	}
	if _, err := weights.Open(dir); err == nil || !strings.Contains(err.Error(), "holds no weights: none of model.safetensors") {
		t.Errorf("an empty folder: %v", err)
	}
	one := func(name string) []weights.Named { return []weights.Named{{Name: name, Tensor: f32(1)}} }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(weights.WriteGGUF(filepath.Join(dir, "x.gguf"), nil, one("gguf")))
	opens("gguf")
	must(weights.WriteGGUF(filepath.Join(dir, "y.gguf"), nil, one("gguf")))
	if _, err := weights.Open(dir); err == nil || !strings.Contains(err.Error(), "nor a single .gguf") {
		t.Errorf("two GGUF files: %v", err)
	}
	torch := func(name string) []byte {
		return torchFile(t, pickle("}", pStr(name), pTensor("torch.FloatStorage", 1, 0, []int64{1}, []int64{1}), "s"), floats(1))
	}
	write(t, filepath.Join(dir, "model.pt"), torch("pt"))
	opens("pt")
	write(t, filepath.Join(dir, "pytorch_model-00001-of-00001.bin"), torch("sharded bin"))
	write(t, filepath.Join(dir, "pytorch_model.bin.index.json"), []byte(`{"weight_map":{"sharded bin":"pytorch_model-00001-of-00001.bin"}}`))
	opens("sharded bin")
	write(t, filepath.Join(dir, "pytorch_model.bin"), torch("bin"))
	opens("bin")
	must(weights.WriteSafetensors(filepath.Join(dir, "model-00001-of-00001.safetensors"), one("sharded"), nil))
	write(t, filepath.Join(dir, "model.safetensors.index.json"), []byte(`{"weight_map":{"sharded":"model-00001-of-00001.safetensors"}}`))
	opens("sharded")
	must(weights.WriteSafetensors(filepath.Join(dir, "model.safetensors"), one("whole"), nil))
	opens("whole")
}

// TestOpenOtherFiles: what stands in a model's place is called by its name.
func TestOpenOtherFiles(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
	for _, c := range []struct{ name, data, want string }{
		{"a pointer of Git LFS", pointer, "hint: git lfs pull"},
		{"a pointer that is too long", pointer + strings.Repeat(" ", 1024), "this is a text"},
		{"text without end", strings.Repeat("text ", 1024), "no safetensors file"},
		{"an empty file", "", "model.safetensors: the file is empty"},
		{"a web page", "\n <!DOCTYPE HTML>\n<title>Log in</title>", "this is a web page"},
		{"a web page of few words", "<html lang=en><body>404", "this is a web page"},
		{"an answer of S3", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"},
		{"an answer of Hugging Face", "Entry not found", `no weights: "Entry not found"`},
		{"an answer in JSON", `{"error":"Repository not found"}`, "Repository not found"},
		{"another pickle", "\x80\x02\x8a\x0axxxxxxxxxx.", "none of torch.save"},
		{"a cut file of torch.save", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M", "byte 17: pickle: the data ends"},
	} {
		_, err := openBytes(t, "model.safetensors", []byte(c.data))
		var fe *weights.FileError
		if !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := weights.OpenGGUF(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder as a GGUF file: %v", err)
	}
	if _, err := weights.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
}

// TestWhereDamageIs: an error says at which byte of the file the trouble is.
func TestWhereDamageIs(t *testing.T) {
	info := gInfo("a", []uint64{9}, 0, 0)
	for _, c := range []struct {
		name, file string
		data       []byte
		at         int64
	}{
		{"length of a header", "x.safetensors", []byte{1, 2, 3}, 3},
		{"JSON in a header", "x.safetensors", safetensorsFile(`{"a":x}`, nil), 8 + 5},
		{"a tensor's dtype", "x.safetensors", safetensorsFile(`{"a":{"dtype":"X"}}`, nil), 8 + 18},
		{"bytes after the last tensor", "x.safetensors", safetensorsFile(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, make([]byte, 3)), 8 + 53 + 1},
		{"a hole between tensors", "x.safetensors", safetensorsFile(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, make([]byte, 3)), 8 + 105 + 1},
		{"a version of GGUF", "x.gguf", []byte("GGUF\x09\x00\x00\x00"), 4},
		{"a count of GGUF", "x.gguf", ggufFile(1<<60, 0), 8},
		{"a second count of GGUF", "x.gguf", ggufFile(0, 1<<60), 16},
		{"a value's type", "x.gguf", ggufFile(0, 1, gKV("ab", 99, make([]byte, 99))), 24 + 8 + 2 + 4},
		{"a tensor beyond the end", "x.gguf", ggufFile(2, 0, gInfo("b", []uint64{1}, 0, 0), info, make([]byte, 10)), int64(24 + len(gInfo("b", []uint64{1}, 0, 0)))},
		{"the numbers of .npy", "x.npy", []byte(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "1234")), 10 + 57},
	} {
		_, err := openBytes(t, c.file, c.data)
		var fe *weights.FileError
		if !errors.As(err, &fe) || fe.Offset != c.at {
			t.Errorf("%s: %v, want byte %d", c.name, err, c.at)
		}
	}
	// Within a PyTorch archive it is the pickle's place that counts.
	data := torchFile(t, "\x80\x02]\xff.", nil)
	_, err := openBytes(t, "x.pt", data)
	var fe *weights.FileError
	if want := int64(strings.Index(string(data), "\x80\x02]\xff") + 3); !errors.As(err, &fe) || fe.Offset != want {
		t.Errorf("an unknown instruction: %v, want byte %d", err, want)
	}
}

// TestIndex: an index may be opened itself; its shards' metadata come together, and a shard is
// opened once.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	for name, ts := range map[string][]weights.Named{
		"a.safetensors": {{Name: "1", Tensor: f32(1)}, {Name: "3", Tensor: f32(3)}},
		"b.safetensors": {{Name: "2", Tensor: f32(2)}, {Name: "not in the index", Tensor: f32(4)}},
	} {
		if err := weights.WriteSafetensors(filepath.Join(dir, name), ts, map[string]string{name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	path := write(t, filepath.Join(dir, "some.json"), []byte(`{"metadata":{"total_size":12},"weight_map":{"1":"a.safetensors","3":"a.safetensors","2":"b.safetensors"}}`))
	s, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !slices.Equal(s.Names(), []string{"1", "2", "3"}) || len(s.Metadata()) != 2 {
		t.Errorf("names %q, metadata %v", s.Names(), s.Metadata())
	}
	for i, name := range s.Names() {
		x, err := s.Tensor(name)
		if err != nil || !slices.Equal(x.Data, f32(float32(i+1)).Data) {
			t.Errorf("%s is %v (%v)", name, x, err)
		}
	}
	if _, err := s.Tensor("4"); !errors.Is(err, weights.ErrNoTensor) || !strings.Contains(err.Error(), path) {
		t.Errorf("a tensor that is not there: %v", err)
	}
}
