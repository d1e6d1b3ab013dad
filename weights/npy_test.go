package weights_test

import (
	"archive/zip"
	"bytes"
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

func npy(header string, data string) string {
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + data
}

func TestNPY(t *testing.T) {
	for _, c := range []struct {
		name, file string
		dtype      tensor.DType
		shape      []int
		want       string
	}{
		{"rows", npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }\n", "\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06\x00"), tensor.I16, []int{2, 3}, "[1 2 3 4 5 6]"},
		{"columns", npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n", "\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06\x00"), tensor.I16, []int{2, 3}, "[1 3 5 2 4 6]"},
		{"big-endian", npy("{'descr': '>u2', 'fortran_order': False, 'shape': (2,)}", "\x01\x00\x00\x02"), tensor.U16, []int{2}, "[256 2]"},
		{"scalar", npy(`{"descr": "|u1", "fortran_order": False, "shape": ()}`, "\x07"), tensor.U8, []int{}, "[7]"},
		{"three dimensions by columns", npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2, 2), }", "\x01\x02\x03\x04\x05\x06\x07\x08"), tensor.U8, []int{2, 2, 2}, "[1 5 3 7 2 6 4 8]"},
		{"big-endian by columns", npy("{'descr': '>u2', 'fortran_order': True, 'shape': (2, 2), }", "\x00\x01\x00\x02\x00\x03\x00\x04"), tensor.U16, []int{2, 2}, "[1 3 2 4]"},
		{"one byte of any order", npy("{'descr': '>u1', 'fortran_order': False, 'shape': (2,), }", "\x01\x02"), tensor.U8, []int{2}, "[1 2]"},
		{"native order", npy("{'shape': (1,), 'fortran_order': False, 'descr': '=i4'}", "\x07\x00\x00\x00"), tensor.I32, []int{1}, "[7]"},
		{"spaces", npy("  { 'descr' : '<i2' , 'fortran_order' : False , 'shape' : ( 1 , ) , }  ", "\x07\x00"), tensor.I16, []int{1}, "[7]"},
		{"version 3", "\x93NUMPY\x03\x00\x37\x00\x00\x00{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}\x01\x00", tensor.BOOL, []int{2}, "[1 0]"},
		{"empty", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (0, 3L), }", ""), tensor.F32, []int{0, 3}, "[]"},
		{"version 2", "\x93NUMPY\x02\x00\x37\x00\x00\x00{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}\x01\x00", tensor.BOOL, []int{2}, "[1 0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := openBytes(t, "x.npy", []byte(c.file))
			if err != nil {
				t.Fatal(err)
			}
			x, err := s.Tensor("x")
			if err != nil {
				t.Fatal(err)
			}
			v, err := x.Float32s()
			if err != nil || x.DType != c.dtype || !slices.Equal(x.Shape, c.shape) || fmt.Sprint(v) != c.want {
				t.Errorf("got %v %v %v (%v), want %v %v %s", x.DType, x.Shape, v, err, c.dtype, c.shape, c.want)
			}
		})
	}
}

