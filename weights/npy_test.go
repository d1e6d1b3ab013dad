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
		{"length", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "1234"), "takes 8 bytes, 4 follow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(t, "x.npy", []byte(c.file))
			var fe *weights.FileError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) {
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
