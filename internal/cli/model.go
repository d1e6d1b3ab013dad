package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/hub/client"
	"olmo/lm"
	"olmo/numeric"
	"olmo/tensor"
)

// modelFlags say how a model is opened.
type modelFlags struct {
	base        string // of a folder with an adapter
	ignoreExtra bool
	quantize    string
	memory, kv  string // of keys and values
	speculate   string
	draft       string // the draft model
	adapters    []string
	several     bool // of them
}

// add adds the flags of the verbs that open a model to run it.
func (o *modelFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.base, "base", "", "of a folder with an adapter: its base model (default: the one that adapter_config.json names)")
	ignoreExtraFlag(f, &o.ignoreExtra)
	f.StringVar(&o.quantize, "quantize", "", "make blocks of weights that are stored in f32, f16 or bf16, as the model is opened: q8_0")
}

// addMemory adds the flags of the verbs that write answers.
func (o *modelFlags) addMemory(f *pflag.FlagSet) {
	f.StringVar(&o.memory, "kv-memory", "", "most memory for keys and values, such as 2GB (default: half of what is free)")
	f.StringVar(&o.kv, "kv", "f32", "keep keys and values in f32, f16 or q8_0: half and a quarter of the memory, and other bits")
}

// addSpeculate adds the flag of the verbs that may write several tokens of an answer in a step.
func (o *modelFlags) addSpeculate(f *pflag.FlagSet) {
	f.StringVar(&o.speculate, "speculate", "lookup", "what runs ahead where it pays, for the same answers: lookup (what followed the last words before) or off")
	f.StringVar(&o.draft, "draft", "", "a smaller model with the same tokenizer that runs ahead where the lookup finds nothing and it pays, for the same answers")
}

// addAdapter adds the flag of the verbs that write answers, which may choose among several or have the one.
func (o *modelFlags) addAdapter(f *pflag.FlagSet, several bool) {
	text := "`[NAME=]PATH` of a folder with an adapter, which runs beside the model's weights"
	if o.several = several; several {
		text += "; may be repeated: answers have the first, and rows of --input the one that their key adapter names, or null for none"
	}
	f.StringArrayVar(&o.adapters, "adapter", nil, text)
}

