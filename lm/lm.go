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
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"olmo/constrain"
	"olmo/device"
	"olmo/device/cpu"
	"olmo/generate"
	"olmo/model"
	"olmo/numeric"
	"olmo/proof"
	"olmo/tensor"
	"olmo/tokenizer"
)

// Model is a language model on a device. It and what is made of it are used by one
// goroutine at a time, as the device is; but many may ask one Generator.
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

	adapter   *Adapter   // of Options, or of the folder
	adapters  []*Adapter // that requests choose
	folder    string     // that has the adapter, and perhaps a tokenizer and a template of its own
	precision numeric.Precision
	stored    bool // the matrices of Files are on the device
	full      bool // and all else
	running   *generate.Engine
	memory    int64 // of its keys and values, as it was asked for

	vocabulary *constrain.Vocabulary // nil until a Form wants it
	bound      int64                 // of Options
	kv         tensor.DType          // likewise
	noGuesses  bool                  // likewise
	draft      *Model                // likewise
}

// Options say how a model runs; zero values take defaults.
type Options struct {
	Device    device.Device        // a new CPU device
	Tokenizer *tokenizer.Tokenizer // the model's own
	Precision numeric.Precision    // of the run whose arithmetic this is
	// Quantize is a dtype of blocks that weights are kept in which the checkpoint has in plain numbers; Invalid: as
	// they are stored.
	Quantize tensor.DType
	// IgnoreExtra leaves out tensors that the config has no place for, instead of an error.
	IgnoreExtra bool
	// Memory is that of keys and values, in bytes, for requests that do not say it; 0: half of what is free.
	Memory int64
	// NoGuesses writes answers token by token, also where the next ones are likely. It changes no bit.
	NoGuesses bool
	// Draft is a smaller model with the same tokens, which guesses what this one writes: it changes no bit. It is
	// closed with this one. nil: none.
	Draft *Model
	// KV is the dtype in which keys and values are kept: F32 (or Invalid), F16 or Q8_0.
	KV tensor.DType
	// Adapter is added to the matrices of the checkpoint as they run, unmerged; nil: none, or the one
	// in the folder that is opened.
	Adapter *Adapter
	// Base is the checkpoint that the adapter in the folder is opened with, in place of the one that it
	// names.
	Base string
}

// Open opens a checkpoint of any layout, as model.Open finds it, and its tokenizer; or a folder with
// an adapter, as PEFT writes them, and the checkpoint that it belongs to. Only headers are read: the
// weights follow when the first Generator, Scorer or Logits has made room for them on the device.
// Close releases the files. A reward model is opened by OpenReward alone.
func Open(path string, o Options) (*Model, error) {
	m, err := open(path, o)
	if err == nil && m.Config.Reward {
		return nil, errors.Join(fmt.Errorf("%s is a reward model: it judges answers, and writes none\nhint: 'olmo adapt score --reward-model %s' judges those of a file", path, path), m.Close())
	}
	return m, err
}

// open is Open of reward models, too.
func open(path string, o Options) (*Model, error) {
	base, folder, err := baseOf(path, o)
	if err != nil {
		return nil, err
	}
	files, err := model.OpenWith(base, model.OpenOptions{IgnoreExtra: o.IgnoreExtra, Quantize: o.Quantize})
	if err != nil {
		return nil, fmt.Errorf("opening the model %s: %w", base, err)
	}
	if o.Quantize != tensor.Invalid && !files.Quantizes() {
		why := "have no rows that fill them"
		if files.InBlocks() {
			why = "lie in blocks already"
		}
		return nil, errors.Join(fmt.Errorf("there is nothing to make %s blocks of: the matrices of %s %s\nhint: leave --quantize out", strings.ToLower(o.Quantize.String()), base, why), files.Close())
	}
	if o.Precision == numeric.Int8 && !files.InBlocks() {
		stored := files.Stored
		if stored == "" {
			stored = strings.ToLower(files.DType.String())
		}
		return nil, errors.Join(fmt.Errorf("the weights of %s are stored as %s, and int8 multiplies with weights in blocks\nhint: --quantize q8_0 makes blocks of them now, 'olmo convert --from %s --to gguf --out model.gguf --dtype q8_0' a file", base, stored, base), files.Close())
	}
	if err := generate.CheckKV(o.KV, o.Precision, files.Config.D); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", base, err), files.Close())
	}
	m, err := ofFiles(files, folder, o)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	m.Path = path
	if m.draft != nil {
		if err := m.checkDraft(); err != nil {
			m.draft = nil // the caller's
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// ofFiles is open of files, and of the adapter in a folder if that is named.
func ofFiles(files *model.Loaded, folder string, o Options) (m *Model, err error) {
	if folder != "" {
		if o.Adapter, err = OpenAdapter(folder, files.Config); err != nil {
			return nil, err
		}
		if err := files.MoreStops(folder); err != nil {
			return nil, errors.Join(err, o.Adapter.close())
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, o.Adapter.close())
			}
		}()
	}
	switch {
	case o.Tokenizer != nil:
	case folder != "" && exists(folder, "tokenizer.json"):
		o.Tokenizer, err = tokenizer.Load(folder)
	default:
		o.Tokenizer, err = TokenizerOf(files)
	}
	if err != nil {
		return nil, err
	}
	if m, err = New(files.Config, o); err != nil {
		return nil, fmt.Errorf("adapting the model %s: %w", files.Path, err)
	}
	m.Files, m.Stop, m.folder = files, files.Stop, folder
	return m, nil
}

