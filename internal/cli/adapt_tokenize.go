package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"olmo/adapt"
	"olmo/chat"
	"olmo/store"
)

// adaptFlags name the tokenizer and template of the verbs that read conversations.
type adaptFlags struct {
	tokenizer, template, input string
	addBOS                     bool
}

func (f *adaptFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.tokenizer, "tokenizer", "", "the tokenizer: a `file`, folder or name; tokenizer_config.json beside it names special tokens")
	c.Flags().StringVar(&f.template, "chat-template", "", "the chat template: one of open-instruct's by `name`, or a file (default: the tokenizer folder's own)")
	c.Flags().StringVar(&f.input, "input", "", "`file` of conversations: JSONL, plain or packed, or Parquet")
	c.Flags().BoolVar(&f.addBOS, "add-bos", false, "put bos_token in front of the template")
}

// open loads the template, and checks that output, if there is one, is nothing that is read.
func (f *adaptFlags) open(output string) (t *chat.Template, path string, err error) {
	if path, err = findTokenizer(f.tokenizer); err != nil {
		return nil, "", err
	}
	if output != "" {
		if err := store.Clash([]string{path, f.input}, []string{output}, nil); err != nil {
			return nil, "", err
		}
	}
	t, err = adapt.Template(f.template, filepath.Dir(path), f.addBOS)
	return t, path, err
}

// encoder loads template and tokenizer.
func (f *adaptFlags) encoder(output string) (*adapt.Encoder, error) {
	t, path, err := f.open(output)
	if err != nil {
		return nil, err
	}
	name := f.tokenizer
	if filepath.Base(path) == "tokenizer.json" {
		// The special tokens that files beside it name are tokens, as in Transformers: the
		// template writes them.
		name = filepath.Dir(path)
	}
	tok, err := openTokenizer(name, path)
	if err != nil {
		return nil, err
	}
	return &adapt.Encoder{Template: t, Tokenizer: tok}, nil
}

func newAdaptTokenizeCommand() *cobra.Command {
	var from adaptFlags
	var kind, output, trainOn string
	var length int
	var last, asJSON bool
	c := &cobra.Command{
		Use:   "tokenize --kind sft|preference|rlvr|prompt --tokenizer PATH --input X.jsonl --output Y.jsonl",
		Short: "Turn conversations into ids and labels, as training does",
		Long: `Each row of the input has a line of the output, with input_ids, labels (-100 for a
token that does not train), attention_mask and keep (false where no token trains). Of
sft all answers of the assistant train, with --last-turn the last alone; what is longer
than --max-seq-length is cut on the right. Of preference, where the last answers train,
they are called chosen_input_ids, rejected_input_ids and so on. Of rlvr and prompt the
ids are those of the prompt, keep says whether they fit, and ground_truth and dataset go
along. A row that is no such thing ends it, with file, line and key.`,
		Example: `  olmo adapt tokenize --kind sft --tokenizer OLMo-2-1B --chat-template tulu --input chats.jsonl --output ids.jsonl
  olmo adapt tokenize --kind preference --tokenizer OLMo-2-1B --chat-template tulu --max-seq-length 2048 --input pairs.jsonl --output pair-ids.jsonl.gz`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "kind", "tokenizer", "input", "output"); err != nil {
				return err
			}
			k, err := oneOf("kind", kind, adapt.Kinds)
			if err != nil {
				return err
			}
			on, err := oneOf("train-on", trainOn, adapt.TrainOns)
			if err != nil {
				return err
			}
			if c.Flags().Changed("max-seq-length") && length < 1 {
				return usageErrorf("--max-seq-length %d must be 1 or more", length)
			}
			if last || k == adapt.Preference {
				if c.Flags().Changed("train-on") && on != adapt.LastAnswer {
					return usageErrorf("--train-on %s, where the last answers train", on)
				}
				on = adapt.LastAnswer
			}
			e, err := from.encoder(output)
			if err != nil {
				return err
			}
			e.MaxLength, e.TrainOn = length, on
			counts := adapt.NewCounts(e.Tokenizer)
			var form adapt.Form
			err = adaptRows(c, from.input, output, func(row []byte) (*tokenized, error) { return tokenizeRow(e, k, row) }, func(x *tokenized) {
				for _, example := range x.examples {
					counts.Add(example)
				}
				if form == "" && x.form != "" {
					form = x.form
					fmt.Fprintf(c.ErrOrStderr(), "note: %s: rows in the form of %s are read as messages\n", from.input, form)
				}
			})
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(counts)
			}
			if k == adapt.SFT || k == adapt.Preference {
				fmt.Fprintln(c.ErrOrStderr(), counts)
				warnCounts(c.ErrOrStderr(), counts)
			}
			return nil
		},
	}
	from.add(c)
	f := c.Flags()
	f.StringVar(&kind, "kind", "", "what the rows are: sft, preference, rlvr or prompt")
	f.StringVar(&output, "output", "", "JSONL `file` for the ids")
	f.IntVar(&length, "max-seq-length", 0, "the most `tokens` of a conversation (default no limit)")
	f.BoolVar(&last, "last-turn", false, "the last answer alone trains")
	f.StringVar(&trainOn, "train-on", string(adapt.EveryAnswer), "what trains: assistant (its answers), last (the last of them) or all")
	f.BoolVar(&asJSON, "json", false, "print the counts as JSON")
	return c
}

