package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/lm"
)

// ignoreExtraFlag adds the flag of the verbs that open a model.
func ignoreExtraFlag(f *pflag.FlagSet, to *bool) {
	f.BoolVar(to, "ignore-extra", false, "leave out tensors that the model's config has no place for, instead of failing")
}

// openModel opens the model of --model in the arithmetic of --precision, with the tokenizer of
// --tokenizer when that is not empty, and says what of its files is left out.
func openModel(c *cobra.Command, path, tokenizerName string, bf16, ignoreExtra bool) (*lm.Model, error) {
	if path == "" {
		return nil, usageErrorf("--model is needed")
	}
	o := lm.Options{BF16: bf16, IgnoreExtra: ignoreExtra}
	if tokenizerName != "" {
		var err error
		if o.Tokenizer, err = loadTokenizer(tokenizerName); err != nil {
			return nil, err
		}
	}
	m, err := lm.Open(path, o)
	if err != nil {
		return nil, err
	}
	for _, text := range m.Files.Told() {
		fmt.Fprintf(c.ErrOrStderr(), "%s: note: %s\n", c.CommandPath(), text)
	}
	return m, nil
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
