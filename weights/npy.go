package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"olmo/tensor"
)

// npyMagic starts every .npy file (numpy/lib/format.py, numpy 1.26).
const npyMagic = "\x93NUMPY"

// npyDTypes are the kinds and sizes of a descr, without its byte order.
var npyDTypes = map[string]tensor.DType{
	"f8": tensor.F64, "f4": tensor.F32, "f2": tensor.F16,
	"i8": tensor.I64, "i4": tensor.I32, "i2": tensor.I16, "i1": tensor.I8,
	"u8": tensor.U64, "u4": tensor.U32, "u2": tensor.U16, "u1": tensor.U8,
	"b1": tensor.BOOL,
}

// npyHeader is what stands before the numbers of a .npy file.
type npyHeader struct {
	dtype     tensor.DType
	bigEndian bool
	fortran   bool
	shape     []int
	size      int // bytes of the numbers
}

// readNPYHeader takes magic, version and header off r. The header is at most
// 64 KiB, as of version 1, which already is far above any array's.
func readNPYHeader(r io.Reader) (npyHeader, error) {
	var pre [10]byte
	if _, err := io.ReadFull(r, pre[:]); err != nil {
		return npyHeader{}, fmt.Errorf("the file ends within the .npy header: %w", err)
	}
	if string(pre[:6]) != npyMagic {
		return npyHeader{}, errors.New("the file does not start as a .npy file does")
	}
	n := uint32(binary.LittleEndian.Uint16(pre[8:]))
	switch pre[6] {
	case 1:
	case 2, 3:
		var high [2]byte
		if _, err := io.ReadFull(r, high[:]); err != nil {
			return npyHeader{}, fmt.Errorf("the file ends within the .npy header: %w", err)
		}
		n |= uint32(binary.LittleEndian.Uint16(high[:])) << 16
	default:
		return npyHeader{}, fmt.Errorf(".npy version %d is not known", pre[6])
	}
	if n > 1<<16 {
		return npyHeader{}, fmt.Errorf("a .npy header of %d bytes is more than the %d allowed", n, 1<<16)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return npyHeader{}, fmt.Errorf("the file ends within the .npy header: %w", err)
	}
	return parseNPYHeader(string(text))
}

// parseNPYHeader reads the Python dict of a header:
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
func parseNPYHeader(text string) (npyHeader, error) {
	bad := fmt.Errorf("the .npy header %.80q is not understood", text)
	var h npyHeader
	rest := strings.TrimSpace(text)
	eat := func(token string) bool {
		var ok bool
		rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), token)
		return ok
	}
	quoted := func() (string, bool) {
		rest = strings.TrimLeft(rest, " ")
		if rest == "" || rest[0] != '\'' && rest[0] != '"' {
			return "", false
		}
		s, after, ok := strings.Cut(rest[1:], rest[:1])
		rest = after
		return s, ok
	}
	if !eat("{") {
		return h, bad
	}
	seen := map[string]bool{}
	for !eat("}") {
		key, ok := quoted()
		if !ok || seen[key] || !eat(":") {
			return h, bad
		}
		seen[key] = true
		switch key {
		case "descr":
			descr, ok := quoted()
			if !ok || len(descr) < 2 {
				return h, fmt.Errorf("the .npy header %.80q is of an array of records, or not understood", text)
			}
			h.bigEndian = descr[0] == '>'
			if h.dtype, ok = npyDTypes[descr[1:]]; !ok || !strings.Contains("<>|=", descr[:1]) {
				return h, fmt.Errorf("numpy dtype %.40q is not supported", descr)
			}
		case "fortran_order":
			switch {
			case eat("True"):
				h.fortran = true
			case !eat("False"):
				return h, bad
			}
		case "shape":
			if !eat("(") {
				return h, bad
			}
			h.shape = []int{}
			for !eat(")") {
				rest = strings.TrimLeft(rest, " ")
				n := 0
				for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
					n++
				}
				d, err := strconv.Atoi(rest[:n])
				if err != nil {
					return h, bad
				}
				rest = rest[n:]
				eat("L") // Python 2
				h.shape = append(h.shape, d)
				if !eat(",") && !strings.HasPrefix(strings.TrimLeft(rest, " "), ")") {
					return h, bad
				}
			}
		default:
			return h, bad
		}
		if !eat(",") && !strings.HasPrefix(strings.TrimLeft(rest, " "), "}") {
			return h, bad
		}
	}
	if len(seen) != 3 || strings.TrimSpace(rest) != "" {
		return h, bad
	}
	var err error
	h.size, err = h.dtype.Bytes(h.shape)
	return h, err
}

// rowMajor returns the little-endian row-major bytes of an array's.
func (h npyHeader) rowMajor(data []byte) []byte {
	size := h.dtype.Size()
	if h.fortran && len(h.shape) > 1 && h.size > 0 {
		stride := make([]int, len(h.shape))
		n := 1
		for i, d := range h.shape {
			stride[i] = n
			n *= d
		}
		data = gather(data, h.shape, stride, size)
	}
	if h.bigEndian && size > 1 {
		data = bytes.Clone(data)
		for i := 0; i < len(data); i += size {
			slices.Reverse(data[i : i+size])
		}
	}
	return data
}

