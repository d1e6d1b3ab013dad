package weights_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/tensor"
	"olmo/weights"
)

// A pickle is written here instruction by instruction, as torch.save does.

func pickle(ops ...string) string { return "\x80\x02" + strings.Join(ops, "") + "." }

func pStr(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func pInt(n int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func pTuple(ns ...int64) string {
	s := "("
	for _, n := range ns {
		s += pInt(n)
	}
	return s + "t"
}

// pTensor is a tensor on storage "0" of class with numel elements.
func pTensor(class string, numel, offset int64, shape, stride []int64) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n(" + pStorage(class, numel) + pInt(offset) +
		pTuple(shape...) + pTuple(stride...) + "\x89ccollections\nOrderedDict\n)RtR"
}

func pStorage(class string, numel int64) string {
	dot := strings.LastIndexByte(class, '.')
	return "(" + pStr("storage") + "c" + class[:dot] + "\n" + class[dot+1:] + "\n" + pStr("0") + pStr("cpu") + pInt(numel) + "tQ"
}

// pDict is {"x": value}.
func pDict(value string) string { return pickle("}", pStr("x"), value, "s") }

// torchFile is an archive as torch.save writes it, with one storage.
func torchFile(t testing.TB, pkl string, storage []byte) []byte {
	return zipFile(t, zip.Store, [][2]string{
		{"model/data.pkl", pkl},
		{"model/byteorder", "little"},
		{"model/data/0", string(storage)},
		{"model/version", "3\n"},
	})
}

func zipFile(t testing.TB, method uint16, files [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f[0], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func floats(v ...float32) []byte { return f32(v...).Data }

func openBytes(t testing.TB, name string, data []byte) (*weights.Set, error) {
	t.Helper()
	s, err := weights.Open(write(t, filepath.Join(t.TempDir(), name), data))
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func TestTorchTensors(t *testing.T) {
	six := floats(0, 1, 2, 3, 4, 5)
	for _, c := range []struct {
		name, pkl string
		storage   []byte
		shape     []int
		want      string
	}{
		{"row-major", pDict(pTensor("torch.FloatStorage", 6, 0, []int64{2, 3}, []int64{3, 1})), six, []int{2, 3}, "[0 1 2 3 4 5]"},
		{"transposed", pDict(pTensor("torch.FloatStorage", 6, 0, []int64{3, 2}, []int64{1, 3})), six, []int{3, 2}, "[0 3 1 4 2 5]"},
		{"view", pDict(pTensor("torch.FloatStorage", 6, 1, []int64{2, 2}, []int64{3, 1})), six, []int{2, 2}, "[1 2 4 5]"},
		{"offset", pDict(pTensor("torch.FloatStorage", 6, 4, []int64{2}, []int64{1})), six, []int{2}, "[4 5]"},
		{"stride of one element", pDict(pTensor("torch.FloatStorage", 6, 5, []int64{1, 1}, []int64{99, 99})), six, []int{1, 1}, "[5]"},
		{"scalar", pDict(pTensor("torch.FloatStorage", 6, 2, nil, nil)), six, []int{}, "[2]"},
		{"empty", pDict(pTensor("torch.FloatStorage", 0, 0, []int64{0, 4}, []int64{4, 1})), nil, []int{0, 4}, "[]"},
		{"parameter", pDict("ctorch._utils\n_rebuild_parameter\n(" + pTensor("torch.FloatStorage", 6, 0, []int64{1}, []int64{1}) + "\x88ccollections\nOrderedDict\n)RtR"), six, []int{1}, "[0]"},
		{"bfloat16", pDict(pTensor("torch.BFloat16Storage", 2, 0, []int64{2}, []int64{1})), []byte{0x80, 0x3f, 0, 0x40}, []int{2}, "[1 2]"},
		{
			"untyped", pDict("ctorch._utils\n_rebuild_tensor_v3\n(" + pStorage("torch.storage.UntypedStorage", 4) + pInt(1) + pTuple(1) + pTuple(1) +
				"\x89ccollections\nOrderedDict\n)Rctorch\nuint16\n}tR"), []byte{1, 0, 2, 0}, []int{1}, "[2]",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := openBytes(t, "model.pt", torchFile(t, c.pkl, c.storage))
			if err != nil {
				t.Fatal(err)
			}
			x, err := s.Tensor("x")
			if err != nil {
				t.Fatal(err)
			}
			v, err := x.Float32s()
			if err != nil || fmt.Sprint(v) != c.want || !slices.Equal(x.Shape, c.shape) {
				t.Errorf("got %v of shape %v (%v), want %s of %v", v, x.Shape, err, c.want, c.shape)
			}
		})
	}
}

func TestTorchRefuses(t *testing.T) {
	six := floats(0, 1, 2, 3, 4, 5)
	ten := func(offset int64, shape, stride []int64) string {
		return pDict(pTensor("torch.FloatStorage", 6, offset, shape, stride))
	}
	laughs := "]q\x00" // each list holds the one before it ten times
	for i := range 40 {
		laughs += "]q" + string([]byte{byte(i + 1)}) + "(" + strings.Repeat("h"+string([]byte{byte(i)}), 10) + "e"
	}
	good := torchFile(t, ten(0, []int64{6}, []int64{1}), six)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"outside", torchFile(t, ten(1, []int64{6}, []int64{1}), six), "outside its storage"},
		{"negative offset", torchFile(t, ten(-1, []int64{1}, []int64{1}), six), "outside its storage"},
		{"negative stride", torchFile(t, ten(5, []int64{6}, []int64{-1}), six), "no size or stride"},
		{"negative size", torchFile(t, ten(0, []int64{-6}, []int64{1}), six), "no size or stride"},
		{"huge shape", torchFile(t, ten(0, []int64{1 << 60, 1 << 60}, []int64{0, 0}), six), "more elements"},
		{"huge view", torchFile(t, ten(0, []int64{1 << 60}, []int64{0}), six), "several times"},
		{"huge stride", torchFile(t, ten(0, []int64{3, 3}, []int64{1 << 62, 1 << 62}), six), "outside its storage"},
		{"expanded", torchFile(t, ten(0, []int64{4, 6}, []int64{0, 1}), six), "several times"},
		{"dimensions", torchFile(t, ten(0, []int64{6}, []int64{1, 1}), six), "dimensions"},
		{"storage size", torchFile(t, ten(0, []int64{6}, []int64{1}), six[:20]), "20 bytes for 6 elements"},
		{"storage class", torchFile(t, pDict(pTensor("torch.QInt8Storage", 6, 0, nil, nil)), six[:6]), "not supported"},
		{"no storage", torchFile(t, strings.ReplaceAll(ten(0, nil, nil), pStr("0"), pStr("1")), six), "not in the archive"},
		{"cycle", torchFile(t, pickle("]q\x00h\x00a"), nil), "contains itself"},
		{"cyclic dict", torchFile(t, pickle("}q\x00", pStr("x"), "h\x00s"), nil), "contains itself"},
		{"protocol", torchFile(t, "\x80\x06N.", nil), "protocol 6 is not known"},
		{"a list of pairs", torchFile(t, pickle("}(", pStr("a"), "u"), nil), "a key without a value"},
		{"appended to text", torchFile(t, pickle(pStr("a"), "Na"), nil), "cannot append to string"},
		{"an item of text", torchFile(t, pickle(pStr("a"), "NNs"), nil), "cannot set an item of string"},
		{"a global of no name", torchFile(t, pickle("NN\x93"), nil), "the name of a global is no string"},
		{"another persistent id", torchFile(t, pickle(pStr("x"), "Q"), nil), "no storage of torch.save"},
		{"text that is no number", torchFile(t, pickle("Lx\n"), nil), "is no integer"},
		{"a number of many digits", torchFile(t, pickle("L"+strings.Repeat("1", 1001)+"\n"), nil), "an integer of 1001 digits"},
		{"shape of text", torchFile(t, pDict("ctorch._utils\n_rebuild_tensor_v2\n("+pStorage("torch.FloatStorage", 6)+pInt(0)+pStr("x")+pTuple(1)+"\x89ccollections\nOrderedDict\n)RtR"), six), "are no tuple"},
		{"offset of text", torchFile(t, pDict("ctorch._utils\n_rebuild_tensor_v2\n("+pStorage("torch.FloatStorage", 6)+pStr("x")+pTuple(1)+pTuple(1)+"\x89ccollections\nOrderedDict\n)RtR"), six), "the offset is no integer"},
		{"few arguments", torchFile(t, pDict("ctorch._utils\n_rebuild_tensor_v2\n("+pStorage("torch.FloatStorage", 6)+pInt(0)+pTuple(1)+"tR"), six), "with 3 arguments"},
		{"no storage but text", torchFile(t, pDict("ctorch._utils\n_rebuild_tensor_v2\n("+pStr("x")+pInt(0)+pTuple(1)+pTuple(1)+"tR"), six), "without a storage"},
		{"one storage as two", torchFile(t, pickle("}(", pStr("a"), pTensor("torch.FloatStorage", 6, 0, []int64{1}, []int64{1}), pStr("b"), pTensor("torch.IntStorage", 6, 0, []int64{1}, []int64{1}), "u"), six), "is used as torch.FloatStorage and as torch.IntStorage"},
		{"laughs", torchFile(t, pickle(laughs), nil), "too many values"},
		{"truncated pickle", torchFile(t, "\x80\x02}", nil), "ends within"},
		{"empty stack", torchFile(t, "\x80\x02.", nil), "operands"},
		{"mark", torchFile(t, "\x80\x02(.", nil), "operands"},
		{"long string", torchFile(t, "\x80\x02X\xff\xff\xff\xffabc.", nil), "ends within"},
		{"long bytes", torchFile(t, "\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc.", nil), "ends within"},
		{"memo", torchFile(t, "\x80\x02h\x07.", nil), "remembered"},
		{"unknown instruction", torchFile(t, "\x80\x02\xff.", nil), "not supported"},
		{"no data.pkl", zipFile(t, zip.Store, [][2]string{{"x", "y"}}), "without data.pkl"},
		{"two data.pkl", zipFile(t, zip.Store, [][2]string{{"a/data.pkl", "N."}, {"b/data.pkl", "N."}}), "more than one"},
		{"twice", zipFile(t, zip.Store, [][2]string{{"a/data.pkl", "N."}, {"a/data.pkl", "N."}}), "twice"},
		{"compressed", zipFile(t, zip.Deflate, [][2]string{{"a/data.pkl", "N."}}), "compressed"},
		{"big-endian", zipFile(t, zip.Store, [][2]string{{"a/data.pkl", "N."}, {"a/byteorder", "big"}}), "byte order"},
		{"truncated", good[:len(good)-30], "not a complete zip archive"},
		{"the magic number alone", []byte("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), "ends within"},
		{"another version before 1.6", []byte("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe8\x03."), "version 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(t, "model.pt", c.data)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "model.pt") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestTorchNames: tensors are named by the keys that lead to them, joined with dots, through
// dicts, lists and tuples; keys that are neither text nor numbers, and values that are no
// tensors, are left out.
func TestTorchNames(t *testing.T) {
	one := pTensor("torch.FloatStorage", 1, 0, []int64{1}, []int64{1})
	pkl := pickle("}(",
		pStr("state"), "}(", pInt(0), "}(", pStr("exp_avg"), one, pStr("step"), pInt(3), "u", pInt(10), one, "u",
		pStr("list"), "](", one, "(", one, one, "te",
		"\x88", one, // a key of True
		pStr("text"), pStr("no tensor"),
		"u")
	s, err := openBytes(t, "model.pt", torchFile(t, pkl, floats(7)))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"list.0", "list.1.0", "list.1.1", "state.0.exp_avg", "state.10"}; !slices.Equal(s.Names(), want) {
		t.Errorf("names %q, want %q", s.Names(), want)
	}
	// Two ways that give one name are refused.
	pkl = pickle("}(", pStr("a"), "}", pStr("b"), one, "s", pStr("a.b"), one, "u")
	if _, err := openBytes(t, "model.pt", torchFile(t, pkl, floats(7))); err == nil || !strings.Contains(err.Error(), `two tensors are named "a.b"`) {
		t.Errorf("one name twice: %v", err)
	}
	// A key that is given again has the last value, in its first place.
	tree, err := weights.OpenTree(write(t, filepath.Join(t.TempDir(), "x.pt"), torchFile(t, pickle("}(", pStr("a"), pInt(1), pStr("b"), pInt(2), pStr("a"), pInt(3), "u"), nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if d := tree.Root.(*weights.Dict); !reflect.DeepEqual(d.Items, []weights.Item{{Key: "a", Value: int64(3)}, {Key: "b", Value: int64(2)}}) {
		t.Errorf("items %v", d.Items)
	}
}

// TestTorchDepth: containers may nest 64 deep, and not deeper.
func TestTorchDepth(t *testing.T) {
	nested := func(n int) string {
		return pickle(strings.Repeat("]", n), pTensor("torch.FloatStorage", 1, 0, []int64{1}, []int64{1}), strings.Repeat("a", n))
	}
	if s, err := openBytes(t, "model.pt", torchFile(t, nested(64), floats(7))); err != nil || len(s.Names()) != 1 {
		t.Errorf("64 deep: %v", err)
	}
	if _, err := openBytes(t, "model.pt", torchFile(t, nested(65), floats(7))); err == nil || !strings.Contains(err.Error(), "nests deeper than 64 levels") {
		t.Errorf("65 deep: %v", err)
	}
}

// TestTorchTypes: torch's typed storages, and the dtypes that tensors on untyped ones name.
func TestTorchTypes(t *testing.T) {
	for class, d := range map[string]tensor.DType{
		"Double": tensor.F64, "Float": tensor.F32, "Half": tensor.F16, "BFloat16": tensor.BF16, "Long": tensor.I64, "Int": tensor.I32,
		"Short": tensor.I16, "Char": tensor.I8, "Byte": tensor.U8, "Bool": tensor.BOOL,
	} {
		data := bytes.Repeat([]byte{1, 0}, d.Size())
		s, err := openBytes(t, "model.pt", torchFile(t, pDict(pTensor("torch."+class+"Storage", 2, 0, []int64{2}, []int64{1})), data))
		if err != nil {
			t.Fatal(err)
		}
		if x, err := s.Tensor("x"); err != nil || x.DType != d || !bytes.Equal(x.Data, data) {
			t.Errorf("%sStorage is %v %v (%v), want %v", class, x.DType, x.Data, err, d)
		}
	}
	untyped := func(numel int64, name string) string {
		return pDict("ctorch._utils\n_rebuild_tensor_v3\n(" + pStorage("torch.storage.UntypedStorage", numel) + pInt(0) + pTuple(2) + pTuple(1) +
			"\x89ccollections\nOrderedDict\n)Rctorch\n" + name + "\n}tR")
	}
	for name, d := range map[string]tensor.DType{
		"float64": tensor.F64, "float32": tensor.F32, "float16": tensor.F16, "bfloat16": tensor.BF16, "float8_e4m3fn": tensor.F8_E4M3, "float8_e5m2": tensor.F8_E5M2,
		"int64": tensor.I64, "int32": tensor.I32, "int16": tensor.I16, "int8": tensor.I8, "uint64": tensor.U64, "uint32": tensor.U32, "uint16": tensor.U16, "uint8": tensor.U8, "bool": tensor.BOOL,
	} {
		data := bytes.Repeat([]byte{1, 0}, d.Size())
		s, err := openBytes(t, "model.pt", torchFile(t, untyped(int64(len(data)), name), data))
		if err != nil {
			t.Fatal(err)
		}
		if x, err := s.Tensor("x"); err != nil || x.DType != d || !bytes.Equal(x.Data, data) {
			t.Errorf("torch.%s is %v %v (%v), want %v", name, x.DType, x.Data, err, d)
		}
	}
	for _, c := range []struct{ pkl, want string }{
		{untyped(7, "float32"), "no whole number of F32"},
		{untyped(8, "complex64"), "dtype torch.complex64 is not supported"},
		{pDict(pTensor("torch.storage.UntypedStorage", 7, 0, []int64{7}, []int64{1})), "on a storage without dtype"},
	} {
		if _, err := openBytes(t, "model.pt", torchFile(t, c.pkl, make([]byte, 7))); err == nil || !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "bytes for") {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// A flipped bit in a storage is found when its tensor is asked for.
func TestTorchDamaged(t *testing.T) {
	data := torchFile(t, pDict(pTensor("torch.FloatStorage", 2, 0, []int64{2}, []int64{1})), floats(3.5, 4.5))
	data[bytes.Index(data, floats(3.5, 4.5))] ^= 1
	s, err := openBytes(t, "model.pt", data)
	if err != nil {
		t.Fatal(err)
	}
	var fe *weights.FileError
	if _, err := s.Tensor("x"); !errors.As(err, &fe) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v", err)
	}
}

// A pickle that would call a function yields an inert object.
func TestPickleRunsNothing(t *testing.T) {
	pkl := pickle("}", pStr("x"), "cposix\nsystem\n(", pStr("touch /tmp/owned"), "tR", "s")
	path := write(t, filepath.Join(t.TempDir(), "model.pt"), torchFile(t, pkl, nil))
	tree, err := weights.OpenTree(path)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	v, _ := tree.Root.(*weights.Dict).Get("x")
	if o, ok := v.(*weights.Opaque); !ok || o.Class != "posix.system" {
		t.Errorf("got %#v", v)
	}
}

// The same values in every protocol of Python 3.11's pickle.
func TestPickleProtocols(t *testing.T) {
	// pickle.dumps([{"lr": 0.1, "betas": (0.9, 0.95), "name": "g", "big": 2**70, "neg": -5, "none": None, "ok": True, "list": [1, 300, 70000]}], N)
	for proto, dump := range pickleDumps {
		pkl, err := hex.DecodeString(dump)
		if err != nil {
			t.Fatal(err)
		}
		path := write(t, filepath.Join(t.TempDir(), "x.pt"), torchFile(t, string(pkl), nil))
		tree, err := weights.OpenTree(path)
		if err != nil {
			t.Fatalf("protocol %d: %v", proto, err)
		}
		d := tree.Root.(*weights.List).Items[0].(*weights.Dict)
		want := []weights.Item{
			{Key: "lr", Value: 0.1},
			{Key: "betas", Value: weights.Tuple{0.9, 0.95}},
			{Key: "name", Value: "g"},
			{Key: "big", Value: new(big.Int).Lsh(big.NewInt(1), 70)},
			{Key: "neg", Value: int64(-5)},
			{Key: "none", Value: nil},
			{Key: "ok", Value: true},
			{Key: "list", Value: &weights.List{Items: []any{int64(1), int64(300), int64(70000)}}},
		}
		if !reflect.DeepEqual(d.Items, want) {
			t.Errorf("protocol %d: got %v, want %v", proto, d.Items, want)
		}
		tree.Close()
	}
}

// TestPickleOpcodes reads single values in the forms that older Pythons and other
// programs write.
func TestPickleOpcodes(t *testing.T) {
	for _, c := range []struct {
		name, pickle string
		want         any
	}{
		{"SHORT_BINSTRING", "U\x02ab", "ab"},
		{"BINSTRING", "T\x02\x00\x00\x00ab", "ab"},
		{"BINUNICODE", "X\x03\x00\x00\x00a\xc3\xa9", "a\u00e9"},
		{"SHORT_BINUNICODE", "\x8c\x01z", "z"},
		{"BINUNICODE8", "\x8d\x01\x00\x00\x00\x00\x00\x00\x00z", "z"},
		{"SHORT_BINBYTES", "C\x02ab", []byte("ab")},
		{"BINBYTES", "B\x02\x00\x00\x00ab", []byte("ab")},
		{"BINBYTES8", "\x8e\x02\x00\x00\x00\x00\x00\x00\x00ab", []byte("ab")},
		{"STRING", "S'ab'\n", "ab"},
		{"UNICODE", "Vab\n", "ab"},
		{"INT", "I-12\n", int64(-12)},
		{"INT as a truth", "I01\n", true},
		{"LONG", "L12L\n", int64(12)},
		{"FLOAT", "F0.5\n", 0.5},
		{"BINFLOAT", "G\x3f\xe0\x00\x00\x00\x00\x00\x00", 0.5},
		{"BININT1", "K\xff", int64(255)},
		{"BININT2", "M\xff\xff", int64(65535)},
		{"BININT", "J\xfe\xff\xff\xff", int64(-2)},
		{"LONG1 of no bytes", "\x8a\x00", int64(0)},
		{"LONG1, largest of one byte", "\x8a\x01\x7f", int64(127)},
		{"LONG1 above it", "\x8a\x02\x80\x00", int64(128)},
		{"LONG1, least of one byte", "\x8a\x01\x80", int64(-128)},
		{"LONG1 below it", "\x8a\x02\x7f\xff", int64(-129)},
		{"LONG4", "\x8b\x02\x00\x00\x00\x00\x01", int64(256)},
		{"TUPLE", "(K\x01K\x02t", weights.Tuple{int64(1), int64(2)}},
		{"TUPLE3", "K\x01K\x02K\x03\x87", weights.Tuple{int64(1), int64(2), int64(3)}},
		{"LIST", "(K\x01K\x02l", &weights.List{Items: []any{int64(1), int64(2)}}},
		{"APPEND", "]K\x01a", &weights.List{Items: []any{int64(1)}}},
		{"POP", "K\x01K\x020", int64(1)},
		{"POP of a mark", "K\x01(0", int64(1)},
		{"POP_MARK", "K\x01(K\x02K\x031", int64(1)},
		{"TUPLE1", "K\x01\x85", weights.Tuple{int64(1)}},
		{"DICT", "(K\x01K\x02d", &weights.Dict{Items: []weights.Item{{Key: int64(1), Value: int64(2)}}}},
		{"EMPTY_SET and ADDITEMS", "\x8f(K\x01K\x02\x90", &weights.List{Items: []any{int64(1), int64(2)}}},
		{"FROZENSET", "(K\x01\x91", &weights.List{Items: []any{int64(1)}}},
		{"PUT and GET", "K\x05p7\n0g7\n", int64(5)},
		{"BINPUT and BINGET", "K\x05q\x070h\x07", int64(5)},
		{"LONG_BINPUT and LONG_BINGET", "K\x05r\x07\x00\x00\x000j\x07\x00\x00\x00", int64(5)},
		{"MEMOIZE", "K\x05\x94K\x06\x9400h\x01", int64(6)},
		{"OBJ", "(cm\nC\nK\x01o", &weights.Opaque{Class: "m.C"}},
		{"INST", "(K\x01im\nC\n", &weights.Opaque{Class: "m.C"}},
		{"NEWOBJ", "cm\nC\n)\x81", &weights.Opaque{Class: "m.C"}},
		{"NEWOBJ_EX", "cm\nC\n)}\x92", &weights.Opaque{Class: "m.C"}},
		{"BUILD", "cm\nC\n)\x81}b", &weights.Opaque{Class: "m.C"}},
		{"STACK_GLOBAL", "\x8c\x01m\x8c\x01C\x93)R", &weights.Opaque{Class: "m.C"}},
		{"items of an object", "cm\nC\n)\x81K\x01aK\x01K\x02s", &weights.Opaque{Class: "m.C"}},
		{"a call of no class", "K\x01)R", &weights.Opaque{Class: "unknown"}},
		{"OrderedDict", "ccollections\nOrderedDict\n)R", &weights.Dict{}},
		{"defaultdict", "ccollections\ndefaultdict\n)R", &weights.Dict{}},
		{"torch.Size", "ctorch\nSize\nK\x01K\x02\x86\x85R", weights.Tuple{int64(1), int64(2)}},
		{"a parameter of nothing", "ctorch.nn.parameter\nParameter\n)R", &weights.Opaque{Class: "torch.nn.parameter.Parameter"}},
		{"INT as false", "I00\n", false},
		{"BININT, the largest", "J\xff\xff\xff\x7f", int64(1<<31 - 1)},
		{"BYTEARRAY8", "\x96\x02\x00\x00\x00\x00\x00\x00\x00ab", []byte("ab")},
		{"FRAME", "\x95\x02\x00\x00\x00\x00\x00\x00\x00K\x01", int64(1)},
		{"a mark below", "K\x01(K\x02\x85t\x86", weights.Tuple{int64(1), weights.Tuple{weights.Tuple{int64(2)}}}},
		{"DUP", "K\x012\x86", weights.Tuple{int64(1), int64(1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), "x.pt"), torchFile(t, "\x80\x04"+c.pickle+".", nil))
			tree, err := weights.OpenTree(path)
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			got := tree.Root
			if d, ok := got.(*weights.Dict); ok {
				got = &weights.Dict{Items: d.Items}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

// The package's own checkpoint, read to the last value.
func TestReferenceCheckpoint(t *testing.T) {
	dir := golden(t, "train/olmo1/step25-unsharded")
	train, err := weights.OpenTree(filepath.Join(dir, "train.pt"))
	if err != nil {
		t.Fatal(err)
	}
	defer train.Close()
	root := train.Root.(*weights.Dict)
	for key, want := range map[string]any{
		"epoch": int64(1), "global_step": int64(25), "global_train_examples_seen_this_epoch": int64(72),
		"global_train_tokens_seen": int64(12800), "world_size": int64(1),
	} {
		if got, _ := root.Get(key); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	v, _ := root.Get("unsharded_checkpoints")
	if o, ok := v.(*weights.List).Items[0].(*weights.Opaque); !ok || o.Class != "pathlib.PosixPath" {
		t.Errorf("unsharded_checkpoints holds %#v", v)
	}

	optim, err := weights.OpenTree(filepath.Join(dir, "optim.pt"))
	if err != nil {
		t.Fatal(err)
	}
	defer optim.Close()
	v, _ = optim.Root.(*weights.Dict).Get("param_groups")
	group := v.(*weights.List).Items[0].(*weights.Dict)
	if lr, _ := group.Get("eps"); lr != 1e-5 {
		t.Errorf("eps is %v", lr)
	}
	ts, err := optim.Tensors()
	if err != nil || len(ts) != 30 || ts[1].Name != "state.0.exp_avg" || !slices.Equal(ts[1].Shape, []int{192, 64}) {
		t.Errorf("%d tensors, the second %s %v (%v)", len(ts), ts[1].Name, ts[1].Shape, err)
	}

	// One model, in both of the package's formats.
	var digests [][32]byte
	for _, file := range []string{"model.pt", "model.safetensors"} {
		s, err := weights.Open(golden(t, "inference/ai2_olmo1/"+file))
		if err != nil {
			t.Fatal(err)
		}
		d, err := weights.Digest(s.All())
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d)
		s.Close()
	}
	if digests[0] != digests[1] {
		t.Errorf("model.pt and model.safetensors differ: %x", digests)
	}
}

// The names that the ai2-olmo package's encode_key gives, by pickle protocol.
var ai2Names = [][3]string{
	{"gASVHwAAAAAAAACMFnRyYW5zZm9ybWVyLnd0ZS53ZWlnaHSUhZSJhpQu", "gASVGgAAAAAAAACMBXN0YXRllEsAjAdleHBfYXZnlIeUiYaULg==", "gASVFQAAAAAAAACMDHBhcmFtX2dyb3Vwc5SFlIiGlC4="},
	{"gAWVHwAAAAAAAACMFnRyYW5zZm9ybWVyLnd0ZS53ZWlnaHSUhZSJhpQu", "gAWVGgAAAAAAAACMBXN0YXRllEsAjAdleHBfYXZnlIeUiYaULg==", "gAWVFQAAAAAAAACMDHBhcmFtX2dyb3Vwc5SFlIiGlC4="},
}

func TestAI2Names(t *testing.T) {
	pkl, err := hex.DecodeString(pickleDumps[4])
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range ai2Names {
		path := filepath.Join(t.TempDir(), "optim.safetensors")
		pickled, err := tensor.New(tensor.U8, []int{len(pkl)}, pkl)
		if err != nil {
			t.Fatal(err)
		}
		err = weights.WriteSafetensors(path, []weights.Named{
			{Name: names[0], Tensor: f32(1)}, {Name: names[1], Tensor: f32(2)}, {Name: names[2], Tensor: pickled},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := weights.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if want := []string{"state.0.exp_avg", "transformer.wte.weight"}; !slices.Equal(s.Names(), want) {
			t.Errorf("names %v, want %v", s.Names(), want)
		}
		tree, err := weights.OpenTree(path)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		root := tree.Root.(*weights.Dict)
		groups, _ := root.Get("param_groups")
		if lr, _ := groups.(*weights.List).Items[0].(*weights.Dict).Get("lr"); lr != 0.1 {
			t.Errorf("lr is %v", lr)
		}
		state, _ := root.Get("state")
		zero, _ := state.(*weights.Dict).Get(int64(0))
		avg, _ := zero.(*weights.Dict).Get("exp_avg")
		if x, err := avg.(weights.Named).Value(); err != nil || !slices.Equal(x.Data, f32(2).Data) {
			t.Errorf("state[0][exp_avg] is %v (%v)", x, err)
		}
		if v, ok := root.Get(weights.Tuple{"state"}); ok {
			t.Errorf("a tuple found %v", v)
		}
	}
}

// FuzzPickle puts every pickle into an archive whose checksums are right.
func FuzzPickle(f *testing.F) {
	for _, dump := range pickleDumps {
		b, err := hex.DecodeString(dump)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, floats(1, 2))
	}
	f.Add([]byte(pDict(pTensor("torch.FloatStorage", 6, 0, []int64{3, 2}, []int64{1, 3}))), floats(0, 1, 2, 3, 4, 5))
	f.Add([]byte(pickle("}", "cposix\nsystem\n", pStr("x"), "\x85R", "s")), []byte{})
	path := filepath.Join(f.TempDir(), "model.pt")
	f.Fuzz(func(t *testing.T, pkl, storage []byte) {
		write(t, path, torchFile(t, string(pkl), storage))
		tree, err := weights.OpenTree(path)
		if err != nil {
			return
		}
		defer tree.Close()
		ts, err := tree.Tensors()
		if err != nil {
			return
		}
		for _, n := range ts {
			if _, err := n.Value(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzTorchFile(f *testing.F) {
	f.Add(torchFile(f, pDict(pTensor("torch.FloatStorage", 2, 0, []int64{2}, []int64{1})), floats(1, 2)))
	path := filepath.Join(f.TempDir(), "model.pt")
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := weights.Open(write(t, path, data))
		if err != nil {
			return
		}
		defer s.Close()
		for _, n := range s.All() {
			_, _ = n.Value() // a CRC-32 may be wrong
		}
	})
}

// pickleDumps are, by protocol, what TestPickleProtocols says.
var pickleDumps = []string{
	"286c70300a286470310a566c720a70320a46302e310a735662657461730a70330a2846302e390a46302e39350a7470340a73566e616d650a70350a56670a70360a73566269670a70370a4c313138303539313632303731373431313330333432344c0a73566e65670a70380a492d350a73566e6f6e650a70390a4e73566f6b0a7031300a4930310a73566c6973740a7031310a286c7031320a49310a61493330300a614937303030300a6173612e",
	"5d71007d71012858020000006c727102473fb999999999999a58050000006265746173710328473feccccccccccccd473fee66666666666674710458040000006e616d6571055801000000677106580300000062696771074c313138303539313632303731373431313330333432344c0a58030000006e656771084afbffffff58040000006e6f6e6571094e58020000006f6b710a4930310a58040000006c697374710b5d710c284b014d2c014a701101006575612e",
	"80025d71007d71012858020000006c727102473fb999999999999a580500000062657461737103473feccccccccccccd473fee66666666666686710458040000006e616d6571055801000000677106580300000062696771078a0900000000000000004058030000006e656771084afbffffff58040000006e6f6e6571094e58020000006f6b710a8858040000006c697374710b5d710c284b014d2c014a701101006575612e",
	"80035d71007d71012858020000006c727102473fb999999999999a580500000062657461737103473feccccccccccccd473fee66666666666686710458040000006e616d6571055801000000677106580300000062696771078a0900000000000000004058030000006e656771084afbffffff58040000006e6f6e6571094e58020000006f6b710a8858040000006c697374710b5d710c284b014d2c014a701101006575612e",
	"8004957c000000000000005d947d94288c026c7294473fb999999999999a8c05626574617394473feccccccccccccd473fee66666666666686948c046e616d65948c0167948c03626967948a090000000000000000408c036e6567944afbffffff8c046e6f6e65944e8c026f6b94888c046c697374945d94284b014d2c014a701101006575612e",
	"8005957c000000000000005d947d94288c026c7294473fb999999999999a8c05626574617394473feccccccccccccd473fee66666666666686948c046e616d65948c0167948c03626967948a090000000000000000408c036e6567944afbffffff8c046e6f6e65944e8c026f6b94888c046c697374945d94284b014d2c014a701101006575612e",
}

func ExampleOpenTree() {
	tree, err := weights.OpenTree("step1000-unsharded/train.pt")
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Println("no checkpoint: starting at step 0")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tree.Close()
	step, _ := tree.Root.(*weights.Dict).Get("global_step")
	fmt.Println("resuming at step", step)
	// Output: no checkpoint: starting at step 0
}
