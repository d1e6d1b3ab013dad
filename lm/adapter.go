package lm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"olmo/model"
)

// Adapter is a set of matrices of low rank for a model that is opened. (A model of weights that
// are on the device has its adapters in its Config, and their matrices there.)
type Adapter struct {
	model.Adapters
	// Weights returns a matrix of model.Config.AdapterParams.
	Weights func(p model.Param) ([]float32, error)

	close func() error // the file; nil without one
}

// OpenAdapter opens the adapter in a folder, as PEFT writes them, for a model. Who opens a model with
// it closes it by closing that.
func OpenAdapter(folder string, c *model.Config) (*Adapter, error) {
	p, err := model.OpenPEFT(folder, c)
	if err != nil {
		return nil, fmt.Errorf("opening the adapter %s: %w", folder, err)
	}
	return &Adapter{p.Adapters, p.Weights, p.Close}, nil
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

// digest is a hash over the base's weights_digest and the adapter's.
func (a *Adapter) digest(c *model.Config, base [sha256.Size]byte) (sum [sha256.Size]byte, err error) {
	own, err := a.Digest(c.AdapterParams(), a.Weights)
	return sha256.Sum256(append(base[:], own[:]...)), err
}
