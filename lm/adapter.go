package lm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"olmo/model"
	"olmo/tensor"
	"olmo/tokenizer"
)

// Adapter is a set of matrices of low rank for a model that is opened. (A model of weights that
// are on the device has its adapters in its Config, and their matrices there.)
type Adapter struct {
	model.Adapters
	// Weights returns a matrix of model.Config.AdapterParams.
	Weights func(p model.Param) ([]float32, error)

	close  func() error // the file; nil without one
	name   string       // by which requests choose it
	folder string
	stop   []int32 // that end its texts
}

// OpenAdapter opens the adapter in a folder, as PEFT writes them, for a model. Who opens a model with
// it closes it by closing that.
func OpenAdapter(folder string, c *model.Config) (*Adapter, error) {
	p, err := model.OpenPEFT(folder, c)
	if err != nil {
		return nil, fmt.Errorf("opening the adapter %s: %w", folder, err)
	}
	return &Adapter{Adapters: p.Adapters, Weights: p.Weights, close: p.Close, folder: folder}, nil
}

// AddAdapter opens the adapter in a folder beside the model's weights, which stay as they are stored: requests
// choose it by its name. It is added before the first Generator or Writer, and closed with the model. The
// tokenizer is the model's, of which an adapter with another is refused; its stops and its chat template are its
// own where it has them.
func (m *Model) AddAdapter(name, folder string) error {
	switch {
	case m.Files == nil || m.stored:
		return errors.New("adapters are added to a model from files, before it runs")
	case m.adapter != nil:
		return fmt.Errorf("the model %s is an adapter itself, and takes no other beside it\nhint: name its base model, and both as adapters", m.Path)
	}
	if _, err := m.AdapterNumber(name); name == "" || err == nil {
		return fmt.Errorf("two adapters are called %q\nhint: NAME=PATH calls one otherwise", name)
	}
	a, err := OpenAdapter(folder, m.Config)
	if err != nil {
		return err
	}
	a.name = name
	m.adapters = append(m.adapters, a)
	if a.stop, err = model.MoreStops(m.Stop, folder); err != nil {
		return err
	}
	if m.Tokenizer != nil && exists(folder, "tokenizer.json") {
		own, err := tokenizer.Load(folder)
		if err != nil {
			return err
		}
		if own.Fingerprint() != m.Tokenizer.Fingerprint() {
			return fmt.Errorf("the adapter %s has another tokenizer than the model %s\nhint: --model %[1]s --base %[2]s runs it alone, with its own", folder, m.Path)
		}
	}
	return nil
}

// AdapterNumber is what generate calls the adapter of a name; "" is the model itself.
func (m *Model) AdapterNumber(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	var names []string
	for i, a := range m.adapters {
		if a.name == name {
			return i + 1, nil
		}
		names = append(names, a.name)
	}
	if names == nil {
		return 0, fmt.Errorf("there is no adapter %q, and no other", name)
	}
	return 0, fmt.Errorf("there is no adapter %q; there are %s", name, strings.Join(names, ", "))
}

// chosen is the adapter of a name; nil: the model itself.
func (m *Model) chosen(name string) *Adapter {
	if n, err := m.AdapterNumber(name); err == nil && n > 0 {
		return m.adapters[n-1]
	}
	return nil
}

// StopOf are the ids that end a text of the model with an adapter.
func (m *Model) StopOf(adapter string) []int32 {
	if a := m.chosen(adapter); a != nil {
		return a.stop
	}
	return m.Stop
}

// baseOf finds the checkpoint that a path leads to: itself, or, of a folder with an adapter, which is
// then returned too, the one in Options or that the adapter names: a path from here, or from the folder.
func baseOf(path string, o Options) (base, folder string, err error) {
	if o.Adapter != nil || !exists(path, model.PEFTConfigFile) {
		if o.Base != "" {
			return "", "", fmt.Errorf("%s is no folder with an adapter, and so has no other model for a base", path)
		}
		return path, "", nil
	}
	if o.Base != "" {
		return o.Base, path, nil
	}
	named, err := model.PEFTBase(path)
	if err != nil {
		return "", "", err
	}
	if named == "" {
		return "", "", fmt.Errorf("the adapter %s does not say which model it belongs to\nhint: --base PATH says where that is", path)
	}
	for _, at := range []string{named, filepath.Join(path, named)} {
		if _, err := os.Stat(at); err == nil {
			return at, path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", "", err
		}
	}
	return "", "", fmt.Errorf("the adapter %s belongs to the model %s, which is not here\nhint: --base PATH says where it is", path, named)
}

func exists(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name))
	return err == nil
}

// adapt brings the matrices of the adapter to the device.
func (m *Model) adapt() error {
	if m.adapter == nil {
		return nil
	}
	for _, p := range m.Config.AdapterParams() {
		w, err := m.adapter.Weights(p)
		if err == nil {
			err = m.Device.Write(p.Name, w)
		}
		if err != nil {
			return fmt.Errorf("reading the adapter: %w", err)
		}
	}
	return nil
}

// storeAdapters brings the matrices of the adapters that requests choose to the device.
func (m *Model) storeAdapters() error {
	for i, a := range m.adapters {
		with := *m.Config
		with.Adapters = &a.Adapters
		for _, p := range with.AdapterParams() {
			w, err := a.Weights(p)
			if err != nil {
				return fmt.Errorf("reading the adapter %s: %w", a.folder, err)
			}
			data, row := tensor.FromFloat32(p.Shape, w).Data, 4*p.Shape[1]
			err = m.Device.Store(model.AdapterName(i+1, p.Name), p.Shape, func(r int) (tensor.DType, []byte) { return tensor.F32, data[r*row : (r+1)*row] })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// digest is a hash over the base's weights_digest and the adapter's; c is the config of the model with it.
func (a *Adapter) digest(c *model.Config, base [sha256.Size]byte) (sum [sha256.Size]byte, err error) {
	own, err := a.Digest(c.AdapterParams(), a.Weights)
	return sha256.Sum256(append(base[:], own[:]...)), err
}