// oneOf is the value of a flag that takes one of several words.
func oneOf[T ~string](flag, value string, words []T) (T, error) {
	for _, w := range words {
		if string(w) == value {
			return w, nil
		}
	}
	return "", usageErrorf("--%s is %q, want one of %v", flag, value, words)
}

// warnCounts prints what of the counts is most likely a mistake.
func warnCounts(w io.Writer, counts *adapt.Counts) {
	for _, text := range counts.Warnings() {
		fmt.Fprintf(w, "warning: %s\n", text)
	}
}

// line is what becomes of a row.
type line interface{ Line() []byte }

// adaptRows writes a line for each row of a file, and shows each to see.
func adaptRows[T line](c *cobra.Command, input, output string, work func(row []byte) (T, error), see func(T)) error {
	return writeLines(c, output, func(w *bufio.Writer) error {
		return adapt.Each(c.Context(), input, work, func(x T) error {
			see(x)
			_, err := w.Write(x.Line())
			return err
		})
	})
}

// writeLines writes a file that appears whole or not at all, or standard output.
func writeLines(c *cobra.Command, output string, write func(w *bufio.Writer) error) error {
	run := func(w *bufio.Writer) error {
		if err := write(w); err != nil {
			return err
		}
		return w.Flush()
	}
	if output == "-" {
		return run(bufio.NewWriter(c.OutOrStdout()))
	}
	return writeWhole(output, func(f io.Writer) error { return run(bufio.NewWriterSize(f, 1<<20)) })
}

// tokenized is a row as ids.
type tokenized struct {
	line     []byte
	form     adapt.Form
	examples []*adapt.Example
}

func (x *tokenized) Line() []byte { return x.line }

// tokenizeRow makes a row's line.
func tokenizeRow(e *adapt.Encoder, kind adapt.Kind, row []byte) (*tokenized, error) {
	r, err := adapt.ParseRow(row, kind)
	if err != nil {
		return nil, err
	}
	x := &tokenized{line: []byte("{"), form: r.Form}
	keep := true
	encode := func(prefix string, c *adapt.Conversation) error {
		example, err := e.Encode(c)
		if err != nil {
			return err
		}
		x.examples = append(x.examples, example)
		x.append(prefix, example.IDs, example.Labels)
		keep = keep && example.Keep()
		return nil
	}
	switch kind {
	case adapt.SFT:
		err = encode("", &r.Conversation)
	case adapt.Preference:
		if err = encode("chosen_", &r.Conversation); err == nil {
			err = encode("rejected_", &r.Rejected)
		}
	default:
		keep, err = x.appendPrompt(e, r)
	}
	if err != nil {
		return nil, err
	}
	x.line = fmt.Appendf(x.line, "\"keep\":%t}\n", keep)
	return x, nil
}

// append adds ids with their labels and mask to the line.
func (x *tokenized) append(prefix string, ids, labels []int32) {
	ones := make([]int32, len(ids))
	for i := range ones {
		ones[i] = 1
	}
	for _, member := range []struct {
		name   string
		values []int32
	}{{"input_ids", ids}, {"labels", labels}, {"attention_mask", ones}} {
		x.line = fmt.Appendf(x.line, "\"%s%s\":[", prefix, member.name)
		for i, v := range member.values {
			if i > 0 {
				x.line = append(x.line, ',')
			}
			x.line = strconv.AppendInt(x.line, int64(v), 10)
		}
		x.line = append(x.line, "],"...)
	}
}

// appendPrompt adds a prompt and what judges its answers, and reports whether it fits.
func (x *tokenized) appendPrompt(e *adapt.Encoder, r *adapt.Row) (fits bool, err error) {
	ids, err := e.Prompt(&r.Conversation)
	if err != nil {
		return false, err
	}
	labels := make([]int32, len(ids))
	for i := range labels {
		labels[i] = adapt.Masked
	}
	x.append("", ids, labels)
	members := map[string]any{"prompt": r.Conversation.RawPrompt()}
	if r.Verifiers != nil {
		members["ground_truth"], members["dataset"] = r.GroundTruths, r.Verifiers
	}
	rest, err := json.Marshal(members)
	if err != nil {
		return false, err
	}
	x.line = append(append(x.line, rest[1:len(rest)-1]...), ',')
	return e.MaxLength == 0 || len(ids) <= e.MaxLength, nil
}

// texts are words of a type of their own as texts.
func texts[T ~string](words []T) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}
