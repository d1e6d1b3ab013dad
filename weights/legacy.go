package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
)

// legacyMagic begins, as the first pickle, what torch.save wrote before PyTorch 1.6, and writes
// still with _use_new_zipfile_serialization=False.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// isLegacy reports whether a file begins with that pickle, in protocol 2 or another.
func isLegacy(data []byte) bool {
	if len(data) < 2 || data[0] != 0x80 {
		return false
	}
	u := &unpickler{data: data[:min(len(data), 64)], memo: map[int]any{}}
	v, err := u.unpickle()
	n, ok := v.(*big.Int)
	return err == nil && ok && n.Cmp(legacyMagic) == 0
}

// legacyTree returns what such a file holds. It is five pickles behind each other (torch/serialization.py,
// _legacy_save): the magic number, the version 1001, sizes of the machine's types, the object, and the
// keys of its storages; then each storage in the order of the keys, the number of its elements as an
// int64 before the elements.
func legacyTree(path string, data []byte) (any, error) {
	at := 0
	storages := map[string]*storage{}
	next := func(resolve func(id any) (any, error)) (any, error) {
		u := &unpickler{path: path, base: int64(at), data: data[at:min(len(data), at+maxPickle)], storage: resolve}
		v, err := u.unpickle()
		at += u.pos
		return v, err
	}
	if _, err := next(nil); err != nil {
		return nil, err
	}
	version, err := next(nil)
	if err != nil {
		return nil, err
	}
	if version != int64(1001) {
		return nil, &FileError{path, int64(at), fmt.Errorf("version %v of torch.save's format before PyTorch 1.6 is not known", version)}
	}
	machine, err := next(nil)
	if err != nil {
		return nil, err
	}
	if d, ok := machine.(*Dict); ok {
		if little, ok := d.Get("little_endian"); ok && little != true {
			return nil, &FileError{path, int64(at), errors.New("the file was written on a big-endian machine; save the checkpoint again on a little-endian one")}
		}
	}
	root, err := next(func(id any) (any, error) { return legacyStorage(id, storages) })
	if err != nil {
		return nil, err
	}
	keys, err := next(nil)
	if err != nil {
		return nil, err
	}
	list, ok := keys.(*List)
	if !ok {
		return nil, &FileError{path, int64(at), errors.New("the list of storages is none")}
	}
	return root, placeStorages(path, data, at, list.Items, storages)
}

// legacyStorage resolves a persistent id ("storage", class, key, device, number of elements, view).
// Its bytes are found when everything is read.
func legacyStorage(id any, storages map[string]*storage) (any, error) {
	t, _ := id.(Tuple)
	if len(t) > 0 && t[0] == "module" {
		// A class, with its source: ("module", class, file, text).
		if len(t) > 1 {
			return t[1], nil
		}
		return nil, errors.New("a persistent id without a class")
	}
	if len(t) == 6 {
		if t[5] != nil {
			return nil, errors.New("a storage that is a view of another, as PyTorch wrote before 0.4, is not read")
		}
		t = t[:5]
	}
	key, st, err := parseStorage(t)
	if err != nil {
		return nil, err
	}
	if old, ok := storages[key]; ok {
		if old.class != st.class || old.numel != st.numel {
			return nil, fmt.Errorf("storage %.40q is used as %s and as %s", key, old.class, st.class)
		}
		return old, nil
	}
	st.entry = &zipEntry{name: key, verify: func() error { return nil }}
	storages[key] = st
	return st, nil
}

// placeStorages finds the bytes of the storages, which begin at a place of the file.
func placeStorages(path string, data []byte, at int, keys []any, storages map[string]*storage) error {
	seen := map[string]bool{}
	for _, k := range keys {
		key, _ := k.(string)
		st := storages[key]
		if st == nil || seen[key] {
			return &FileError{path, int64(at), fmt.Errorf("storage %.40q is not one of the object's, or stands twice in the list", fmt.Sprint(k))}
		}
		seen[key] = true
		if len(data)-at < 8 {
			return &FileError{path, int64(at), fmt.Errorf("the file ends before storage %.40q; it is cut short", key)}
		}
		n := binary.LittleEndian.Uint64(data[at:])
		at += 8
		hi, size := bits.Mul64(n, uint64(st.size))
		if n != uint64(st.numel) || hi != 0 {
			return &FileError{path, int64(at - 8), fmt.Errorf("storage %.40q has %d elements, the object asks for %d", key, n, st.numel)}
		}
		if size > uint64(len(data)-at) {
			return &FileError{path, int64(at), fmt.Errorf("storage %.40q of %d bytes ends after the file; it is cut short", key, size)}
		}
		st.entry.path, st.entry.offset, st.entry.data = path, int64(at), data[at:at+int(size)]
		at += int(size)
	}
	if len(seen) != len(storages) {
		return &FileError{path, int64(at), fmt.Errorf("%d of %d storages are not in the file", len(storages)-len(seen), len(storages))}
	}
	if at != len(data) {
		return &FileError{path, int64(at), fmt.Errorf("%d bytes follow the last storage", len(data)-at)}
	}
	return nil
}

// isPickle knows a pickle of protocol 2 and later. The length of a safetensors header may begin
// alike; then the header follows.
func isPickle(data []byte) bool {
	return len(data) > 8 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5 && data[8] != '{'
}
