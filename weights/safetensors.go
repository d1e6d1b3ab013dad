package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"olmo/store"
	"olmo/tensor"
)

// maxHeader is the longest safetensors header that any reader accepts
// (safetensors 0.5, src/tensor.rs, MAX_HEADER_SIZE).
const maxHeader = 100_000_000

// Entry is a tensor of a safetensors file, as the header has it.
type Entry struct {
	Name       string
	DType      tensor.DType
	Shape      []int
	Begin, End int64 // where its bytes lie in the file
}

// ReadHeader reads the header of a safetensors file of so many bytes, and no tensor: the entries in the
// order of their bytes, behind which nothing is left, and the metadata. path is for errors, which are
// *FileError. The checks are those of the safetensors library: names once each, every tensor as long
// as its shape says, no byte of the buffer unused or used twice.
func ReadHeader(path string, r io.ReaderAt, size int64) ([]Entry, map[string]string, error) {
	fail := func(at int64, format string, args ...any) ([]Entry, map[string]string, error) {
		return nil, nil, &FileError{path, at, fmt.Errorf(format, args...)}
	}
	if size < 8 {
		return fail(size, "the file ends within the 8 bytes of the header's length; it is empty, cut short or no safetensors file")
	}
	var length [8]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return fail(0, "reading the header's length: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return fail(0, "the header would be %d bytes long, more than the %d allowed; this is no safetensors file", n, maxHeader)
	}
	if n > uint64(size-8) {
		return fail(0, "the header would be %d bytes long, but only %d follow; the file is cut short", n, size-8)
	}
	header := make([]byte, n)
	if _, err := r.ReadAt(header, 8); err != nil && !(errors.Is(err, io.EOF) && size == int64(8+n)) {
		return fail(8, "reading the header: %w", err)
	}
	return parseHeader(path, header, uint64(size)-8-n)
}

// parseSafetensors reads the header; the tensors point into data.
func parseSafetensors(path string, data []byte) (*Set, error) {
	entries, metadata, err := ReadHeader(path, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	s := &Set{path: path, tensors: make(map[string]Named, len(entries)), metadata: metadata}
	for _, e := range entries {
		s.tensors[e.Name] = Named{Name: e.Name, Tensor: tensor.Tensor{DType: e.DType, Shape: e.Shape, Data: data[e.Begin:e.End:e.End]}}
	}
	s.sort()
	return s, nil
}

// parseHeader reads the JSON of a header, behind which so many bytes of tensors follow.
func parseHeader(path string, header []byte, buffer uint64) ([]Entry, map[string]string, error) {
	fail := func(at int64, format string, args ...any) ([]Entry, map[string]string, error) {
		return nil, nil, &FileError{path, at, fmt.Errorf(format, args...)}
	}
	n := uint64(len(header))
	if n == 0 || header[0] != '{' {
		return fail(8, "the header is no JSON object; this is no safetensors file")
	}
	dec := json.NewDecoder(bytes.NewReader(header))
	at := func() int64 { return 8 + dec.InputOffset() }
	if _, err := dec.Token(); err != nil {
		return fail(at(), "header: %w", err)
	}
	metadata := map[string]string{}
	var entries []Entry
	names := map[string]bool{}
	seenMetadata := false
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return fail(at(), "header: %w", err)
		}
		name := tok.(string) // a JSON object's key can be nothing else
		if name == "__metadata__" {
			if seenMetadata {
				return fail(at(), "header: __metadata__ appears twice")
			}
			seenMetadata = true
			if err := dec.Decode(&metadata); err != nil {
				return fail(at(), "header: __metadata__ must hold strings only: %w", err)
			}
			continue
		}
		if names[name] {
			return fail(at(), "header: tensor %.200q appears twice", name)
		}
		names[name] = true
		var info struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets []uint64 `json:"data_offsets"`
		}
		if err := dec.Decode(&info); err != nil {
			return fail(at(), "header: tensor %.200q: %w", name, err)
		}
		d, err := tensor.Parse(info.DType)
		if err != nil || d.String() != info.DType || d.IsQuantized() {
			return fail(at(), "header: tensor %.200q: dtype %.40q is not one that can be read", name, info.DType)
		}
		if len(info.Offsets) != 2 {
			return fail(at(), "header: tensor %.200q: data_offsets must be two numbers, not %d", name, len(info.Offsets))
		}
		size, err := d.Bytes(info.Shape)
		if err != nil {
			return fail(at(), "header: tensor %.200q: %w", name, err)
		}
		begin, end := info.Offsets[0], info.Offsets[1]
		if begin > end || end > buffer {
			return fail(at(), "header: tensor %.200q lies at %d to %d of %d bytes of data; the file is cut short or damaged", name, begin, end, buffer)
		}
		if end-begin != uint64(size) {
			return fail(at(), "header: tensor %.200q: %v of shape %v takes %d bytes, data_offsets hold %d", name, d, info.Shape, size, end-begin)
		}
		if info.Shape == nil {
			info.Shape = []int{}
		}
		entries = append(entries, Entry{name, d, info.Shape, int64(8 + n + begin), int64(8 + n + end)})
	}
	if _, err := dec.Token(); err != nil {
		return fail(at(), "header: %w", err)
	}
	if rest := bytes.TrimLeft(header[dec.InputOffset():], " \x00\t\r\n"); len(rest) > 0 {
		return fail(at(), "header: %d bytes follow the JSON object", len(rest))
	}
	if metadata == nil { // "__metadata__": null
		metadata = map[string]string{}
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	end, last := int64(8+n), "the header"
	for _, e := range entries {
		if e.Begin != end {
			what := "overlaps"
			if e.Begin > end {
				what = "leaves unused bytes after"
			}
			return fail(end, "tensor %.200q at %d %s %.200q, which ends at %d", e.Name, e.Begin-int64(8+n), what, last, end-int64(8+n))
		}
		end, last = e.End, e.Name
	}
	if left := int64(8+n+buffer) - end; left != 0 {
		return fail(end, "%d bytes follow the last tensor", left)
	}
	return entries, metadata, nil
}

