package weights

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/tensor"
)

// Tree is everything that a PyTorch checkpoint, or OLMo's safetensors form of
// one, holds: tensors among numbers, strings and containers.
type Tree struct {
	// Root is usually a *Dict. See Tuple for what values there may be.
	Root any
	file *mapping
}

// Close releases the file. Tensors of the tree must not be touched afterwards.
func (t *Tree) Close() error { return t.file.close() }

// OpenTree opens a file of torch.save (model.pt, optim.pt, train.pt,
// pytorch_model.bin; a zip archive, or what it wrote before PyTorch 1.6), or a safetensors file of the ai2-olmo package
// (olmo/safetensors_util.py, 0.6.0), whose names are pickles. Of Python's
// objects only tensors, numbers, strings and containers are built; others are
// left as *Opaque, and nothing runs.
func OpenTree(path string) (*Tree, error) {
	m, err := openMapped(path)
	if err != nil {
		return nil, err
	}
	var root any
	switch {
	case isZip(m.data):
		var entries map[string]*zipEntry
		if entries, err = zipEntries(path, m.data); err == nil {
			root, err = torchTree(path, entries)
		}
	case isLegacy(m.data):
		root, err = legacyTree(path, m.data)
	default:
		root, err = parseAI2Safetensors(path, m.data)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return &Tree{root, m}, nil
}

func isZip(data []byte) bool { return bytes.HasPrefix(data, []byte("PK\x03\x04")) }

// zipEntries returns the stored (not compressed) files of the archive, each as
// a part of data.
func zipEntries(path string, data []byte) (map[string]*zipEntry, error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		// The list of files is at the end, so that is where trouble shows.
		return nil, &FileError{path, int64(len(data)), fmt.Errorf("not a complete zip archive: %w", err)}
	}
	entries := make(map[string]*zipEntry, len(r.File))
	for _, f := range r.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		off, err := f.DataOffset()
		if err != nil {
			return nil, &FileError{path, int64(len(data)), fmt.Errorf("zip entry %.200q: %w", f.Name, err)}
		}
		if off < 0 || off > int64(len(data)) || f.CompressedSize64 > uint64(int64(len(data))-off) {
			return nil, &FileError{path, off, fmt.Errorf("zip entry %.200q of %d bytes ends after the file", f.Name, f.CompressedSize64)}
		}
		if _, ok := entries[f.Name]; ok {
			return nil, &FileError{path, off, fmt.Errorf("zip entry %.200q appears twice", f.Name)}
		}
		e := &zipEntry{path: path, name: f.Name, offset: off, data: data[off : off+int64(f.CompressedSize64)]}
		if f.Method != zip.Store {
			e.file = f
		} else if f.UncompressedSize64 != f.CompressedSize64 {
			return nil, &FileError{path, off, fmt.Errorf("zip entry %.200q is stored, but its two sizes differ", f.Name)}
		}
		e.verify = sync.OnceValue(func() error {
			if got := crc32.ChecksumIEEE(e.data); got != f.CRC32 {
				return &FileError{path, off, fmt.Errorf("zip entry %.200q is damaged: its CRC-32 is %08x, the archive says %08x", e.name, got, f.CRC32)}
			}
			return nil
		})
		entries[f.Name] = e
	}
	return entries, nil
}

type zipEntry struct {
	path, name string
	offset     int64     // of data in the file
	data       []byte    // as stored
	file       *zip.File // if compressed
	verify     func() error
}

// bytes returns the content of a stored entry, once its CRC-32 is checked.
func (e *zipEntry) bytes() ([]byte, error) {
	if e.file != nil {
		return nil, &FileError{e.path, e.offset, fmt.Errorf("zip entry %.200q is compressed, which torch.save never does", e.name)}
	}
	return e.data, e.verify()
}