func TestNPYRefuses(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"short", "\x93NUMPY", "ends within"},
		{"version", "\x93NUMPY\x04\x00\x00\x00", "version 4"},
		{"header bomb", "\x93NUMPY\x02\x00\xff\xff\xff\xff", "allowed"},
		{"records", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234"), "records"},
		{"objects", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "1234"), "not supported"},
		{"shape", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 1152921504606846976), }", ""), "more elements"},
		{"number", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", ""), "not understood"},
		{"key", npy("{'descr': '<f4', 'fortran_order': False, 'shap': (1,), }", ""), "not understood"},
		{"missing", npy("{'descr': '<f4', 'shape': (1,), }", "1234"), "not understood"},
		{"code", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (f(),), }", ""), "not understood"},
		{"unclosed", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,", ""), "not understood"},
		{"bytes too many", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "12345"), "takes 4 bytes, 5 follow"},
		{"a key twice", npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "1234"), "not understood"},
		{"no comma", npy("{'descr': '<f4' 'fortran_order': False, 'shape': (1,), }", "1234"), "not understood"},
		{"no comma in the shape", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1 2), }", "1234"), "not understood"},
		{"neither true nor false", npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", "1234"), "not understood"},
		{"after the dict", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", "1234"), "not understood"},
		{"no dict", npy("['descr']", ""), "not understood"},
		{"a number of bytes order", npy("{'descr': '!f4', 'fortran_order': False, 'shape': (1,), }", "1234"), "not supported"},
		{"a short descr", npy("{'descr': '<', 'fortran_order': False, 'shape': (1,), }", "1234"), "not understood"},
		{"half a second length", "\x93NUMPY\x02\x00\x37\x00\x00", "ends within"},
		{"half a header", "\x93NUMPY\x01\x00\x37\x00{'descr'", "ends within"},
		{"length", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "1234"), "takes 8 bytes, 4 follow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(t, "x.npy", []byte(c.file))
			var fe *weights.FileError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestNPZ(t *testing.T) {
	a := npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 2), }", "\x01\x00\x02\x00\x03\x00\x04\x00")
	b := npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\x01\x02\x03")
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		s, err := openBytes(t, "x.npz", zipFile(t, method, [][2]string{{"b.npy", b}, {"a.npy", a}}))
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"a", "b"}; !slices.Equal(s.Names(), want) {
			t.Errorf("names %v, want %v", s.Names(), want)
		}
		x, err := s.Tensor("a")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := x.Int32s(); err != nil || fmt.Sprint(v) != "[1 3 2 4]" {
			t.Errorf("a is %v (%v)", v, err)
		}
		// Written again, and read again.
		path := filepath.Join(t.TempDir(), "y.npz")
		if err := weights.WriteNPZ(path, s.All()); err != nil {
			t.Fatal(err)
		}
		s2, err := weights.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s2.Close()
		d1, err1 := weights.Digest(s.All())
		d2, err2 := weights.Digest(s2.All())
		if d1 != d2 || err1 != nil || err2 != nil {
			t.Errorf("digests %x and %x (%v, %v)", d1, d2, err1, err2)
		}
	}
	wrong := npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", "\x01\x02\x03")
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		if _, err := openBytes(t, "x.npz", zipFile(t, method, [][2]string{{"b.npy", wrong}})); err == nil || !strings.Contains(err.Error(), `array "b.npy"`) {
			t.Errorf("three bytes for four: %v", err)
		}
	}
}

// TestNPZDamaged: an array whose bytes have changed is an error when it is asked for, packed or
// not; so is one that claims to be longer than its bytes can be.
func TestNPZDamaged(t *testing.T) {
	numbers := make([]byte, 4000)
	for i := range numbers {
		numbers[i] = byte(i * i >> 3)
	}
	array := npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4000,), }", string(numbers))
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		data := zipFile(t, method, [][2]string{{"a.npy", array}})
		s, err := openBytes(t, "x.npz", data)
		if err != nil {
			t.Fatal(err)
		}
		if x, err := s.Tensor("a"); err != nil || !bytes.Equal(x.Data, numbers) {
			t.Errorf("method %d: %d bytes (%v)", method, len(x.Data), err)
		}
		for _, at := range []int{len(data) / 4, len(data) / 3, len(data) / 2} {
			bad := bytes.Clone(data)
			bad[at] ^= 0x55
			if s, err = openBytes(t, "x.npz", bad); err != nil {
				continue // seen at once
			}
			var fe *weights.FileError
			if x, err := s.Tensor("a"); !errors.As(err, &fe) {
				t.Errorf("method %d, byte %d: %d bytes (%v), want an error with a place", method, at, len(x.Data), err)
			}
		}
	}
	if _, err := openBytes(t, "x.npz", zipFile(t, zip.Deflate, [][2]string{{"a.npy", "\x93NUMPY\x01"}})); err == nil || !strings.Contains(err.Error(), "ends within the .npy header") {
		t.Errorf("an array that ends in its header: %v", err)
	}
}