// safetensorsHeader returns the length prefix and the header, padded with
// spaces to a multiple of 8, and the tensors in the order of their bytes. The
// header's keys are in byte order of names; so are the bytes, after the
// tensors are sorted by the size of their numbers, largest first, which keeps
// every tensor aligned.
func safetensorsHeader(tensors []Named, metadata map[string]string) ([]byte, []Named, error) {
	ts, err := sorted(tensors)
	if err != nil {
		return nil, nil, err
	}
	layout := slices.Clone(ts)
	slices.SortStableFunc(layout, func(a, b Named) int { return b.DType.Size() - a.DType.Size() })
	offsets := map[string][2]int{}
	end := 0
	for _, t := range layout {
		if t.Name == "__metadata__" {
			return nil, nil, errors.New("a tensor cannot be named __metadata__")
		}
		if t.DType.IsQuantized() {
			return nil, nil, fmt.Errorf("tensor %s: safetensors has no dtype %v; write GGUF, or convert it first", t.Name, t.DType)
		}
		size, err := t.DType.Bytes(t.Shape)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		offsets[t.Name] = [2]int{end, end + size}
		end += size
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	put := func(v any) error {
		if err := enc.Encode(v); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // Encode ends with a newline
		return nil
	}
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		b.WriteString(`"__metadata__":`)
		if err := put(metadata); err != nil { // json sorts the keys
			return nil, nil, err
		}
	}
	for _, t := range ts {
		if b.Bytes()[b.Len()-1] != '{' {
			b.WriteByte(',')
		}
		if err := put(t.Name); err != nil {
			return nil, nil, err
		}
		b.WriteByte(':')
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		err := put(struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}{t.DType.String(), shape, offsets[t.Name]})
		if err != nil {
			return nil, nil, err
		}
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len()-8 > maxHeader {
		return nil, nil, fmt.Errorf("a header of %d bytes is more than readers accept (%d)", b.Len()-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), layout, nil
}

// WriteSafetensors writes tensors, given in any order, to path: first to a
// temporary file beside it, which is fsynced and renamed. It holds one tensor
// at a time. The same tensors and metadata always give the same bytes.
func WriteSafetensors(path string, tensors []Named, metadata map[string]string) error {
	header, layout, err := safetensorsHeader(tensors, metadata)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	err = writeWhole(path, func(f io.Writer) error {
		if _, err := f.Write(header); err != nil {
			return err
		}
		for _, n := range layout {
			t, err := n.Value()
			if err != nil {
				return err
			}
			if _, err := f.Write(t.Data); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// shardIndex is model.safetensors.index.json.
type shardIndex struct {
	Metadata  map[string]any    `json:"metadata"`
	WeightMap map[string]string `json:"weight_map"`
}

// WriteShards writes tensors into dir as Hugging Face does: as
// model.safetensors, or, where they take more than maxBytes, as
// model-00001-of-0000N.safetensors of at most maxBytes each (a larger tensor
// has a file of its own) with model.safetensors.index.json, which is written
// last. Shards take the tensors in byte order of names. It returns the names of
// the files that it wrote.
func WriteShards(dir string, tensors []Named, metadata map[string]string, maxBytes int64) ([]string, error) {
	ts, err := sorted(tensors)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", dir, err)
	}
	var shards [][]Named
	var total, size int64
	for _, t := range ts {
		n, err := t.DType.Bytes(t.Shape)
		if err != nil {
			return nil, fmt.Errorf("writing %s: tensor %s: %w", dir, t.Name, err)
		}
		if len(shards) == 0 || size+int64(n) > maxBytes && size > 0 {
			shards, size = append(shards, nil), 0
		}
		shards[len(shards)-1] = append(shards[len(shards)-1], t)
		size += int64(n)
		total += int64(n)
	}
	if len(shards) <= 1 {
		err := WriteSafetensors(filepath.Join(dir, "model.safetensors"), ts, metadata)
		return []string{"model.safetensors"}, err
	}
	index := shardIndex{map[string]any{"total_size": total}, map[string]string{}}
	var files []string
	for i, shard := range shards {
		file := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		if err := WriteSafetensors(filepath.Join(dir, file), shard, metadata); err != nil {
			return files, err
		}
		files = append(files, file)
		for _, t := range shard {
			index.WeightMap[t.Name] = file
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(index); err != nil {
		return files, err
	}
	path := filepath.Join(dir, "model.safetensors.index.json")
	err = store.WriteFile(path, b.Bytes())
	if err != nil {
		return files, fmt.Errorf("writing %s: %w", path, err)
	}
	return append(files, filepath.Base(path)), nil
}
