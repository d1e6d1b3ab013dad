package model

import (
	"slices"

	"olmo/tensor"
	"olmo/weights"
)

// A copy that keeps its source's dtypes keeps them tensor by tensor: what the copy's layout has
// stays, other numbers become F32, which holds all of them. A tensor that both layouts cut alike
// is copied byte by byte, because most block types, quantised again, would not be the same.

// Copying is told what becomes of a parameter that is copied as it stands, before it is; an error
// ends the writing.
type Copying func(param string) error

// SaveHF writes a Hugging Face folder as the function SaveHF does, in the dtypes of l.
func (l *Loaded) SaveHF(dir string, get Source, copying Copying, shardBytes int64) error {
	as, err := l.own(HuggingFace, copying)
	if err != nil {
		return err
	}
	return saveHF(dir, l.Config, get, as, shardBytes, l.Stop)
}

// SaveAI2 writes a folder of the ai2-olmo package as the function SaveAI2 does, in the dtypes of l.
func (l *Loaded) SaveAI2(dir string, get Source, copying Copying) error {
	as, err := l.own(Native, copying)
	if err != nil {
		return err
	}
	return saveAI2(dir, l.Config, get, as, l.Stop)
}

// SaveGGUF writes a GGUF file as the function SaveGGUF does, in the dtypes of l.
func (l *Loaded) SaveGGUF(path string, get Source, copying Copying, tokenizer []weights.KV) error {
	as, err := l.own(GGUF, copying)
	if err != nil {
		return err
	}
	fileType, ok := ggufFileTypes[l.DType]
	if !ok {
		fileType = ggufFileTypes[tensor.F32]
	}
	if l.GGUF != nil {
		if n, ok := l.GGUF.Int("general.file_type"); ok {
			fileType = uint32(n)
		}
	}
	return saveGGUF(path, l.Config, get, as, nil, fileType, tokenizer, l.Stop)
}

// own chooses the dtypes of the source for a copy in a layout.
func (l *Loaded) own(to Layout, copying Copying) (choice, error) {
	target, err := l.Config.layoutOf(to)
	if err != nil {
		return nil, err
	}
	return func(name string, shape []int) (tensor.DType, func() ([]byte, error)) {
		d := l.dtypeOf(target.byName[name])
		if to.Fits(d) != nil {
			return tensor.F32, nil
		}
		if to == l.Layout {
			if copied := l.standing(name, shape, d, target.byName[name], copying); copied != nil {
				return d, copied
			}
		}
		// What is assembled anew may have other rows than the blocks, and llama.cpp's converter
		// leaves some tensors F32.
		if d.IsQuantized() || to == GGUF && keepsF32(name, shape) {
			return tensor.F32, nil
		}
		return d, nil
	}, nil
}

// standing returns the bytes of a tensor of the source's own layout as they stand; nil, where they have another
// dtype or shape, or an adapter changes them.
func (l *Loaded) standing(name string, shape []int, d tensor.DType, links []link, copying Copying) func() ([]byte, error) {
	if n, ok := l.Set.Header(l.file(name)); !ok || n.DType != d || !slices.Equal(n.Shape, shape) || l.merged.changes(links) {
		return nil
	}
	return func() ([]byte, error) { return l.copyOf(name, links, copying) }
}

// dtypeOf returns the dtype in which the source holds the rows of a tensor: F32 where it has
// several.
func (l *Loaded) dtypeOf(links []link) tensor.DType {
	d := tensor.Invalid
	for _, k := range links {
		for _, s := range l.layout.byParam[k.param] {
			if s.row >= k.row+k.rows || k.row >= s.row+s.rows {
				continue
			}
			n, ok := l.Set.Header(l.file(s.tensor))
			if !ok || d != tensor.Invalid && n.DType != d {
				return tensor.F32
			}
			d = n.DType
		}
	}
	return d
}

// copyOf returns the bytes of a tensor as they stand.
func (l *Loaded) copyOf(name string, links []link, copying Copying) ([]byte, error) {
	for _, k := range links {
		if err := copying(k.param); err != nil {
			return nil, err
		}
	}
	t, err := l.Set.Tensor(l.file(name))
	return t.Data, err
}
