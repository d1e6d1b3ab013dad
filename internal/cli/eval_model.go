package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/chat"
	"olmo/config"
	"olmo/eval"
	"olmo/eval/endpoint"
	"olmo/lm"
)

// thinkEndUsage is the help of --think-end.
const thinkEndUsage = "the text with which each answer's thinking ends, which is left out before it is judged (default: </think>, where there is some)"

// answererFlags say which model is asked, one that runs here or a server's, and how.
type answererFlags struct {
	path              string
	tokenizer         string
	precision, memory string // of a model that runs here, as what follows
	share             bool
	how               modelFlags
	name, begin       string // of a server's model, as what follows
	concurrency       int
	timeout           time.Duration
}

// The flags of the one kind and of the other.
var (
	localFlags  = []string{"precision", "quantize", "memory", "share", "base", "ignore-extra"}
	serverFlags = []string{"model-name", "begin-text", "concurrency", "timeout"}
)

func (o *answererFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.path, "model", "", "the model: a folder, a run, a .gguf file, a folder with an adapter, hf:ORG/NAME@REVISION of a hub, or a server's address, http(s)://HOST/v1")
	f.StringVar(&o.tokenizer, "tokenizer", "", "a tokenizer.json to use instead of the model's; of a server's model: to ask about ids, not texts")
	f.StringVar(&o.precision, "precision", "fp32", precisionWords())
	f.StringVar(&o.memory, "memory", "", "most memory for what requests share, such as 2GB (default: a quarter of what is free, 1 GB at most)")
	f.BoolVar(&o.share, "share", true, "compute what requests begin with once; --share=false gives the same bits, slower")
	o.how.add(f)
	f.StringVar(&o.name, "model-name", "", "of a server: the model's name there (default: the only one it has)")
	f.StringVar(&o.begin, "begin-text", "", "of a server: the text that stands for the begin of text, where the server puts none before a prompt")
	f.IntVar(&o.concurrency, "concurrency", 8, "of a server: requests at a time")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "of a server: the longest time of one request")
}

// served reports whether the model is a server's.
func (o *answererFlags) served() bool { return endpoint.IsAddress(o.path) }

// byText reports whether the model is a server's that encodes texts itself.
func (o *answererFlags) byText() bool { return o.served() && o.tokenizer == "" }

// check refuses flags of the other kind of model.
func (o *answererFlags) check(c *cobra.Command) error {
	others, what := serverFlags, "a server's model\nhint: --model http(s)://HOST/v1"
	if o.served() {
		others, what = localFlags, "a model that runs here, not a server's"
	}
	for _, name := range others {
		if c.Flags().Changed(name) {
			return usageErrorf("--%s is of %s", name, what)
		}
	}
	switch {
	case o.concurrency < 1:
		return usageErrorf("--concurrency %d must be 1 or more", o.concurrency)
	case o.timeout <= 0:
		return usageErrorf("--timeout %v must be more than nothing", o.timeout)
	}
	return nil
}

// answerer is the model that is asked; local is nil for a server's.
type answerer struct {
	eval.Answerer
	local  *lm.Model
	memory int64
}

// open opens the model, for turns of a conversation or for plain prompts; say is told what the
// user should know.
func (o *answererFlags) open(c *cobra.Command, turns bool, say func(string)) (*answerer, error) {
	if o.served() {
		s, err := endpoint.New(o.path, endpoint.Options{Key: strings.TrimSpace(os.Getenv("OPENAI_API_KEY")), Concurrency: o.concurrency, Timeout: o.timeout, Warn: say})
		if err != nil {
			return nil, &usageError{err}
		}
		m, err := s.Model(c.Context(), o.name)
		if err != nil {
			return nil, err
		}
		m.Chat, m.Begin = turns, o.begin
		if o.tokenizer != "" {
			if m.Tokenizer, err = loadTokenizer(o.tokenizer); err != nil {
				return nil, err
			}
		}
		return &answerer{Answerer: m}, nil
	}
	arithmetic, err := precisionFlag(o.precision)
	if err != nil {
		return nil, err
	}
	memory, err := memoryFlag("memory", o.memory)
	if err != nil {
		return nil, err
	}
	m, err := openModel(c, o.path, o.tokenizer, arithmetic, o.how)
	if err != nil {
		return nil, err
	}
	local := &eval.Local{Model: m, Precision: o.precision, Warn: say}
	err = needTokenizer(m, "")
	// Texts may do with the smaller ids, which would then stand for other tokens.
	if err == nil && o.tokenizer != "" && m.Tokenizer.VocabSize() > m.Config.V {
		err = fmt.Errorf("the tokenizer %s has %d ids, the model %s a vocabulary of %d\nhint: the tokenizer belongs to another model", o.tokenizer, m.Tokenizer.VocabSize(), o.path, m.Config.V)
	}
	if err == nil && turns {
		local.Chat, err = chatTemplate(m)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &answerer{local, m, memory}, nil
}

// chatTemplate is the template of a model that is asked in turns.
func chatTemplate(m *lm.Model) (*chat.Template, error) {
	t, err := m.ChatTemplate()
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, fmt.Errorf("the model %s has no chat template, so --chat has no form to put turns in\nhint: put its chat_template.jinja beside the weights", m.Path)
	}
	t.Now = chat.FixedTime
	return t, nil
}

// Close releases the files of a model that runs here.
func (a *answerer) Close() error {
	if a.local == nil {
		return nil
	}
	return a.local.Close()
}

// config is what results.json says of the model.
func (o *answererFlags) config() map[string]any {
	out := map[string]any{"model": o.path}
	if o.served() {
		if o.begin != "" {
			out["begin_text"] = o.begin
		}
		return out
	}
	out["precision"] = o.precision
	if o.how.base != "" {
		out["base"] = o.how.base
	}
	if o.how.quantize != "" {
		out["quantize"] = o.how.quantize
	}
	if o.how.ignoreExtra {
		out["ignore_extra"] = true
	}
	return out
}

// memoryFlag reads a size; 0 without one.
func memoryFlag(name, value string) (int64, error) {
	if value == "" {
		return 0, nil
	}
	n, err := config.ParseSize(value)
	if err != nil {
		return 0, &usageError{fmt.Errorf("--%s: %w", name, err)}
	}
	return n, nil
}