// inflate returns the content, decompressed if need be. It reads no more than
// the archive declares, and no more than deflate can make of the stored bytes.
func (e *zipEntry) inflate() ([]byte, error) {
	if e.file == nil {
		return e.bytes()
	}
	fail := func(err error) ([]byte, error) {
		return nil, &FileError{e.path, e.offset, fmt.Errorf("zip entry %.200q: %w", e.name, err)}
	}
	n := e.file.UncompressedSize64
	if n > 1032*(uint64(len(e.data))+1) {
		return fail(fmt.Errorf("%d bytes cannot be compressed to %d", n, len(e.data)))
	}
	r, err := e.file.Open()
	if err != nil {
		return fail(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, int64(n)+1))
	if err == nil && uint64(len(b)) != n {
		err = fmt.Errorf("%d bytes where %d are declared", len(b), n)
	}
	if err != nil {
		return fail(err)
	}
	return b, nil
}

// torchTree returns what a torch.save archive holds.
func torchTree(path string, entries map[string]*zipEntry) (any, error) {
	prefix, found := "", false
	for name := range entries {
		if p, ok := strings.CutSuffix(name, "data.pkl"); ok && (p == "" || strings.HasSuffix(p, "/")) {
			if found {
				return nil, fmt.Errorf("%s: the archive has more than one data.pkl", path)
			}
			prefix, found = p, true
		}
	}
	if !found {
		return nil, fmt.Errorf("%s: a zip archive without data.pkl is no PyTorch checkpoint", path)
	}
	if e, ok := entries[prefix+"byteorder"]; ok && string(e.data) != "little" {
		return nil, &FileError{path, e.offset, fmt.Errorf("byte order %.20q is not supported; save the checkpoint again on a little-endian machine", e.data)}
	}
	pkl := entries[prefix+"data.pkl"]
	code, err := pkl.bytes()
	if err != nil {
		return nil, err
	}
	u := &unpickler{path: path, base: pkl.offset, data: code}
	storages := map[string]*storage{}
	u.storage = func(id any) (any, error) {
		key, st, err := parseStorage(id)
		if err != nil {
			return nil, err
		}
		st.entry = entries[prefix+"data/"+key]
		if st.entry == nil {
			return nil, fmt.Errorf("storage %.40q is not in the archive", key)
		}
		if hi, n := bits.Mul64(uint64(st.numel), uint64(st.size)); hi != 0 || n != uint64(len(st.entry.data)) {
			return nil, fmt.Errorf("storage %.40q has %d bytes for %d elements of %d", key, len(st.entry.data), st.numel, st.size)
		}
		if old, ok := storages[key]; ok && (old.class != st.class || old.numel != st.numel) {
			return nil, fmt.Errorf("storage %.40q is used as %s and as %s", key, old.class, st.class)
		}
		storages[key] = st
		return st, nil
	}
	return u.unpickle()
}

// storage is the memory that one or more tensors look at.
type storage struct {
	class string
	dtype tensor.DType // Invalid: the tensor says
	numel int64
	size  int // bytes of one element
	entry *zipEntry
}

// storageClasses are torch's typed storages.
var storageClasses = map[string]tensor.DType{
	"torch.DoubleStorage":   tensor.F64,
	"torch.FloatStorage":    tensor.F32,
	"torch.HalfStorage":     tensor.F16,
	"torch.BFloat16Storage": tensor.BF16,
	"torch.LongStorage":     tensor.I64,
	"torch.IntStorage":      tensor.I32,
	"torch.ShortStorage":    tensor.I16,
	"torch.CharStorage":     tensor.I8,
	"torch.ByteStorage":     tensor.U8,
	"torch.BoolStorage":     tensor.BOOL,
}

// torchDTypes are the dtypes that a tensor on an untyped storage names.
var torchDTypes = map[string]tensor.DType{
	"torch.float64":       tensor.F64,
	"torch.float32":       tensor.F32,
	"torch.float16":       tensor.F16,
	"torch.bfloat16":      tensor.BF16,
	"torch.float8_e4m3fn": tensor.F8_E4M3,
	"torch.float8_e5m2":   tensor.F8_E5M2,
	"torch.int64":         tensor.I64,
	"torch.int32":         tensor.I32,
	"torch.int16":         tensor.I16,
	"torch.int8":          tensor.I8,
	"torch.uint64":        tensor.U64,
	"torch.uint32":        tensor.U32,
	"torch.uint16":        tensor.U16,
	"torch.uint8":         tensor.U8,
	"torch.bool":          tensor.BOOL,
}

