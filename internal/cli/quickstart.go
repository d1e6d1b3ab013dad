package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"olmo/internal/program"
	"olmo/quickstart"
	"olmo/store"
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

With --chat the model is adapted to conversations after its release, in three stages:
fine-tuning on questions and answers that are made by code, preferences between its own
answers, and learning by trying, with verifiers as judges. OUT/chat is the model that
answers, and the report says what each stage came to on questions that none trained on.

Your own text may be in any language: it is measured, and only from an English
text other languages are filtered out. A model can be made of some kilobytes; one
that is worth looking at wants 200,000 bytes and more.

Ctrl-C saves and stops. The same command goes on where it stopped, and ends
with the same weights, bit for bit, as if it had never stopped. More --minutes or
--steps train longer on the same text, with the weights of a run that was planned
as long from the start; the finished shorter one is kept in OUT/earlier/. What is
not given is that of the folder.

A new run of so many --minutes measures steps under each precision for a second or two,
and takes another than amp_bf16 where that is 1.15 times as fast; one of so many --steps
takes amp_bf16, so that its weights are the same on every machine.`,
		Example: `  olmo quickstart
  olmo quickstart --chat
  olmo quickstart --minutes 20 --depth 4 --out larger
  olmo quickstart --docs notes/ book.md --out mine
  olmo quickstart --out mine --minutes 30
  olmo quickstart --steps 200 --json
  olmo quickstart --steps 200 --precision fp32 --out exact`,
		Args: noArgs,
	}
	f := c.Flags()
	f.StringVar(&o.Out, "out", o.Out, "folder for everything that is made")
	f.Float64Var(&o.Minutes, "minutes", o.Minutes, "time from start to report")
	f.IntVar(&o.Steps, "steps", 0, "steps of training, instead of a time")
	f.IntVar(&o.Depth, "depth", o.Depth, "size of the model: so many blocks, and 128 of width for each")
	f.BoolVar(&o.Chat, "chat", false, "adapt the model to conversations afterwards: OUT/chat")
	listFlag(f, &o.Docs, "docs", "your own text, Markdown, HTML or JSONL: files or folders")
	f.StringVar(&o.Precision, "precision", "", "arithmetic of training, instead of what is chosen: "+strings.Join(trainingPrecisions(), ", "))
	asJSON := f.Bool("json", false, "print report.json on standard output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.Steps < 0 || f.Changed("steps") && o.Steps == 0 || !(o.Minutes > 0) || math.IsInf(o.Minutes, 0) || o.Depth < 1 {
			return usageErrorf("--steps, --minutes and --depth must be positive")
		}
		// What is not given is left to the folder.
		if !f.Changed("minutes") {
			o.Minutes = 0
		}
		if !f.Changed("depth") {
			o.Depth = 0
		}
		if f.Changed("precision") {
			if _, err := trainingPrecisionFlag(o.Precision); err != nil {
				return err
			}
		}
		o.Version = program.Version
		return runQuickstart(c, o, *asJSON)
	}
	return c
}

func runQuickstart(c *cobra.Command, o quickstart.Options, asJSON bool) error {
	p := newProgress(c.ErrOrStderr())
	var last quickstart.Progress
	o.Print = p.print
	o.Progress = func(now quickstart.Progress) {
		if now.Stage != last.Stage {
			p.end()
			p.begin(now.Stage)
		}
		last = now
		p.update(step{done: now.Done, total: now.Total, unit: now.Unit, rate: now.Rate, loss: now.Loss, left: now.Left, note: now.Note})
	}
	r, err := quickstart.Run(c.Context(), o)
	switch {
	case errors.Is(err, context.Canceled):
		if last.Steps > 0 {
			p.print(fmt.Sprintf("stopped after %d of %d steps", last.Step, last.Steps))
		}
		p.stop()
		p.print("the same command goes on from here")
		return err
	case err != nil:
		p.fail()
		return err
	}
	p.end()
	if asJSON {
		text, err := store.ReadFile(filepath.Join(o.Out, "report.json"))
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
	fmt.Fprintln(w)
	for _, text := range r.Remarks {
		fmt.Fprintln(w, text)
	}
	fmt.Fprintf(w, `report: %s
model:  %s (%d parameters, %d tokens, %s)
watch:  %s
try:    %s
`, filepath.Join(o.Out, "report.html"), filepath.Join(o.Out, "release"), r.Parameters, r.Tokens,
		shortDuration(time.Duration(r.TotalSeconds*float64(time.Second))), r.Watch(o.Out), r.Try(o.Out))
	if chat := r.Chat; chat != nil {
		var rewards []string
		for _, s := range chat.Stages() {
			rewards = append(rewards, fmt.Sprintf("%s %.3f", s.Name, s.Reward.Reward))
		}
		fmt.Fprintf(w, "chat:   %s (reward: %s)\ntalk:   %s\n", filepath.Join(o.Out, "chat"), strings.Join(rewards, ", "), r.Talk(o.Out))
	}
	return nil
}