// namedPath takes [NAME=]PATH apart. Without a name that of the file or folder is it; what stands before a = is none
// where it has a separator, and so is a part of the path.
func namedPath(text string) (name, path string) {
	if name, path, ok := strings.Cut(text, "="); ok && !strings.ContainsAny(name, `/\`) {
		return name, path
	}
	path = strings.TrimPrefix(text, client.Scheme)
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	return filepath.Base(path), text
}

// first is the adapter of what does not say another: that of the first --adapter, or none.
func (o *modelFlags) first() string {
	if len(o.adapters) == 0 {
		return ""
	}
	name, _ := namedPath(o.adapters[0])
	return name
}

// ignoreExtraFlag adds the flag of the verbs that open a model.
func ignoreExtraFlag(f *pflag.FlagSet, to *bool) {
	f.BoolVar(to, "ignore-extra", false, "leave out tensors that the model's config has no place for, instead of failing")
}

// openModel opens the model of --model in the arithmetic of --precision, with the tokenizer of
// --tokenizer when that is not empty, and says what of its files is left out.
func openModel(c *cobra.Command, path, tokenizerName string, arithmetic numeric.Precision, f modelFlags) (*lm.Model, error) {
	if path == "" {
		return nil, usageErrorf("--model is needed")
	}
	if len(f.adapters) > 1 && !f.several {
		return nil, usageErrorf("--adapter is given %d times, and the answers have one", len(f.adapters))
	}
	path, err := localModel(c, path)
	if err != nil {
		return nil, err
	}
	o := lm.Options{Precision: arithmetic, IgnoreExtra: f.ignoreExtra}
	if o.Memory, err = memoryFlag("kv-memory", f.memory); err != nil {
		return nil, err
	}
	switch f.kv {
	case "", "f32":
	case "f16":
		o.KV = tensor.F16
	case "q8_0":
		o.KV = tensor.Q8_0
	default:
		return nil, usageErrorf("--kv %q is not known\nhint: one of f32, f16, q8_0", f.kv)
	}
	switch f.speculate {
	case "", "lookup":
	case "off":
		o.NoGuesses = true
	default:
		return nil, usageErrorf("--speculate %q is not known\nhint: one of lookup, off", f.speculate)
	}
	switch f.quantize {
	case "":
	case "q8_0":
		o.Quantize = tensor.Q8_0
	default:
		return nil, usageErrorf("--quantize %s: models are opened in q8_0 alone\nhint: 'olmo convert --to gguf --dtype %[1]s' writes a file of other types", f.quantize)
	}
	if o.Base, err = localModel(c, f.base); err != nil {
		return nil, err
	}
	if tokenizerName != "" {
		if o.Tokenizer, err = loadTokenizer(tokenizerName); err != nil {
			return nil, err
		}
	}
	if f.draft != "" {
		if o.NoGuesses {
			return nil, usageErrorf("--draft and --speculate off contradict each other")
		}
		draft, err := localModel(c, f.draft)
		if err != nil {
			return nil, err
		}
		if o.Draft, err = lm.Open(draft, lm.Options{Precision: arithmetic, IgnoreExtra: f.ignoreExtra, NoGuesses: true}); err != nil {
			return nil, fmt.Errorf("--draft: %w", err)
		}
	}
	m, err := lm.Open(path, o)
	if err != nil {
		if o.Draft != nil {
			err = errors.Join(err, o.Draft.Close())
		}
		return nil, err
	}
	for _, text := range f.adapters {
		name, folder := namedPath(text)
		if name == "" || folder == "" {
			return nil, errors.Join(usageErrorf("--adapter %s is not [NAME=]PATH", text), m.Close())
		}
		if folder, err = localModel(c, folder); err == nil {
			err = m.AddAdapter(name, folder)
		}
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	for _, text := range m.Files.Told() {
		fmt.Fprintf(c.ErrOrStderr(), "%s: note: %s\n", c.CommandPath(), text)
	}
	return m, nil
}

// localModel is where a model lies on this machine: that of a hub (hf:ORG/NAME@REVISION) in the
// cache, fetched when it is not there.
func localModel(c *cobra.Command, name string) (string, error) {
	if !strings.HasPrefix(name, client.Scheme) {
		return name, nil
	}
	if _, _, err := client.ParseModel(name); err != nil {
		return "", &usageError{err}
	}
	h, err := openHub(c)
	if err != nil {
		return "", err
	}
	plan, err := h.Model(c.Context(), name)
	if err != nil {
		return "", err
	}
	_, err = fetchPlan(c.Context(), newProgress(c.ErrOrStderr()), plan)
	return plan.Folder, err
}

// needTokenizer is the error of a verb that works on text; hint says what else works.
func needTokenizer(m *lm.Model, hint string) error {
	if m.Tokenizer != nil {
		return nil
	}
	return fmt.Errorf("the model %s has no tokenizer.json\nhint: put the model's tokenizer.json beside its weights, or name one with --tokenizer%s", m.Path, hint)
}

// precisionFlag reads the value of --precision.
func precisionFlag(s string) (numeric.Precision, error) {
	p, err := numeric.ParsePrecision(s)
	if err != nil {
		return 0, usageErrorf("--precision %w", err)
	}
	return p, nil
}

// trainingPrecisionFlag reads the value of --precision of a verb that trains.
func trainingPrecisionFlag(s string) (numeric.Precision, error) {
	p, err := numeric.ParseTrainingPrecision(s)
	if err != nil {
		return 0, usageErrorf("--precision %w", err)
	}
	return p, nil
}

// trainingPrecisions are the names that trainingPrecisionFlag reads, and precisionNames those of precisionFlag.
func trainingPrecisions() (names []string) {
	for _, p := range numeric.Precisions() {
		names = append(names, p.String())
	}
	return names
}

func precisionNames() []string { return append(trainingPrecisions(), numeric.Int8.String()) }

// precisionWords is what the help says of --precision.
func precisionWords() string {
	names := trainingPrecisions()
	return "arithmetic: " + names[0] + "; int8: fast, of weights in blocks; or " + strings.Join(names[1:], " or ") + " for the bits of such a training run"
}
