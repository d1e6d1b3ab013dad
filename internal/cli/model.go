package cli

import (
	"errors"
	"fmt"

	"olmo/device/cpu"
	"olmo/model"
	"olmo/tokenizer"
)

// openedModel is a checkpoint with a device to run it and the tokenizer beside it.
type openedModel struct {
	*model.Loaded
	path string // as the user gave it
	dev  *cpu.Device
	tok  *tokenizer.Tokenizer // nil when there is none
}

// openModel reads headers alone; fill brings the weights once a program has made room
// on the device. tokenizerName overrides the model's own tokenizer when not empty.
func openModel(path, tokenizerName string) (_ *openedModel, err error) {
	if path == "" {
		return nil, usageErrorf("--model is needed")
	}
	m := &openedModel{path: path}
	if m.dev, err = cpu.New(); err != nil {
		return nil, err
	}
	if m.Loaded, err = model.Open(path); err != nil {
		return nil, fmt.Errorf("opening the model %s: %w", path, err)
	}
	file := m.Tokenizer
	if tokenizerName != "" {
		if file, err = findTokenizer(tokenizerName); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	switch {
	case file != "":
		m.tok, err = tokenizer.Load(file)
	case m.GGUF != nil:
		// A vocabulary that has no tokenizer.json here leaves the model without one: it
		// still works on ids.
		if t, unknown := tokenizer.FromGGUF(tokenizer.ReadGGUF(m.GGUF)); unknown == nil {
			m.tok = t
		}
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// needTokenizer is the error of a verb that works on text; hint says what else works.
func (m *openedModel) needTokenizer(hint string) error {
	if m.tok != nil {
		return nil
	}
	return fmt.Errorf("the model %s has no tokenizer.json\nhint: put the model's tokenizer.json beside its weights, or name one with --tokenizer%s", m.path, hint)
}

// fill writes the parameters to the device and closes the files.
func (m *openedModel) fill() error {
	err := m.Each(func(p model.Param, w []float32) error { return m.dev.Write(p.Name, w) })
	if err != nil {
		err = fmt.Errorf("reading the weights of %s: %w", m.path, err)
	}
	return errors.Join(err, m.Close())
}

// precisionFlag reads the value of --precision.
func precisionFlag(s string) (bf16 bool, err error) {
	switch s {
	case "fp32", "f32":
		return false, nil
	case "amp_bf16", "bf16":
		return true, nil
	}
	return false, usageErrorf("--precision %s is not known\nhint: one of fp32, amp_bf16", s)
}
