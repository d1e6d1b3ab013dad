// Package lm is an opened model: weights on a device with their tokenizer, chat
// template and stops, and the one way to generate, score and chat with them.
//
// A Model comes from files (Open), from weights on a device (New) or from a trainer that goes on
// changing them (OfTrainer). It is asked through what is made of it:
//
//	Generator  continues prompts, in ids and as text
//	Chat       answers conversations
//	Scorer     the log-probabilities of given tokens
//	Logits     everything that the model says after each token
//
// A RewardModel judges sequences by one number.
package lm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/model"
	"olmo/tokenizer"
)

// Model is a language model on a device. It and what is made of it are used by one
// goroutine at a time, as the device is.
type Model struct {
	Config *model.Config
	// Tokenizer turns text into the model's ids; nil when there is none, and then only
	// ids go in and come out.
	Tokenizer *tokenizer.Tokenizer
	// Stop lists the ids that end a text.
	Stop []int32
	// Path is where the model was opened, as it was given; empty for one that was not.
	Path string
	// Files is the checkpoint that was opened, readable until its weights are on the
	// device. It is nil for a model that was not opened.
	Files *model.Loaded
	// Device holds the parameters under their names.
	Device device.Device

	adapter *Adapter // of Options
	bf16    bool
	full    bool // the weights of Files are on the device
}

// Options say how a model runs; zero values take defaults.
type Options struct {
	Device    device.Device        // a new CPU device
	Tokenizer *tokenizer.Tokenizer // the model's own
	BF16      bool                 // the arithmetic of an amp_bf16 run, instead of f32
	// IgnoreExtra leaves out tensors that the config has no place for, instead of an error.
	IgnoreExtra bool
	// Adapter is added to the matrices of the checkpoint as they run, unmerged; nil: none.
	Adapter *Adapter
}

// Adapter is a set of matrices of low rank for a model that is opened. (A model of weights that
// are on the device has its adapters in its Config, and their matrices there.)
type Adapter struct {
	model.Adapters
	// Weights returns a matrix of model.Config.AdapterParams.
	Weights func(p model.Param) ([]float32, error)
}

// Open opens a checkpoint of any layout, as model.Open finds it, and its tokenizer. Only
// headers are read: the weights follow when the first Generator, Scorer or Logits
// has made room for them on the device. Close releases the files. A reward model is opened by
// OpenReward alone.
func Open(path string, o Options) (*Model, error) {
	m, err := open(path, o)
	if err == nil && m.Config.Reward {
		return nil, errors.Join(fmt.Errorf("%s is a reward model: it judges answers, and writes none\nhint: 'olmo adapt score --reward-model %s' judges those of a file", path, path), m.Close())
	}
	return m, err
}

// open is Open of reward models, too.
func open(path string, o Options) (*Model, error) {
	files, err := model.OpenWith(path, model.OpenOptions{IgnoreExtra: o.IgnoreExtra})
	if err != nil {
		return nil, fmt.Errorf("opening the model %s: %w", path, err)
	}
	if o.Tokenizer == nil {
		if o.Tokenizer, err = TokenizerOf(files); err != nil {
			return nil, errors.Join(err, files.Close())
		}
	}
	c := *files.Config
	if o.Adapter != nil {
		c.Adapters = &o.Adapter.Adapters
		if err := c.Validate(); err != nil {
			return nil, errors.Join(fmt.Errorf("adapting the model %s: %w", path, err), files.Close())
		}
	}
	m, err := New(&c, o)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	m.adapter = o.Adapter
	m.Path, m.Files, m.Stop = path, files, files.Stop
	return m, nil
}

// New makes a model of weights that are on o.Device already, or will be written there
// when a Generator or Scorer has made room for them. They may change at any time
// between two calls, by a Write or by a step of training: the next answer is the new
// weights'.
func New(c *model.Config, o Options) (*Model, error) {
	m := &Model{Config: c, Tokenizer: o.Tokenizer, Device: o.Device, bf16: o.BF16}
	if c.EOS >= 0 {
		m.Stop = []int32{c.EOS}
	}
	var err error
	if m.Device == nil {
		m.Device, err = cpu.New()
	}
	return m, err
}

// fill brings the weights of the checkpoint to the device, where a program that was
// compiled has made room, and closes the files.
func (m *Model) fill() error {
	if m.Files == nil || m.full {
		return nil
	}
	m.full = true
	err := m.Files.Each(func(p model.Param, w []float32) error { return m.Device.Write(p.Name, w) })
	if err != nil {
		err = fmt.Errorf("reading the weights of %s: %w", m.Path, err)
	}
	return errors.Join(err, m.adapt(), m.Files.Close())
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

// Digest returns the weights_digest of the checkpoint, in hexadecimal digits: a hash over
// the names, types, shapes and bytes of its tensors.
func (m *Model) Digest() (string, error) {
	if m.Files == nil {
		return "", errors.New("a model without files has no digest")
	}
	if m.adapter != nil {
		return "", errors.New("a model with an adapter has no digest: the checkpoint's would say nothing of it")
	}
	files := m.Files
	if m.full { // and closed
		var err error
		if files, err = files.Reopen(); err != nil {
			return "", err
		}
		defer files.Close()
	}
	sum, err := files.Set.Digest()
	if err != nil {
		return "", fmt.Errorf("reading the weights of %s: %w", m.Path, err)
	}
	return hex.EncodeToString(sum[:]), nil
}

// Close releases the files. What was made of the model goes on working.
func (m *Model) Close() error {
	if m.Files == nil {
		return nil
	}
	return m.Files.Close()
}

// TokenizerOf loads the tokenizer of a checkpoint: the tokenizer.json beside it, with the
// special tokens that other files there name, or the
// vocabulary inside a GGUF file. It is nil when there is none, and for a vocabulary
// that no tokenizer.json can hold: such a model still works on ids.
func TokenizerOf(files *model.Loaded) (*tokenizer.Tokenizer, error) {
	switch {
	case files.Tokenizer != "":
		return tokenizer.Load(filepath.Dir(files.Tokenizer))
	case files.GGUF != nil:
		if t, unknown := tokenizer.FromGGUF(tokenizer.ReadGGUF(files.GGUF)); unknown == nil {
			return t, nil
		}
	}
	return nil, nil
}
