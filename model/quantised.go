package model

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"olmo/internal/pyjson"
	"olmo/weights/quantised"
)

// ErrQuantised is a checkpoint whose numbers are codes of a quantisation, where they cannot be used.
var ErrQuantised = errors.New("the weights are quantised")

// quantisation returns what a config.json says of how the weights beside it are quantised: the
// key that says it, the method's name, and its settings. Without a key they are not.
func quantisation(m map[string]any) (key, method string, settings map[string]any) {
	// compressed-tensors' first releases had a key of their own.
	for _, key := range []string{"quantization_config", "compression_config"} {
		v, ok := m[key]
		if !ok || v == nil {
			continue
		}
		q, _ := v.(map[string]any)
		name, _ := q["quant_method"].(string)
		if name == "" && (q["load_in_8bit"] == true || q["load_in_4bit"] == true) {
			name = "bitsandbytes" // which named itself only later
		}
		if name == "" && key == "compression_config" {
			name = "compressed-tensors"
		}
		return key, name, q
	}
	return "", "", nil
}

// quantisationBeside is quantisation with AutoGPTQ's own file, from before Transformers knew of
// it, where the config.json is silent; path is the file that says it.
func quantisationBeside(dir string, m map[string]any) (path, key, method string, settings map[string]any, err error) {
	path = filepath.Join(dir, "config.json")
	key, method, settings = quantisation(m)
	if old := filepath.Join(dir, "quantize_config.json"); key == "" && exists(dir, "quantize_config.json") {
		if settings, err = pyjson.ReadObject(old); err != nil {
			return "", "", "", nil, err
		}
		key, method, path = "it", "gptq", old
		if name, ok := settings["quant_method"].(string); ok {
			method = name
		}
	}
	return path, key, method, settings, nil
}

// NotQuantised is ErrQuantised, with the method's name, for a folder whose config says that its
// weights are codes, read or not, and nil for every other path: also for one without a
// config.json that can be read.
func NotQuantised(dir string) error {
	m, err := pyjson.ReadObject(filepath.Join(dir, "config.json"))
	if err != nil {
		m = nil
	}
	path, key, method, _, err := quantisationBeside(dir, m)
	if err != nil || key == "" {
		return err
	}
	return fmt.Errorf("%s: %w with %.60s, as %s says", path, ErrQuantised, cmp.Or(method, "a method that it does not name"), key)
}

// dequantise lets the set have weights where the files have codes, or refuses a way of storing
// them that is not read. The names and shapes of codes may be those of weights, and the numbers
// are none: bitsandbytes' int8 codes as they stand give a model that runs, and says nonsense.
func (l *Loaded) dequantise(m map[string]any) error {
	path, key, method, settings, err := quantisationBeside(l.Path, m)
	if err != nil || key == "" {
		return err
	}
	o, err := quantised.Open(l.Set, method, settings)
	if errors.Is(err, quantised.ErrUnsupported) {
		return fmt.Errorf("%s: %w with %.60s, as %s says, and %w\nhint: take the model before quantisation, or one that was dequantised and saved as float32, float16 or bfloat16, or a GGUF file",
			path, ErrQuantised, cmp.Or(method, "a method that it does not name"), key, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.Path, err)
	}
	l.files, l.Set, l.Stored = l.Set, o.Set, o.Stored
	l.Notes = append(l.Notes, o.Notes...)
	return nil
}

// FileBytes is how many bytes of tensors lie in the files.
func (l *Loaded) FileBytes() int64 {
	set, total := l.Set, int64(0)
	if l.files != nil {
		set = l.files
	}
	for _, n := range set.All() {
		if size, err := n.DType.Bytes(n.Shape); err == nil {
			total += int64(size)
		}
	}
	return total
}

// notCodes refuses whole numbers and 8-bit floats under the name of a weight: what they stand
// for, a scale elsewhere says. GGUF's block types have theirs inside.
func (l *Loaded) notCodes() error {
	for _, t := range l.layout.tensors {
		n, ok := l.Set.Header(l.file(t))
		if !ok || n.DType.IsFloat() && n.DType.Size() > 1 || n.DType.IsQuantized() {
			continue
		}
		return fmt.Errorf("%w: %s: %s holds %v numbers, codes whose scales are not read\nhint: take the model before quantisation, or one that was dequantised", ErrQuantised, l.Path, n.Name, n.DType)
	}
	return nil
}
