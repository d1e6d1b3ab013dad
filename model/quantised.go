package model

import (
	"cmp"
	"errors"
	"fmt"
)

// ErrQuantised is a checkpoint whose numbers are codes of a quantisation that is not read.
var ErrQuantised = errors.New("the weights are quantised")

// notQuantised refuses a config.json that says that the weights beside it are quantised. Their
// names and shapes may be those of weights, and their numbers are none: bitsandbytes' int8 codes
// as they stand give a model that runs, and says nonsense.
func notQuantised(m map[string]any) error {
	// compressed-tensors' first releases had a key of their own.
	for _, key := range []string{"quantization_config", "compression_config"} {
		v, ok := m[key]
		if !ok || v == nil {
			continue
		}
		method := "a method that it does not name"
		if q, ok := v.(map[string]any); ok {
			name, _ := q["quant_method"].(string)
			if name == "" && (q["load_in_8bit"] == true || q["load_in_4bit"] == true) {
				name = "bitsandbytes" // which named itself only later
			}
			if name == "" && key == "compression_config" {
				name = "compressed-tensors"
			}
			method = cmp.Or(name, method)
		}
		return fmt.Errorf("%w with %.60s, as %s says, and its codes are not read\nhint: take the model before quantisation, or one that was dequantised and saved as float32, float16 or bfloat16, or a GGUF file", ErrQuantised, method, key)
	}
	return nil
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