// TestNPYTypes: every dtype of numpy that has one here is written as numpy names it, and read
// back; what numpy lacks is refused.
func TestNPYTypes(t *testing.T) {
	for d, descr := range map[tensor.DType]string{
		tensor.F64: "<f8", tensor.F32: "<f4", tensor.F16: "<f2", tensor.I64: "<i8", tensor.I32: "<i4", tensor.I16: "<i2", tensor.I8: "|i1",
		tensor.U64: "<u8", tensor.U32: "<u4", tensor.U16: "<u2", tensor.U8: "|u1", tensor.BOOL: "|b1",
	} {
		x := tensor.Tensor{DType: d, Shape: []int{2, 1}, Data: bytes.Repeat([]byte{1}, 2*d.Size())}
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := weights.WriteNPY(path, x); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte("'descr': '"+descr+"'")) || len(text) != 128+len(x.Data) {
			t.Errorf("%v is written as %q (%v), want %s", d, text, err, descr)
		}
		s, err := weights.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if y, err := s.Tensor("x"); err != nil || y.DType != d || !bytes.Equal(y.Data, x.Data) || !slices.Equal(y.Shape, x.Shape) {
			t.Errorf("%v came back as %v %v (%v)", d, y.DType, y.Shape, err)
		}
		s.Close()
	}
	err := weights.WriteNPZ(filepath.Join(t.TempDir(), "x.npz"), []weights.Named{{Name: "w", Tensor: tensor.Tensor{DType: tensor.BF16, Shape: []int{1}, Data: []byte{1, 2}}}})
	if err == nil || !strings.Contains(err.Error(), "tensor w: numpy has no dtype BF16") {
		t.Errorf("BF16 in an archive: %v", err)
	}
	err = weights.WriteNPZ(filepath.Join(t.TempDir(), "x.npz"), []weights.Named{{Name: "w", Tensor: f32(1)}, {Name: "w", Tensor: f32(1)}})
	if err == nil || !strings.Contains(err.Error(), "two tensors") {
		t.Errorf("a name twice: %v", err)
	}
}

// The bytes are numpy's: np.save of version 2.4.6.
func TestWriteNPY(t *testing.T) {
	for _, c := range []struct {
		shape []int
		want  string
	}{
		{[]int{}, "\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (), }                                                              \x0a"},
		{[]int{3}, "\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }                                                            \x0a"},
		{[]int{2, 1, 3}, "\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 3), }                                                       \x0a"},
		{[]int{0, 5}, "\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (0, 5), }                                                          \x0a"},
		{[]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, "\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }                         \x0a"},
	} {
		path := filepath.Join(t.TempDir(), "x.npy")
		x := tensor.Tensor{DType: tensor.U8, Shape: c.shape}
		n, err := tensor.Count(c.shape)
		if err != nil {
			t.Fatal(err)
		}
		x.Data = make([]byte, n)
		if err := weights.WriteNPY(path, x); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, append([]byte(c.want), x.Data...)) {
			t.Errorf("%v: got %q (%v), want %q", c.shape, got, err, c.want)
		}
	}
	err := weights.WriteNPY(filepath.Join(t.TempDir(), "x.npy"), tensor.Tensor{DType: tensor.BF16, Shape: []int{1}, Data: []byte{1, 2}})
	if err == nil || !strings.Contains(err.Error(), "BF16") {
		t.Errorf("BF16: %v", err)
	}
}

func FuzzNPY(f *testing.F) {
	f.Add([]byte(npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n", "\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06\x00")))
	f.Add([]byte(npy("{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }", "12345678")))
	f.Add(zipFile(f, zip.Deflate, [][2]string{{"b.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\x01\x02\x03")}}))
	path := filepath.Join(f.TempDir(), "x.npy")
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := weights.Open(write(t, path, data))
		if err != nil {
			return
		}
		defer s.Close()
		for _, n := range s.All() {
			if _, err := n.Value(); err != nil && !bytes.HasPrefix(data, []byte("PK")) {
				t.Fatal(err)
			}
		}
	})
}
