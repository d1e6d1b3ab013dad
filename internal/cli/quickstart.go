package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"olmo/quickstart"
)

func newQuickstartCommand() *cobra.Command {
	o := quickstart.Options{Minutes: 5, Depth: quickstart.DefaultDepth, Out: "olmo-quickstart"}
	c := &cobra.Command{
		Use:   "quickstart",
		Short: "Make a language model from nothing but the Go installation, in five minutes",
		Long: `Quickstart is the whole chain as one call: it makes a corpus from the doc
comments of the Go installation (or your own text), curates it, trains a
tokenizer and an OLMo 2-style model, judges the model, and writes a release
folder and a report card.

Ctrl-C saves and stops. The same command goes on where it stopped, and ends
with the same weights, bit for bit, as if it had never stopped.`,
		Example: `  olmo quickstart
  olmo quickstart --minutes 20 --depth 4 --out larger
  olmo quickstart --docs notes/ book.md --out mine
  olmo quickstart --steps 200 --json`,
		Args: noArgs,
	}
	f := c.Flags()
	f.StringVar(&o.Out, "out", o.Out, "folder for everything that is made")
	f.Float64Var(&o.Minutes, "minutes", o.Minutes, "time from start to report")
	f.IntVar(&o.Steps, "steps", 0, "steps of training, instead of a time")
	f.IntVar(&o.Depth, "depth", o.Depth, "size of the model: so many blocks, and 128 of width for each")
	listFlag(f, &o.Docs, "docs", "your own text, Markdown, HTML or JSONL: files or folders")
	asJSON := f.Bool("json", false, "print report.json on standard output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.Steps < 0 || !(o.Minutes > 0) || o.Depth < 1 {
			return usageErrorf("--steps, --minutes and --depth must be positive")
		}
		o.Version = version
		return runQuickstart(c, o, *asJSON)
	}
	return c
}

func runQuickstart(c *cobra.Command, o quickstart.Options, asJSON bool) error {
	p := newProgress(c.ErrOrStderr())
	stage := ""
	o.Print = p.print
	o.Progress = func(now quickstart.Progress) {
		if now.Stage != stage {
			p.end()
			stage = now.Stage
			p.begin(stage)
		}
		p.update(step{done: now.Done, total: now.Total, unit: now.Unit, rate: now.Rate, loss: now.Loss, left: now.Left, note: now.Note})
	}
	began := time.Now()
	r, err := quickstart.Run(c.Context(), o)
	p.end()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			p.print("stopped; the same command goes on from here")
		}
		return err
	}
	if asJSON {
		text, err := os.ReadFile(filepath.Join(o.Out, "report.json"))
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	}
	w := c.OutOrStdout()
	fmt.Fprintf(w, "bits per byte on held-out text: %.3f", r.BitsPerByte)
	for _, x := range r.Compressors {
		if x.BitsPerByte != nil {
			fmt.Fprintf(w, ", %s %.3f", x.Name, *x.BitsPerByte)
		}
	}
	fmt.Fprintf(w, "\nreport: %s/report.html\nmodel:  %s/release (%d parameters, %d tokens, %s)\ntry:    olmo generate --model %s \"Package http implements\"\n",
		o.Out, o.Out, r.Parameters, r.Tokens, shortDuration(time.Since(began)), o.Out)
	return nil
}