// New makes a model of weights that are on o.Device already, or will be written there
// when a Generator or Scorer has made room for them. They may change at any time
// between two calls, by a Write or by a step of training: the next answer is the new
// weights'. The error is that of an adapter that the model cannot have.
func New(c *model.Config, o Options) (*Model, error) {
	m := &Model{Config: c, Tokenizer: o.Tokenizer, Device: o.Device, adapter: o.Adapter, precision: o.Precision, bound: o.Memory, kv: o.KV, noGuesses: o.NoGuesses, draft: o.Draft}
	if c.EOS >= 0 {
		m.Stop = []int32{c.EOS}
	}
	if o.Adapter != nil {
		adapted := *c
		adapted.Adapters = &o.Adapter.Adapters
		m.Config = &adapted
		if err := adapted.Validate(); err != nil {
			return nil, err
		}
	}
	var err error
	if m.Device == nil {
		m.Device, err = cpu.New()
	}
	return m, err
}

// with compiles a program of the model, and brings the weights of the checkpoint to the device for the
// first one: the matrices before it, in the numbers in which they are stored, and what is left when it
// has made room for that.
func (m *Model) with(compile func() error) error {
	if m.Files == nil || m.full {
		return compile()
	}
	if !m.stored {
		m.stored = true
		err := m.Files.EachMatrix(func(p model.Param, row func(r int) (tensor.DType, []byte)) error {
			return m.Device.Store(p.Name, p.Shape, row)
		})
		if err != nil {
			return fmt.Errorf("reading the weights of %s: %w", m.Path, errors.Join(err, m.Files.Close()))
		}
		if err := m.storeAdapters(); err != nil {
			return errors.Join(err, m.Files.Close())
		}
	}
	if err := compile(); err != nil {
		return err
	}
	m.full = true
	err := m.Files.EachVector(func(p model.Param, w []float32) error { return m.Device.Write(p.Name, w) })
	if err != nil {
		err = fmt.Errorf("reading the weights of %s: %w", m.Path, err)
	}
	return errors.Join(err, m.adapt(), m.Files.Close())
}

// Digest returns the weights_digest of the checkpoint, in hexadecimal digits: a hash over
// the names, types, shapes and bytes of its tensors. With an adapter it is a hash over that and the
// adapter.
func (m *Model) Digest() (string, error) { return m.digest(m.adapter, m.Config) }

// digest is Digest with an adapter, or nil; c is the config of the model with it.
func (m *Model) digest(a *Adapter, c *model.Config) (string, error) {
	if m.Files == nil {
		return "", errors.New("a model without files has no digest")
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
	if a != nil {
		if sum, err = a.digest(c, sum); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum[:]), nil
}

// Precision is the arithmetic in which the model runs.
func (m *Model) Precision() numeric.Precision { return m.precision }

// Fingerprint names what an answer follows from beside its request: weights, config, tokenizer, precision, the
// dtype of keys and values where that is not F32, and the contract of numbers, as 16 hexadecimal digits.
func (m *Model) Fingerprint() (string, error) { return m.FingerprintOf("") }

// FingerprintOf is that of answers with the adapter of a name: the one that the model has which is opened from
// the adapter's folder.
func (m *Model) FingerprintOf(adapter string) (string, error) {
	a, c := m.adapter, m.Config
	if chosen := m.chosen(adapter); chosen != nil {
		with := *c
		with.Adapters = &chosen.Adapters
		a, c = chosen, &with
	}
	weights, err := m.digest(a, c)
	if err != nil {
		return "", err
	}
	parts := map[string]any{"weights": weights, "config": c, "precision": m.precision.String(), "contract": numeric.Contract}
	if m.kv != tensor.Invalid && m.kv != tensor.F32 {
		parts["kv"] = m.kv.String()
	}
	if m.Tokenizer != nil {
		parts["tokenizer"] = m.Tokenizer.Fingerprint()
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return "", err
	}
	return proof.Sum(text).String()[:16], nil
}

// Close releases the files. What was made of the model goes on working.
func (m *Model) Close() error {
	var errs []error
	if m.Files != nil {
		errs = append(errs, m.Files.Close())
	}
	if m.draft != nil {
		errs = append(errs, m.draft.Close())
	}
	for _, a := range append(slices.Clip(m.adapters), m.adapter) {
		if a != nil && a.close != nil {
			errs = append(errs, a.close())
		}
	}
	return errors.Join(errs...)
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