// parseStorage reads the persistent id ("storage", class, key, device, number
// of elements).
func parseStorage(id any) (key string, st *storage, err error) {
	bad := errors.New("a persistent id is no storage of torch.save")
	t, _ := id.(Tuple)
	if len(t) != 5 || t[0] != "storage" {
		return "", nil, bad
	}
	class, ok1 := t[1].(global)
	key, ok2 := t[2].(string)
	numel, ok3 := t[4].(int64)
	if !ok1 || !ok2 || !ok3 || numel < 0 {
		return "", nil, bad
	}
	st = &storage{class: class.String(), numel: numel, size: 1}
	if st.class != "torch.storage.UntypedStorage" {
		d, ok := storageClasses[st.class]
		if !ok {
			return "", nil, fmt.Errorf("storage of class %.80s is not supported", st.class)
		}
		st.dtype, st.size = d, d.Size()
	}
	return key, st, nil
}

// rebuildTensor makes the tensor that torch._utils.NAME(storage, offset, size,
// stride, …) is. Its bytes are checked, and rearranged if the strides are not
// those of a row-major tensor, when they are asked for.
func rebuildTensor(name string, args Tuple) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("%s with %d arguments", name, len(args))
	}
	st, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("%s without a storage", name)
	}
	d, numel := st.dtype, st.numel
	if d == tensor.Invalid {
		if name != "_rebuild_tensor_v3" || len(args) < 7 {
			return nil, fmt.Errorf("%s on a storage without dtype", name)
		}
		g, _ := args[6].(global)
		if d, ok = torchDTypes[g.String()]; !ok {
			return nil, fmt.Errorf("dtype %.80s is not supported", g)
		}
		if numel%int64(d.Size()) != 0 {
			return nil, fmt.Errorf("a storage of %d bytes holds no whole number of %v", numel, d)
		}
		numel /= int64(d.Size())
	}
	offset, ok := args[1].(int64)
	if !ok {
		return nil, fmt.Errorf("%s: the offset is no integer", name)
	}
	shape, err := dims(args[2])
	if err != nil {
		return nil, err
	}
	stride, err := dims(args[3])
	if err != nil {
		return nil, err
	}
	if len(shape) != len(stride) || len(shape) > 64 {
		return nil, fmt.Errorf("a tensor of %d dimensions with %d strides", len(shape), len(stride))
	}
	size, err := d.Bytes(shape)
	if err != nil {
		return nil, err
	}
	t := tensor.Tensor{DType: d, Shape: shape}
	n := size / d.Size()
	if n == 0 {
		return Named{Tensor: tensor.Tensor{DType: d, Shape: shape, Data: []byte{}}}, nil
	}
	// The last element that the view reaches must lie in the storage.
	last, contiguous, want := uint64(offset), true, 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] > 1 && stride[i] != want {
			contiguous = false
		}
		want *= shape[i] // Bytes has shown that this does not overflow
		hi, lo := bits.Mul64(uint64(shape[i]-1), uint64(stride[i]))
		sum, carry := bits.Add64(last, lo, 0)
		if hi != 0 || carry != 0 {
			last = 1 << 63
			break
		}
		last = sum
	}
	if offset < 0 || last >= uint64(numel) {
		return nil, fmt.Errorf("a tensor of shape %v, strides %v and offset %d reaches outside its storage of %d elements", shape, stride, offset, numel)
	}
	if int64(n) > numel {
		return nil, fmt.Errorf("a tensor of shape %v shows its storage of %d elements several times over; save a copy of it (.clone()) instead", shape, numel)
	}
	begin := int(offset) * d.Size()
	load := func() ([]byte, error) {
		data, err := st.entry.bytes()
		if err != nil {
			return nil, err
		}
		if contiguous {
			return data[begin : begin+size : begin+size], nil
		}
		return gather(data[begin:], shape, stride, d.Size()), nil
	}
	return Named{Tensor: t, Load: load}, nil
}

