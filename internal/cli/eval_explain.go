package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"olmo/eval"
	"olmo/eval/record"
	"olmo/tokenizer"
)

func newEvalExplainCommand() *cobra.Command {
	var task, tok string
	var doc int
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain OUT --task T --doc N",
		Short: "Show how a document of a run came to its values",
		Long: `Explain opens a document of a finished run (ours, lm-eval's or OLMES'): its prompt, the
log-probability of each choice, and side by side what every way to account for length
makes of it and which choice it picks; of a text what each filter extracted and what the
figures say of it. N is the doc_id.

Log-probabilities of single tokens are there when the run was made with --tokens; with
--tokenizer the tokens are written out, in a terminal coloured by how much they surprised
the model.`,
		Example: `  olmo eval --model olmo-quickstart --tasks arc_easy --limit 20 --tokens --out scores
  olmo eval explain scores --task arc_easy --doc 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if task == "" || doc < 0 {
				return usageErrorf("--task and --doc are needed")
			}
			r, err := record.Open(args[0])
			if err != nil {
				return err
			}
			e, err := r.Explain(task, doc)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(e)
			}
			var split func(r *eval.Request) (before, after []int32, err error)
			var tokens *tokenizer.Tokenizer
			if tok != "" {
				if tokens, err = tokenizer.Load(tok); err != nil {
					return err
				}
				boundary := eval.Boundary(e.Boundary)
				if boundary == "" {
					boundary = eval.Together
				}
				split = eval.Splitter(tokens, boundary)
			}
			return explain(c.OutOrStdout(), e, tokens, split)
		},
	}
	f := c.Flags()
	f.StringVar(&task, "task", "", "the task")
	f.IntVar(&doc, "doc", -1, "the document's number, its doc_id")
	f.StringVar(&tok, "tokenizer", "", "a tokenizer.json, or a folder with one: write the tokens out")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// explain prints an explanation.
func explain(out io.Writer, e *record.Explanation, tok *tokenizer.Tokenizer, split func(r *eval.Request) (before, after []int32, err error)) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, document %d", visible(e.Task), e.Document)
	if e.ID != "" {
		fmt.Fprintf(&b, " (%s)", visible(e.ID))
	}
	fmt.Fprintf(&b, ", as %s answered it (%s)\n", visible(e.Model), visible(e.Run))
	if e.Boundary != "" {
		fmt.Fprintf(&b, "context and continuation encoded %s\n", e.Boundary)
	}
	b.WriteString("\n")
	if e.Prompt != "" {
		fmt.Fprintf(&b, "context:\n%s\n\n", indented(e.Prompt))
	}
	coloured := isTerminal(out)
	for i, c := range e.Choices {
		fmt.Fprintf(&b, "%s %d  %q  %.4f nats", goldMark(e.Gold, i), i, c.Continuation, c.Logprob)
		if c.Tokens > 0 {
			fmt.Fprintf(&b, ", %d tokens", c.Tokens)
		}
		if c.Greedy {
			b.WriteString(", greedy")
		}
		b.WriteString("\n")
		if c.Context != "" {
			fmt.Fprintf(&b, "      after its own context:\n%s\n", indented(c.Context))
		}
		texts := make([]string, len(c.Each))
		if split != nil && len(c.Each) > 0 {
			context := c.Context
			if context == "" {
				context = e.Prompt
			}
			_, ids, err := split(&eval.Request{Context: context, Continuation: c.Continuation})
			if err != nil {
				return err
			}
			if len(ids) != len(c.Each) {
				return fmt.Errorf("choice %d has %d tokens by this tokenizer, %d in the run\nhint: --tokenizer of the run's model", i, len(ids), len(c.Each))
			}
			for k, id := range ids {
				texts[k] = fmt.Sprintf("%q ", tok.Decode([]int32{id}, false))
			}
		}
		for k, x := range c.Each {
			if k == 0 {
				b.WriteString("     ")
			}
			fmt.Fprintf(&b, " %s%.3f", surprising(texts[k], x, coloured), x)
		}
		if len(c.Each) > 0 {
			b.WriteString("\n")
		}
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if err := explainNorms(out, e); err != nil {
		return err
	}
	return explainTexts(out, e)
}

func goldMark(gold []int, i int) string {
	if slices.Contains(gold, i) {
		return "right"
	}
	return "     "
}

// explainNorms prints a row for each way to account for length, the pick with an asterisk.
func explainNorms(out io.Writer, e *record.Explanation) error {
	if len(e.Norms) == 0 {
		return nil
	}
	w := newTable(out)
	fmt.Fprint(w, "\nscore")
	for i := range e.Choices {
		fmt.Fprintf(w, "\t%d", i)
	}
	fmt.Fprint(w, "\tpicks\tfigures\n")
	for _, n := range e.Norms {
		fmt.Fprint(w, n.Name)
		for i, s := range n.Scores {
			mark := ""
			if i == n.Pick {
				mark = "*"
			}
			fmt.Fprintf(w, "\t%.4f%s", s, mark)
		}
		verdict := ""
		if n.Right != nil {
			verdict = map[bool]string{true: ", right", false: ", wrong"}[*n.Right]
		}
		fmt.Fprintf(w, "\t%d%s\t%s\n", n.Pick, verdict, n.About)
	}
	return w.Flush()
}

// explainTexts prints what was written, and what the figures say of it.
func explainTexts(out io.Writer, e *record.Explanation) error {
	var b strings.Builder
	for i, text := range e.Responses {
		fmt.Fprintf(&b, "response %d:\n%s\n\n", i+1, indented(text))
	}
	if len(e.Targets) > 0 && len(e.Responses) > 0 {
		fmt.Fprintf(&b, "right: %q\n", e.Targets)
	}
	for _, v := range e.Verdicts {
		value, _ := json.Marshal(v.Value)
		why := "is none of the right answers as it stands"
		if v.Same != "" {
			why = "is a right answer"
		}
		if len(e.Targets) == 0 {
			why = "was judged"
		}
		fmt.Fprintf(&b, "%s = %s: %q %s\n", v.Figure, value, v.Extracted, why)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// isTerminal reports whether colours can be shown.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}

// surprises are a terminal's colours from white to red, each up to so many nats.
var surprises = []struct {
	nats   float64
	colour int
}{{0.5, 255}, {1, 224}, {2, 217}, {4, 210}, {8, 203}}

// surprising colours a token by its log-probability.
func surprising(text string, logprob float64, coloured bool) string {
	if !coloured || text == "" {
		return text
	}
	colour := 196
	for _, s := range surprises {
		if -logprob <= s.nats {
			colour = s.colour
			break
		}
	}
	return fmt.Sprintf("\x1b[38;5;%dm%s\x1b[0m", colour, text)
}
