package weights_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/tensor"
	"olmo/weights"
)

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// safetensorsFile puts a header before data.
func safetensorsFile(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func golden(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set; it names the folder of golden fixtures")
	}
	return filepath.Join(root, "reference", name)
}

func f32(v ...float32) tensor.Tensor { return tensor.FromFloat32([]int{len(v)}, v) }

func TestSafetensorsBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	bools, err := tensor.New(tensor.BOOL, []int{3}, []byte{1, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	err = weights.WriteSafetensors(path, []weights.Named{
		{Name: "b<", Tensor: f32(1)},
		{Name: "a", Tensor: bools},
	}, map[string]string{"z": "1", "format": "pt"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"format":"pt","z":"1"},"a":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]},"b<":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	header += strings.Repeat(" ", -len(header)&7)
	want := safetensorsFile(header, []byte{0, 0, 0x80, 0x3f, 1, 0, 1})
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWriteFailureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	boom := errors.New("boom")
	err := weights.WriteSafetensors(filepath.Join(dir, "x.safetensors"), []weights.Named{
		{Name: "a", Tensor: f32(1)},
		{Name: "b", Tensor: tensor.Tensor{DType: tensor.F32, Shape: []int{1}}, Load: func() ([]byte, error) { return nil, boom }},
	}, nil)
	if !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, ts := range map[string][]weights.Named{
		"two tensors are named a": {{Name: "a", Tensor: f32(1)}, {Name: "a", Tensor: f32(1)}},
		"no dtype Q8_0":           {{Name: "a", Tensor: tensor.Tensor{DType: tensor.Q8_0, Shape: []int{32}, Data: make([]byte, 34)}}},
		"takes 4 bytes, not 3":    {{Name: "a", Tensor: tensor.Tensor{DType: tensor.F32, Shape: []int{1}, Data: make([]byte, 3)}}},
		"__metadata__":            {{Name: "__metadata__", Tensor: f32(1)}},
	} {
		err := weights.WriteSafetensors(filepath.Join(t.TempDir(), "x"), ts, nil)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

// TestSafetensorsLayout: larger numbers come first, so that every tensor is aligned, among
// equals by name; the header's names are sorted, and their characters stay readable.
func TestSafetensorsLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	x8 := tensor.FromInt64([]int{1}, []int64{1})
	x1 := tensor.Tensor{DType: tensor.U8, Shape: []int{3}, Data: []byte{1, 2, 3}}
	err := weights.WriteSafetensors(path, []weights.Named{{Name: "a", Tensor: x1}, {Name: "d>", Tensor: f32(1)}, {Name: "c&", Tensor: f32(2)}, {Name: "b", Tensor: x8}, {Name: "e", Tensor: tensor.Tensor{DType: tensor.F32, Data: f32(9).Data}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := `{"a":{"dtype":"U8","shape":[3],"data_offsets":[20,23]},"b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"c&":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},` +
		`"d>":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},"e":{"dtype":"F32","shape":[],"data_offsets":[16,20]}}`
	header += strings.Repeat(" ", -len(header)&7)
	want := safetensorsFile(header, slices.Concat(x8.Data, f32(2).Data, f32(1).Data, f32(9).Data, x1.Data))
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// TestSafetensorsAccepts: what other programs write, and ours does not, is read all the same.
func TestSafetensorsAccepts(t *testing.T) {
	for _, c := range []struct {
		name, header string
		data         []byte
		names        []string
	}{
		{"nothing", "{}", nil, nil},
		{"null metadata", `{"__metadata__":null,"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, make([]byte, 1), []string{"a"}},
		{"no shape", `{"a":{"dtype":"U8","data_offsets":[0,1]}}`, make([]byte, 1), []string{"a"}},
		{"space around", "{}  \n\t\x00", nil, nil},
		{"another order of bytes", `{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, make([]byte, 2), []string{"a", "b"}},
		{"empty tensors at one place", `{"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"c":{"dtype":"F32","shape":[0,3],"data_offsets":[2,2]}}`, make([]byte, 2), []string{"a", "b", "c"}},
	} {
		s, err := openBytes(t, "x.safetensors", safetensorsFile(c.header, c.data))
		if err != nil || !slices.Equal(s.Names(), c.names) || s.Metadata() == nil {
			t.Errorf("%s: %v, want %q", c.name, err, c.names)
			continue
		}
		for _, n := range s.All() {
			if n.Shape == nil || len(n.Data) != cap(n.Data) {
				t.Errorf("%s: tensor %s has shape %v and reaches %d bytes beyond its own", c.name, n.Name, n.Shape, cap(n.Data)-len(n.Data))
			}
		}
	}
}

// TestShardSizes: a shard may be filled to its last byte; a tensor that is larger than a shard
// has one of its own.
func TestShardSizes(t *testing.T) {
	ts := []weights.Named{{Name: "a", Tensor: f32(1)}, {Name: "b", Tensor: f32(2)}, {Name: "c", Tensor: f32(3, 4, 5)}, {Name: "d", Tensor: f32(6)}}
	for max, want := range map[int64][][]string{
		8: {{"a", "b"}, {"c"}, {"d"}}, 7: {{"a"}, {"b"}, {"c"}, {"d"}}, 12: {{"a", "b"}, {"c"}, {"d"}}, 16: {{"a", "b"}, {"c", "d"}}, 20: {{"a", "b", "c"}, {"d"}}, 24: nil,
	} {
		dir := t.TempDir()
		files, err := weights.WriteShards(dir, ts, nil, max)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			if !slices.Equal(files, []string{"model.safetensors"}) {
				t.Errorf("of at most %d bytes: %q", max, files)
			}
			continue
		}
		for i, names := range want {
			s, err := weights.Open(filepath.Join(dir, files[i]))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Names(), names) {
				t.Errorf("of at most %d bytes: shard %d has %q, want %q", max, i, s.Names(), names)
			}
			s.Close()
		}
		if len(files) != len(want)+1 {
			t.Errorf("of at most %d bytes: files %q, want %d shards", max, files, len(want))
		}
	}
	index, err := os.ReadFile(filepath.Join(func() string {
		dir := t.TempDir()
		if _, err := weights.WriteShards(dir, []weights.Named{{Name: "a<", Tensor: f32(1)}, {Name: "b", Tensor: f32(2)}}, nil, 4); err != nil {
			t.Fatal(err)
		}
		return dir
	}(), "model.safetensors.index.json"))
	want := "{\n  \"metadata\": {\n    \"total_size\": 8\n  },\n  \"weight_map\": {\n    \"a<\": \"model-00001-of-00002.safetensors\",\n    \"b\": \"model-00002-of-00002.safetensors\"\n  }\n}\n"
	if err != nil || string(index) != want {
		t.Errorf("index %q (%v), want %q", index, err, want)
	}
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	ts := []weights.Named{{Name: "c", Tensor: f32(1, 2)}, {Name: "a", Tensor: f32(3)}, {Name: "b", Tensor: f32(4, 5, 6, 7)}}
	files, err := weights.WriteShards(dir, ts, map[string]string{"format": "pt"}, 12)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model.safetensors.index.json"}
	if !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
	s, err := weights.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !slices.Equal(s.Names(), []string{"a", "b", "c"}) || s.Metadata()["format"] != "pt" {
		t.Errorf("names %v, metadata %v", s.Names(), s.Metadata())
	}
	// The digest does not depend on how the tensors are spread over files.
	got, err := weights.Digest(s.All())
	if err != nil {
		t.Fatal(err)
	}
	want2, err := weights.Digest(ts)
	if err != nil || got != want2 {
		t.Errorf("digest %x, want %x (%v)", got, want2, err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "model.safetensors.index.json"))
	if err != nil || !strings.Contains(string(index), `"total_size": 28`) {
		t.Errorf("index %s, %v", index, err)
	}
	files, err = weights.WriteShards(t.TempDir(), ts, nil, 28)
	if err != nil || !slices.Equal(files, []string{"model.safetensors"}) {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestIndexRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := weights.WriteSafetensors(filepath.Join(dir, "a.safetensors"), []weights.Named{{Name: "a", Tensor: f32(1)}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ index, want string }{
		{`{"weight_map":{"a":"../a.safetensors"}}`, "no weights file of this folder"},
		{`{"weight_map":{"a":"/etc/passwd"}}`, "no weights file of this folder"},
		{`{"weight_map":{"a":"b.safetensors"}}`, "b.safetensors"},
		{`{"weight_map":{"b":"a.safetensors"}}`, "no such tensor"},
		{`{"weight_map":{}}`, "names no tensor"},
		{`{"weight_map":`, "the index of shards cannot be read: line 1, column 15: the file ends in the middle"},
		{`{"weight_map": {"a" "a.safetensors"}}`, "the index of shards cannot be read: line 1, column 21: found '\"' where ':' is expected"},
		{`{"weight_map": {"a": 1}}`, "the index of shards cannot be read: line 1: weight_map is a number, not a string"},
		{`{"metadata": {"total_size": NaN}, "weight_map": {"a": "b.safetensors"}}`, "b.safetensors"},
		{`<html>`, "this is a web page"},
		{``, "the file is empty"},
	} {
		path := write(t, filepath.Join(dir, "model.safetensors.index.json"), []byte(c.index))
		if s, err := weights.Open(path); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: got %v, %v, want %q", c.index, s, err, c.want)
		}
	}
}

func TestSafetensorsRefuses(t *testing.T) {
	long := strings.Repeat("[", 20000)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "the file is empty"},
		{"short", []byte{1, 2, 3}, "byte 3:"},
		{"long header", binary.LittleEndian.AppendUint64(nil, 1<<63), "byte 0: the header would be"},
		{"header beyond the file", safetensorsFile("{}", nil)[:9], "byte 0: the header would be 2 bytes long, but only 1 follow"},
		{"no object", safetensorsFile("[]", nil), "no JSON object"},
		{"cut JSON", safetensorsFile(`{"a":{"dtype":"F32"`, nil), "byte"},
		{"deep JSON", safetensorsFile(`{"a":`+long, nil), "byte"},
		{"after JSON", safetensorsFile(`{} {}`, nil), "follow the JSON object"},
		{"trailing comma", safetensorsFile(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},}`, make([]byte, 4)), "byte"},
		{"twice", safetensorsFile(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, make([]byte, 2)), "twice"},
		{"dtype", safetensorsFile(`{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), `dtype "f32"`},
		{"no dtype", safetensorsFile(`{"a":{"shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), `dtype ""`},
		{"one offset", safetensorsFile(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}`, make([]byte, 1)), "two numbers"},
		{"backwards", safetensorsFile(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, make([]byte, 1)), "lies at 1 to 0"},
		{"beyond the end", safetensorsFile(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, make([]byte, 3)), "lies at 0 to 4 of 3"},
		{"huge offset", safetensorsFile(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,18446744073709551615]}}`, make([]byte, 3)), "lies at"},
		{"size", safetensorsFile(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, make([]byte, 4)), "takes 8 bytes"},
		{"huge shape", safetensorsFile(`{"a":{"dtype":"F32","shape":[1152921504606846976,1152921504606846976],"data_offsets":[0,4]}}`, make([]byte, 4)), "more elements"},
		{"negative", safetensorsFile(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, make([]byte, 4)), "negative"},
		{"overlap", safetensorsFile(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, make([]byte, 3)), "overlaps"},
		{"hole", safetensorsFile(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, make([]byte, 3)), "unused"},
		{"rest", safetensorsFile(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, make([]byte, 3)), "2 bytes follow"},
		{"metadata", safetensorsFile(`{"__metadata__":{"a":1}}`, nil), "strings only"},
	} {
		path := write(t, filepath.Join(t.TempDir(), "model.safetensors"), c.data)
		_, err := weights.Open(path)
		var fe *weights.FileError
		if !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) || fe.Path != path {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestOpenReference(t *testing.T) {
	for _, c := range []struct {
		dir     string
		tensors int
		dtype   tensor.DType
	}{
		{"inference/olmo2_gqa_sharded", 0, tensor.F32},
		{"inference/olmo2_bf16", 0, tensor.BF16},
	} {
		s, err := weights.Open(golden(t, c.dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range s.All() {
			if n.DType != c.dtype {
				t.Errorf("%s: %s has dtype %v", c.dir, n.Name, n.DType)
			}
		}
		if len(s.Names()) < 10 {
			t.Errorf("%s: %d tensors", c.dir, len(s.Names()))
		}
		if _, err := s.Tensor("nope"); !errors.Is(err, weights.ErrNoTensor) {
			t.Errorf("Tensor(nope): %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What we write of what the safetensors library wrote is the same bytes, its
// order of keys aside.
func TestRewriteReference(t *testing.T) {
	from := golden(t, "inference/olmo1_tied/model.safetensors")
	s, err := weights.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	to := filepath.Join(t.TempDir(), "model.safetensors")
	if err := weights.WriteSafetensors(to, s.All(), s.Metadata()); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	n := 8 + int(binary.LittleEndian.Uint64(want))
	if len(got) != len(want) || !bytes.Equal(got[n:], want[n:]) {
		t.Errorf("%d bytes written, %d read, or other data", len(got), len(want))
	}
}

func TestDigest(t *testing.T) {
	// Made with Python: the text of DESIGN, spelled out with struct and hashlib.
	got, err := weights.Digest([]weights.Named{
		{Name: "b", Tensor: tensor.FromFloat32([]int{1, 2}, []float32{1, 2})},
		{Name: "a", Tensor: tensor.FromInt64(nil, []int64{7})},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "d1620e4dbdf4f8eff1891f2ec0362075bbdc55bd3b268ec90641ac4be7e51dfe"
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("digest %x, want %s", got, want)
	}
}

// TestForget: what was read of a file may be given back at any time, and the digest, which
// does so after each tensor, is that of all tensors at once.
func TestForget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	v := make([]float32, 5000)
	for i := range v {
		v[i] = float32(i)
	}
	if err := weights.WriteSafetensors(path, []weights.Named{{Name: "b", Tensor: f32(v...)}, {Name: "a", Tensor: f32(3)}}, nil); err != nil {
		t.Fatal(err)
	}
	s, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := s.Tensor("b")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := b.Float32s(); err != nil || !slices.Equal(got, v) {
			t.Errorf("tensor b has other numbers (%v)", err)
		}
		s.Forget()
	}
	want, err := weights.Digest(s.All())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Digest(); err != nil || got != want {
		t.Errorf("the set's digest is %x (%v), that of its tensors %x", got, err, want)
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(safetensorsFile(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"x":"y"}}`, make([]byte, 4)))
	f.Add(safetensorsFile(`{"a":{"dtype":"BF16","shape":[2,0],"data_offsets":[0,0]},"b":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}`, make([]byte, 8)))
	path := filepath.Join(f.TempDir(), "model.safetensors")
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := weights.Open(write(t, path, data))
		if err != nil {
			var fe *weights.FileError
			if !errors.As(err, &fe) {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		defer s.Close()
		for _, name := range s.Names() {
			if _, err := s.Tensor(name); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := weights.Digest(s.All()); err != nil {
			t.Fatal(err)
		}
	})
}

func ExampleWriteSafetensors() {
	dir, err := os.MkdirTemp("", "olmo")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	err = weights.WriteSafetensors(path, []weights.Named{
		{Name: "norm.weight", Tensor: tensor.FromFloat32([]int{3}, []float32{1, 2, 3})},
	}, map[string]string{"format": "pt"})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := weights.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for _, name := range s.Names() {
		t, err := s.Tensor(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		v, err := t.Float32s()
		fmt.Println(name, t.DType, t.Shape, v, err)
	}
	// Output: norm.weight F32 [3] [1 2 3] <nil>
}