// dims reads a tuple or list of non-negative integers.
func dims(v any) ([]int, error) {
	var items []any
	switch v := v.(type) {
	case Tuple:
		items = v
	case *List:
		items = v.Items
	default:
		return nil, errors.New("a tensor's shape or strides are no tuple")
	}
	out := make([]int, len(items))
	for i, x := range items {
		n, ok := x.(int64)
		if !ok || n < 0 || int64(int(n)) != n {
			return nil, fmt.Errorf("%v is no size or stride of a dimension", x)
		}
		out[i] = int(n)
	}
	return out, nil
}

// gather copies a strided view, in elements of size bytes, to row-major order.
// No dimension is empty.
func gather(src []byte, shape, stride []int, size int) []byte {
	n := size
	for _, d := range shape {
		n *= d
	}
	out := make([]byte, 0, n)
	index := make([]int, len(shape))
	at := 0 // elements
	for {
		out = append(out, src[at*size:][:size]...)
		i := len(shape) - 1
		for ; i >= 0; i-- {
			index[i]++
			at += stride[i]
			if index[i] < shape[i] {
				break
			}
			at -= shape[i] * stride[i]
			index[i] = 0
		}
		if i < 0 {
			return out
		}
	}
}

// Tensors returns every tensor of the tree, named by the keys that lead to it,
// joined with dots: "state.0.exp_avg".
func (t *Tree) Tensors() ([]Named, error) { return flatten(t.Root) }

// Limits on flatten, far above any checkpoint's: a pickle may share containers
// so that a short file unfolds to a tree without end.
const (
	maxDepth  = 64
	maxName   = 4096
	maxNames  = 64 << 20 // bytes of all names
	maxValues = 1 << 20
)

