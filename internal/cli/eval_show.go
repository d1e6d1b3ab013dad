package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"olmo/chat"
	"olmo/eval"
	"olmo/lm"
	"olmo/tokenizer"
)

func newEvalShowCommand() *cobra.Command {
	var from taskFlags
	var data []string
	var docs int
	var tok, boundary string
	var file bool
	c := &cobra.Command{
		Use:   "show TASK|SUITE",
		Short: "Show what a task asks: prompts, continuations, right answers, without a model",
		Long: `Show prints the first documents of a task as a model is asked about them. With a
tokenizer it prints the ids too, and a bar where context and continuation meet; with
--chat the prompts are in the form of the chat template in the tokenizer's folder. Of a
suite or group it prints the parts.`,
		Example: `  olmo eval show arc_easy
  olmo eval show arc_easy --docs 1 --tokenizer olmo-quickstart/release
  olmo eval show gsm8k::olmes --file`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("one TASK or SUITE is needed\nhint: 'olmo eval list' lists the tasks")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if file {
				text, err := from.file(args[0])
				if err != nil {
					return err
				}
				_, err = c.OutOrStdout().Write(text)
				return err
			}
			found, err := from.find(args, func(string) {})
			if err != nil {
				return err
			}
			if n := len(found.suites); n > 0 {
				return showSuite(c.OutOrStdout(), found.suites[n-1], evalData(data))
			}
			if n := len(found.groups); n > 0 {
				return showGroup(c.OutOrStdout(), found.groups[n-1], found.tasks, evalData(data))
			}
			if len(found.tasks) != 1 {
				return usageErrorf("%s are %d tasks, and one is shown", args[0], len(found.tasks))
			}
			t := found.tasks[0]
			if docs < 1 {
				return usageErrorf("--docs %d must be 1 or more", docs)
			}
			if t.TakesDocuments() {
				return usageErrorf("the task %s asks of documents that you give: --documents of olmo eval", t.Name)
			}
			j, err := t.Job(eval.Inputs{Data: evalData(data), Limit: docs, Chat: from.chat, System: from.system})
			if err == nil && from.chat {
				err = readTurns(j, tok)
			}
			if err != nil {
				return err
			}
			if boundary != "" {
				j.Boundary = eval.Boundary(boundary)
			}
			var split func(r *eval.Request) (before, after []int32, err error)
			var tokens *tokenizer.Tokenizer
			if tok != "" {
				if tokens, err = tokenizer.Load(tok); err != nil {
					return err
				}
				split = eval.Splitter(tokens, j.Boundary)
			}
			return showTask(c.OutOrStdout(), j, tokens, split)
		},
	}
	from.add(c)
	listFlag(c.Flags(), &data, "data", "the folders of the task's data set")
	c.Flags().BoolVar(&file, "file", false, "print the task's file, to begin one with")
	c.Flags().IntVar(&docs, "docs", 3, "documents to show")
	c.Flags().StringVar(&tok, "tokenizer", "", "a tokenizer.json, or a folder with one: show ids")
	c.Flags().StringVar(&boundary, "boundary", "", "apart or together; the task's own without it")
	return c
}

// readTurns puts a job's prompts in the form of the chat template that lies with a tokenizer.
func readTurns(j *eval.Job, folder string) error {
	if folder == "" {
		return usageErrorf("--chat wants a chat template\nhint: --tokenizer FOLDER, of a model or tokenizer that has one")
	}
	template, err := lm.TemplateOf(folder)
	if err != nil {
		return err
	}
	if template == nil {
		return fmt.Errorf("%s has no chat template\nhint: it stands in chat_template.jinja or tokenizer_config.json", folder)
	}
	template.Now = chat.FixedTime
	for d, err := range j.Each() {
		if err != nil {
			return err
		}
		for i := range d.Requests {
			r := &d.Requests[i]
			if r.Turns == nil {
				continue
			}
			if r.Context, _, err = eval.ReadTurns(template, r.Turns); err != nil {
				return err
			}
		}
	}
	return nil
}

