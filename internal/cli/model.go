package cli

import (
	"fmt"

	"olmo/lm"
)

// openModel opens the model of --model in the arithmetic of --precision, with the tokenizer of
// --tokenizer when that is not empty.
func openModel(path, tokenizerName string, bf16 bool) (*lm.Model, error) {
	if path == "" {
		return nil, usageErrorf("--model is needed")
	}
	o := lm.Options{BF16: bf16}
	if tokenizerName != "" {
		var err error
		if o.Tokenizer, err = loadTokenizer(tokenizerName); err != nil {
			return nil, err
		}
	}
	return lm.Open(path, o)
}

// needTokenizer is the error of a verb that works on text; hint says what else works.
func needTokenizer(m *lm.Model, hint string) error {
	if m.Tokenizer != nil {
		return nil
	}
	return fmt.Errorf("the model %s has no tokenizer.json\nhint: put the model's tokenizer.json beside its weights, or name one with --tokenizer%s", m.Path, hint)
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
