package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt"
	"olmo/data"
)

func newAdaptShowCommand() *cobra.Command {
	var from adaptFlags
	var row, length int
	var trainOn string
	var last bool
	c := &cobra.Command{
		Use:   "show --tokenizer PATH --chat-template NAME|FILE --input X.jsonl",
		Short: "Show a conversation as the model sees it, the tokens that train marked",
		Long: `Show prints one row of a file of conversations, pairs or prompts, or of a run's
rollouts.jsonl, as the model sees it, the special tokens included. What trains is green in a terminal, and in [brackets]
elsewhere and with NO_COLOR. Below stand the counts, and whether the end of a turn
trains: where it does not, the model does not learn to stop.`,
		Example: `  olmo adapt show --tokenizer OLMo-2-1B --chat-template tulu --input chats.jsonl
  olmo adapt show --tokenizer OLMo-2-1B --chat-template tulu --input pairs.jsonl --row 0`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "tokenizer", "input"); err != nil {
				return err
			}
			if row < 0 {
				return usageErrorf("--row %d must be 0 or more", row)
			}
			on, err := oneOf("train-on", trainOn, adapt.TrainOns)
			if err != nil {
				return err
			}
			if last {
				on = adapt.LastAnswer
			}
			e, err := from.encoder("")
			if err != nil {
				return err
			}
			e.TrainOn, e.MaxLength = on, length
			return showRow(c.OutOrStdout(), e, from.input, row)
		},
	}
	from.add(c)
	f := c.Flags()
	f.IntVar(&row, "row", 0, "the row's number, from 0")
	f.IntVar(&length, "max-seq-length", 0, "the most `tokens` of a conversation (default no limit)")
	f.BoolVar(&last, "last-turn", false, "the last answer alone trains")
	f.StringVar(&trainOn, "train-on", string(adapt.EveryAnswer), "what trains: assistant (its answers), last (the last of them) or all")
	return c
}

// showRow prints a row of a file.
func showRow(out io.Writer, e *adapt.Encoder, path string, row int) error {
	in, err := data.OpenRows(path)
	if err != nil {
		return err
	}
	defer in.Close()
	for n := 0; ; n++ {
		line, err := in.NextLine()
		if err == io.EOF {
			return fmt.Errorf("%s has %d rows, and none of number %d (counted from 0)", path, n, row)
		}
		if err != nil {
			return err
		}
		if n < row {
			continue
		}
		if err := showLine(out, e, line.Bytes); err != nil {
			return in.BadLine(line, err)
		}
		return nil
	}
}

// showLine prints a row of any kind.
func showLine(out io.Writer, e *adapt.Encoder, line []byte) error {
	if isRollout(line) {
		return showRollout(out, e, line)
	}
	kind, err := adapt.KindOf(line)
	if err != nil {
		return err
	}
	return showConversation(out, e, kind, line)
}

// showConversation prints what a row holds.
func showConversation(out io.Writer, e *adapt.Encoder, kind adapt.Kind, line []byte) error {
	r, err := adapt.ParseRow(line, kind)
	if err != nil {
		return err
	}
	coloured := isTerminal(out)
	var b strings.Builder
	if r.Form != "" {
		fmt.Fprintf(&b, "--- %s, read as messages\n", r.Form)
	}
	if kind == adapt.RLVR || kind == adapt.Prompt {
		ids, err := e.Prompt(&r.Conversation)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s\n--- prompt of %d tokens, which do not train\n", visible(e.Tokenizer.Decode(ids, false)), len(ids))
		for i, v := range r.Verifiers {
			fmt.Fprintf(&b, "--- %s judges against %s\n", visible(v), visible(string(r.GroundTruths[i])))
		}
		_, err = io.WriteString(out, b.String())
		return err
	}
	conversations := []*adapt.Conversation{&r.Conversation}
	if kind == adapt.Preference {
		e.TrainOn, conversations = adapt.LastAnswer, append(conversations, &r.Rejected)
	}
	counts := adapt.NewCounts(e.Tokenizer)
	for i, conversation := range conversations {
		x, err := e.Encode(conversation)
		if err != nil {
			return err
		}
		counts.Add(x)
		if kind == adapt.Preference {
			fmt.Fprintf(&b, "--- %s\n", [...]string{"chosen", "rejected"}[i])
		}
		b.WriteString(marked(e, x, coloured) + "\n")
		if x.Unclear != nil {
			fmt.Fprintf(&b, "--- nothing trains: %s\n", visible(x.Unclear.Error()))
		}
	}
	fmt.Fprintf(&b, "--- %s\n", counts)
	warnCounts(&b, counts)
	_, err = io.WriteString(out, b.String())
	return err
}

// marked is the text of an example, with what trains marked.
func marked(e *adapt.Encoder, x *adapt.Example, coloured bool) string {
	before, after := "[", "]"
	if coloured {
		before, after = "\x1b[32m", "\x1b[0m"
	}
	var b strings.Builder
	for start := 0; start < len(x.IDs); {
		trains := x.Labels[start] != adapt.Masked
		end := start + 1
		for end < len(x.IDs) && (x.Labels[end] != adapt.Masked) == trains {
			end++
		}
		text := visible(e.Tokenizer.Decode(x.IDs[start:end], false))
		if trains {
			text = before + text + after
		}
		b.WriteString(text)
		start = end
	}
	return b.String()
}