// named returns the array as a tensor whose numbers all returns.
func (h npyHeader) named(name string, all func() ([]byte, error)) Named {
	return Named{
		Name: name, Tensor: tensor.Tensor{DType: h.dtype, Shape: h.shape},
		Load: func() ([]byte, error) {
			data, err := all()
			if err != nil {
				return nil, err
			}
			return h.rowMajor(data), nil
		},
	}
}

// parseNPY returns the one array of a .npy file, under the file's name without
// its extension.
func parseNPY(path string, data []byte) (*Set, error) {
	r := bytes.NewReader(data)
	h, err := readNPYHeader(r)
	if err != nil {
		return nil, &FileError{path, 0, err}
	}
	if r.Len() != h.size {
		return nil, &FileError{path, int64(len(data) - r.Len()), fmt.Errorf("%v of shape %v takes %d bytes, %d follow", h.dtype, h.shape, h.size, r.Len())}
	}
	numbers := data[len(data)-h.size:]
	name := strings.TrimSuffix(filepath.Base(path), ".npy")
	return newSet(path, []Named{h.named(name, func() ([]byte, error) { return numbers, nil })})
}

// parseNPZ returns the arrays of a .npz archive, by their names there without
// ".npy". An array that is not compressed stays in the mapped file.
func parseNPZ(path string, entries map[string]*zipEntry) (*Set, error) {
	var ts []Named
	for name, e := range entries {
		h, err := readNPZHeader(e)
		if err != nil {
			return nil, &FileError{path, e.offset, fmt.Errorf("array %.200q: %w", name, err)}
		}
		ts = append(ts, h.named(strings.TrimSuffix(name, ".npy"), func() ([]byte, error) {
			data, err := e.inflate()
			if err != nil {
				return nil, err
			}
			return data[len(data)-h.size:], nil
		}))
	}
	return newSet(path, ts)
}

// readNPZHeader reads the header of one array, and checks that its numbers are
// as long as they should be.
func readNPZHeader(e *zipEntry) (npyHeader, error) {
	total := uint64(len(e.data))
	var r io.Reader = bytes.NewReader(e.data)
	if e.file != nil {
		total = e.file.UncompressedSize64
		inflater, err := e.file.Open()
		if err != nil {
			return npyHeader{}, err
		}
		defer inflater.Close()
		r = inflater
	}
	counted := &countingReader{r: r}
	h, err := readNPYHeader(counted)
	if err != nil {
		return h, err
	}
	if counted.n > total || uint64(h.size) != total-counted.n {
		return h, fmt.Errorf("%v of shape %v takes %d bytes, not %d less %d of header", h.dtype, h.shape, h.size, total, counted.n)
	}
	return h, nil
}

type countingReader struct {
	r io.Reader
	n uint64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	return n, err
}

// writeNPY writes t as a .npy file of version 1.0, byte for byte as numpy does.
func writeNPY(w io.Writer, t tensor.Tensor) error {
	descr := ""
	for s, d := range npyDTypes {
		if d == t.DType {
			descr = "<" + s
			if d.Size() == 1 {
				descr = "|" + s
			}
		}
	}
	if descr == "" {
		return fmt.Errorf("numpy has no dtype %v; convert it first", t.DType)
	}
	var shape strings.Builder
	for i, d := range t.Shape {
		if i > 0 {
			shape.WriteString(", ")
		}
		shape.WriteString(strconv.Itoa(d))
	}
	if len(t.Shape) == 1 {
		shape.WriteByte(',')
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, &shape)
	// The numbers start at a multiple of 64, after a newline.
	text += strings.Repeat(" ", 64-(11+len(text))%64) + "\n"
	head := binary.LittleEndian.AppendUint16([]byte(npyMagic+"\x01\x00"), uint16(len(text)))
	if _, err := w.Write(append(head, text...)); err != nil {
		return err
	}
	_, err := w.Write(t.Data)
	return err
}

// WriteNPY writes one tensor as a .npy file, atomically.
func WriteNPY(path string, t tensor.Tensor) error {
	err := t.Check()
	if err == nil {
		err = writeWhole(path, func(f io.Writer) error { return writeNPY(f, t) })
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// WriteNPZ writes tensors, given in any order, as an uncompressed .npz archive,
// atomically and always the same bytes.
func WriteNPZ(path string, tensors []Named) error {
	ts, err := sorted(tensors)
	if err == nil {
		err = writeWhole(path, func(f io.Writer) error {
			z := zip.NewWriter(f)
			for _, n := range ts {
				t, err := n.Value()
				if err != nil {
					return err
				}
				w, err := z.CreateHeader(&zip.FileHeader{Name: n.Name + ".npy", Method: zip.Store})
				if err != nil {
					return err
				}
				if err := writeNPY(w, t); err != nil {
					return fmt.Errorf("tensor %s: %w", n.Name, err)
				}
			}
			return z.Close()
		})
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