// averages say in words how a suite's figure comes of its parts'.
var averages = map[eval.Average]string{
	eval.Macro: "the mean of its parts' figures, each alike", eval.Micro: "the mean of its parts' figures, by their documents",
	eval.Larger: "the largest of its parts' figures", eval.NoAverage: "none",
}

// showSuite prints a suite's parts, those of suites in it below them.
func showSuite(out io.Writer, s *eval.Suite, places []string) error {
	fmt.Fprintf(out, "%s: suite of %d parts; its figure: %s\n", s.Name, len(s.Parts), averages[s.Average])
	if s.Source != "" {
		fmt.Fprintf(out, "source: %s\n", s.Source)
	}
	w := newTable(out)
	var parts func(s *eval.Suite, indent string)
	parts = func(s *eval.Suite, indent string) {
		for _, name := range s.Parts {
			if below, ok := eval.LookupSuite(name); ok {
				fmt.Fprintf(w, "%s%s\tsuite\t%s\t\n", indent, name, below.Average)
				parts(below, indent+"  ")
				continue
			}
			t, err := eval.LookupTask(name)
			if err != nil {
				fmt.Fprintf(w, "%s%s\t–\t–\tnot in this program\n", indent, name)
				continue
			}
			place, missing, _ := dataPlace(t, places)
			fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\n", indent, name, t.Kind, t.Quoted, cmp.Or(place, missing, "--documents"))
		}
	}
	parts(s, "  ")
	return w.Flush()
}

// showGroup prints the tasks below a group of files.
func showGroup(out io.Writer, g *eval.Group, tasks []*eval.Task, places []string) error {
	figures := "none"
	for i, a := range g.Aggregate {
		weight := "each task alike"
		if a.BySize {
			weight = "each document alike"
		}
		if i == 0 {
			figures = ""
		} else {
			figures += ", "
		}
		figures += "the mean of " + a.Metric + ", " + weight
	}
	fmt.Fprintf(out, "%s: group of %d tasks; its figure: %s\n", visible(g.Name), len(tasks), figures)
	w := newTable(out)
	for _, t := range tasks {
		place, missing, _ := dataPlace(t, places)
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", t.Name, t.Kind, t.Quoted, cmp.Or(place, missing, "--documents"))
	}
	return w.Flush()
}

// showTask prints a job's documents.
func showTask(out io.Writer, j *eval.Job, tok *tokenizer.Tokenizer, split func(r *eval.Request) (before, after []int32, err error)) error {
	var b strings.Builder
	t := j.Task
	fmt.Fprintf(&b, "%s: %s, quoted with %s, %d shots, context and continuation encoded %s\n", visible(t.Name), t.Kind, t.Quoted, t.Shots, j.Boundary)
	if t.About.Source != "" {
		fmt.Fprintf(&b, "source: %s\n", visible(t.About.Source))
	}
	for d, err := range j.Each() {
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n--- document %d", d.Index)
		if d.ID != "" {
			fmt.Fprintf(&b, " (%s)", visible(d.ID))
		}
		b.WriteString("\n")
		last := ""
		for i, r := range d.Requests {
			if i == 0 || r.Context != last {
				fmt.Fprintf(&b, "context:\n%s\n", indented(r.Context))
				last = r.Context
			}
			if r.Form == eval.Text {
				fmt.Fprintf(&b, "until: %q, at most %d tokens\n", r.Until, r.MaxTokens)
			} else {
				mark := "      "
				for _, g := range d.Gold {
					if g == i && !r.Unconditional {
						mark = "right "
					}
				}
				fmt.Fprintf(&b, "%s%q\n", mark, r.Continuation)
			}
			if split != nil {
				before, after, err := split(&r)
				if err != nil {
					return err
				}
				fmt.Fprintf(&b, "      ids %v | %v\n", before, after)
				fmt.Fprintf(&b, "      …%q | %q\n", tok.Decode(before[max(0, len(before)-3):], false), tok.Decode(after, false))
			}
		}
		if len(d.Targets) > 0 {
			fmt.Fprintf(&b, "target: %q\n", d.Targets)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// indented is a text of several lines, made visible.
func indented(text string) string {
	return "    " + strings.ReplaceAll(visible(text), "\n", "\n    ")
}