func flatten(root any) ([]Named, error) {
	var out []Named
	visited, names := 0, 0
	var walk func(name string, v any, depth int) error
	walk = func(name string, v any, depth int) error {
		if visited++; visited > maxValues || names > maxNames {
			return errors.New("the checkpoint unfolds to too many values; it is not one that torch.save makes of a model")
		}
		if depth > maxDepth || len(name) > maxName {
			return fmt.Errorf("the checkpoint nests deeper than %d levels (or contains itself)", maxDepth)
		}
		join := func(key string) string {
			if name == "" {
				return key
			}
			return name + "." + key
		}
		var items []any
		switch v := v.(type) {
		case Named:
			v.Name = name
			names += len(name)
			out = append(out, v)
			return nil
		case *Dict:
			for _, it := range v.Items {
				var key string
				switch k := it.Key.(type) {
				case string:
					key = k
				case int64:
					key = strconv.FormatInt(k, 10)
				default:
					continue
				}
				if err := walk(join(key), it.Value, depth+1); err != nil {
					return err
				}
			}
			return nil
		case *List:
			items = v.Items
		case Tuple:
			items = v
		}
		for i, x := range items {
			if err := walk(join(strconv.Itoa(i)), x, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return out, walk("", root, 0)
}

// newSet makes a set of the tensors of a file.
func newSet(path string, tensors []Named) (*Set, error) {
	s := &Set{path: path, tensors: make(map[string]Named, len(tensors)), metadata: map[string]string{}}
	for _, n := range tensors {
		if _, ok := s.tensors[n.Name]; ok {
			return nil, fmt.Errorf("%s: two tensors are named %.200q", path, n.Name)
		}
		s.tensors[n.Name] = n
	}
	s.sort()
	return s, nil
}

// parseTorch returns the tensors of a torch.save archive.
func parseTorch(path string, entries map[string]*zipEntry) (*Set, error) {
	root, err := torchTree(path, entries)
	if err != nil {
		return nil, err
	}
	return setOf(path, root)
}

// parseLegacy returns the tensors of a file of torch.save before PyTorch 1.6.
func parseLegacy(path string, data []byte) (*Set, error) {
	root, err := legacyTree(path, data)
	if err != nil {
		return nil, err
	}
	return setOf(path, root)
}

// setOf returns the tensors of a tree, of a training script's those of the model.
func setOf(path string, root any) (*Set, error) {
	if o, ok := root.(*Opaque); ok {
		return nil, fmt.Errorf("%s holds an object of the class %.100s, not a model's tensors\nhint: torch.save(model.state_dict(), …) in a program that has the class", path, o.Class)
	}
	root, note, err := modelOf(root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	ts, err := flatten(root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s, err := newSet(path, ts)
	if err == nil && note != "" {
		s.notes = []string{note}
	}
	return s, err
}

// wrappers are the keys under which training scripts put the tensors of the model, beside an
// optimizer, an epoch and the like.
var wrappers = []string{"state_dict", "model_state_dict", "model", "module"}

// modelOf returns the part of a tree that is the model's, and a note of what is left out. A dict
// with tensors of its own is the model's; scripts wrap it once, or one wrapper in another.
func modelOf(root any) (part any, note string, err error) {
	for range mostWrappers {
		d, ok := root.(*Dict)
		if !ok || hasTensors(d) {
			break
		}
		var found, others []string
		for _, it := range d.Items {
			if key, _ := it.Key.(string); leadsToModel(it, mostWrappers) {
				found = append(found, key)
			} else {
				others = append(others, fmt.Sprint(it.Key))
			}
		}
		if len(found) == 0 {
			break
		}
		if len(found) > 1 {
			return nil, "", fmt.Errorf("the file has tensors under %s, and which are the model's is not said\nhint: save one of them alone", strings.Join(found, " and "))
		}
		if root, _ = d.Get(found[0]); note != "" {
			note += "; "
		}
		note += fmt.Sprintf("the tensors are those under %s", found[0])
		if len(others) > 0 {
			note += fmt.Sprintf("; left out: %.100s", strings.Join(others, ", "))
		}
	}
	return root, note, nil
}

// mostWrappers is how deep a model may lie in a script's file.
const mostWrappers = 4

func hasTensors(d *Dict) bool {
	return slices.ContainsFunc(d.Items, func(it Item) bool { _, ok := it.Value.(Named); return ok })
}

// leadsToModel tells whether an item is a wrapper with tensors in it, or in a wrapper in it.
func leadsToModel(it Item, depth int) bool {
	key, _ := it.Key.(string)
	d, ok := it.Value.(*Dict)
	if !ok || depth == 0 || !slices.Contains(wrappers, key) {
		return false
	}
	return hasTensors(d) || slices.ContainsFunc(d.Items, func(it Item) bool { return leadsToModel(it, depth-1) })
}

// prefixes are what wrappers of models put before each name: DistributedDataParallel.
var prefixes = []string{"module.", "_orig_mod."}

// parts are what wrappers of layers put into the names of theirs: torch.compile, checkpoints of
// activations, FullyShardedDataParallel.
var parts = []string{"_orig_mod.", "_checkpoint_wrapped_module.", "_fsdp_wrapped_module."}

// unwrap takes out of the names what wrappers have put there: a prefix that every name has, and
// parts that no layer is called.
func (s *Set) unwrap() {
	for again := true; again; {
		again = false
		for _, prefix := range prefixes {
			if len(s.names) == 0 || slices.ContainsFunc(s.names, func(name string) bool { return !strings.HasPrefix(name, prefix) }) {
				continue
			}
			again = s.rename(func(name string) string { return strings.TrimPrefix(name, prefix) }, "every name has the prefix "+prefix+", which is left out")
		}
	}
	for _, part := range parts {
		if slices.ContainsFunc(s.names, func(name string) bool { return strings.Contains("."+name, "."+part) }) {
			s.rename(func(name string) string { return strings.ReplaceAll("."+name, "."+part, ".")[1:] }, "names have the part "+part+", which is left out")
		}
	}
}

// rename gives all tensors other names, and a note of it, unless two would have one.
func (s *Set) rename(to func(name string) string, note string) bool {
	tensors := make(map[string]Named, len(s.tensors))
	for name, n := range s.tensors {
		n.Name = to(name)
		tensors[n.Name] = n
	}
	if len(tensors) < len(s.tensors) {
		return false
	}
	s.tensors, s.notes = tensors, append(s.notes, note)
	s.sort()
	return true
}
