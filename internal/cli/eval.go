package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"olmo/chat"
	"olmo/data"
	"olmo/eval"
	"olmo/eval/compare"
	evaldata "olmo/eval/data"
	"olmo/eval/record"
	"olmo/internal/program"
)

// evalOptions are the flags of `olmo eval`.
type evalOptions struct {
	taskFlags
	answererFlags
	names         []string
	documents     []string
	data          []string
	limit         string
	by, cluster   string
	boundary      string
	tokens        bool
	window        int
	endOfText     bool
	out           string
	export        []string
	thinkEnd      string
	contamination string
	asJSON, list  bool
	partial       bool
	programs      programFlags
}

func newEvalCommand() *cobra.Command {
	var o evalOptions
	c := &cobra.Command{
		Use:   "eval --model PATH --tasks NAME,…",
		Short: "Judge a model: multiple-choice tasks and bits per byte",
		Long: `Eval scores a model on tasks and suites ('olmo eval list'). The data of some are inside the
program, as ARC's, MMLU's and GSM8K's; others are read from --data and OLMO_EVAL_DATA ('olmo
eval data list' says how to get them). Tasks of one's own are files in lm-eval's form
(--include).

bpb and paloma measure the bits per byte of --documents: JSONL files of documents
(also .gz and .zst), any other file as one text. bpb cuts each document into windows
that do not overlap; paloma moves the last one back to full length, as catwalk does.
With --end-of-text the end of text after each document is charged too, as the report
of quickstart does.

With --out, DIR gets results.json, in the form of lm-eval's, and every request with
its score in requests-TASK.jsonl. A task that DIR has already, of the same model,
settings and data, is not computed again. With --export the same is written once more
as lm-eval (samples_TASK_….jsonl) or OLMES (predictions.jsonl) would have left it, below
DIR; 'olmo eval diff', 'compare' and 'explain' read those folders like ours.

The model may be a server's, of OpenAI's API: --model http(s)://HOST/v1. The key is read
from OPENAI_API_KEY. Log-probabilities take completions that echo their prompt (vLLM);
texts take completions, or with --chat chat completions.`,
		Example: `  olmo eval --model olmo-quickstart --tasks arc_easy --out scores
  olmo eval --model MODEL --tasks piqa,hellaswag --data datasets --limit 100 --out scores --json
  olmo eval --model MODEL --tasks bpb --documents heldout/*.jsonl.zst
  olmo eval --model MODEL --include my-tasks --tasks my_task --num-fewshot 2 --out scores
  olmo eval --model olmo-quickstart --tasks arc_easy --out scores --export lm-eval,olmes
  olmo eval --model http://localhost:8000/v1 --tasks arc_easy --limit 100 --out scores
  olmo eval --model MODEL --tasks humaneval --allow-code --out scores
  olmo eval list`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.list {
				return listTasks(c.OutOrStdout(), &o.taskFlags, "", o.asJSON, evalData(o.data)...)
			}
			return runEval(c, o)
		},
	}
	c.AddCommand(newEvalListCommand(), newEvalDiffCommand(), newEvalCompareCommand(), newEvalCurveCommand(), newEvalExplainCommand(), newEvalShowCommand(), newEvalRequestsCommand(), newEvalScoreCommand(), newEvalDataCommand())
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "the folder for results and requests")
	f.StringSliceVar(&o.export, "export", nil, "also write DIR/export-FORM of --out, in the form of another program: lm-eval, olmes, or both by commas")
	f.StringVar(&o.contamination, "contamination", "", "the report of 'olmo data decontaminate': figures of questions that the corpus holds some of, beside those of the others (also in DIR/contamination.json)")
	f.BoolVar(&o.asJSON, "json", false, "print results.json instead of a table; with --list a line for each task")
	f.BoolVar(&o.list, "list", false, "list the tasks")
	return c
}

// add defines the flags of everything that asks a model about tasks.
func (o *evalOptions) add(c *cobra.Command) {
	o.taskFlags.add(c)
	f := c.Flags()
	o.answererFlags.add(f)
	f.StringSliceVar(&o.names, "tasks", nil, "the tasks, separated by commas")
	listFlag(f, &o.documents, "documents", "the documents of bpb and paloma")
	listFlag(f, &o.data, "data", "the folders of the tasks' data sets, searched in this order")
	f.StringVar(&o.limit, "limit", "", "only so many questions or documents of each task, or a share of them (0.1); all without it")
	f.IntVar(&o.window, "window", 0, "tokens of a window of bpb and paloma; 0: the model's positions")
	f.BoolVar(&o.endOfText, "end-of-text", false, "bpb and paloma: also charge the end of text after each document")
	f.StringVar(&o.by, "by", "", "bpb and paloma: the field whose values are domains (default: subdomain, else source, else the file)")
	f.StringVar(&o.cluster, "cluster", "", "the field of rows, such as a passage's, whose questions are not independent, for standard errors")
	f.StringVar(&o.boundary, "boundary", "", "how a context and its continuation become ids: apart, or together (default: each task's own)")
	f.BoolVar(&o.tokens, "tokens", false, "keep the log-probability of every token in the requests")
	f.StringVar(&o.thinkEnd, "think-end", "", thinkEndUsage)
	o.programs.add(f)
	f.BoolVar(&o.partial, "partial", false, "give a suite that lacks tasks the figure of those that there are")
}

// checkExport refuses what cannot be exported, before the work.
func (o *evalOptions) checkExport() error {
	if len(o.export) > 0 && o.out == "" {
		return usageErrorf("--export writes below the folder of --out\nhint: --out DIR")
	}
	for _, format := range o.export {
		if err := record.CheckExport(format); err != nil {
			return &usageError{fmt.Errorf("--export: %w", err)}
		}
	}
	return nil
}

func runEval(c *cobra.Command, o evalOptions) error {
	if err := o.checkExport(); err != nil {
		return err
	}
	report, err := contaminationReport(o.contamination, o.out)
	if err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	e, err := o.prepare(c, p)
	if err != nil {
		return err
	}
	results, window, err := e.run(c, p)
	if err != nil {
		return err
	}
	var divided *compare.Contamination
	if report != nil {
		if divided, err = contamination(o.out, report); err != nil {
			return err
		}
		for _, text := range divided.LeftOut {
			p.print("olmo eval: warning: --contamination: " + text)
		}
	}
	if o.asJSON {
		return json.NewEncoder(c.OutOrStdout()).Encode(struct {
			*eval.Results
			Contamination *compare.Contamination `json:"contamination,omitempty"`
		}{results, divided})
	}
	if err := o.table(c.OutOrStdout(), e.jobs, results, window); err != nil {
		return err
	}
	if divided != nil {
		if err := contaminationTable(c.OutOrStdout(), divided); err != nil {
			return err
		}
	}
	// Authors want to be named, programs that read the table do not want them.
	for _, n := range results.Notices {
		p.print(strings.TrimSpace(n))
	}
	return nil
}

// evaluation is what a call asks, read before the model is opened.
type evaluation struct {
	*evalOptions
	chosen *chosen
	jobs   []*eval.Job
	judge  func(context.Context, string, []*eval.Document, [][]string) ([][]bool, error) // of programs
}

// prepare reads the inputs.
func (o *evalOptions) prepare(c *cobra.Command, p *progress) (*evaluation, error) {
	if err := o.check(c); err != nil {
		return nil, err
	}
	found, err := o.tasks(func(text string) { p.print("olmo eval: " + text) })
	if err != nil {
		return nil, err
	}
	// Inputs come before the model, which may take long.
	jobs, err := o.jobs(found, func(text string) { p.print("olmo eval: warning: " + text) })
	if err != nil {
		return nil, err
	}
	programs, err := o.programs.runner(c.Context(), jobs, p)
	if err != nil {
		return nil, err
	}
	if o.byText() {
		for _, text := range o.together(jobs) {
			p.print("olmo eval: " + text)
		}
	}
	return &evaluation{o, found, jobs, programs}, nil
}

// run takes the model through the jobs; window is that of documents.
func (o *evaluation) run(c *cobra.Command, p *progress) (*eval.Results, int, error) {
	warn := func(text string) { p.print("olmo eval: warning: " + text) }
	m, err := o.open(c, o.chat, warn)
	if err != nil {
		return nil, 0, err
	}
	defer m.Close()
	run := &eval.Run{
		Jobs: o.jobs, Programs: o.judge, Groups: o.chosen.groups, Suites: o.chosen.suites, Partial: o.partial, Out: o.out, Tokens: o.tokens, Memory: m.memory, NoShare: !o.share,
		Thinking: chat.Thinking{End: o.thinkEnd}, Config: o.config(),
		Kept: func(job string) { p.print(fmt.Sprintf("olmo eval: %s: kept from the call before", job)) },
		Warn: warn,
	}
	run.Config["limit"], run.Config["program"] = o.limit, "olmo "+program.Version
	window := o.window
	if m.local != nil {
		run.Config["parameters"], _ = m.local.Config.NumParams()
		if window == 0 {
			window = m.local.Config.T
		}
		if window > m.local.Config.T {
			return nil, 0, usageErrorf("--window %d is more than the model's %d positions", window, m.local.Config.T)
		}
	}
	if window > 0 {
		run.Config["window"] = window
	}
	if o.endOfText {
		run.Config["end_of_text"] = true
	}
	if o.chat {
		run.Config["chat"] = true
		if l, ok := m.Answerer.(*eval.Local); ok {
			run.Config["chat_template"] = l.Chat.Text()
		}
	}
	if o.system != "" {
		run.Config["system_instruction"] = o.system
	}
	if o.thinkEnd != "" {
		run.Config["think_end"] = o.thinkEnd
	}
	show, answered := showRequests(p), false
	run.Progress = func(now eval.Progress) {
		answered = answered || now.Done > 0
		show(now)
	}
	results, err := run.Do(c.Context(), m)
	p.close(err)
	if err != nil {
		if answered && o.out != "" {
			p.print("olmo eval: what is answered is kept: the same command goes on from here")
		}
		return nil, 0, err
	}
	for _, format := range o.export {
		folder, err := record.Export(format, run, results)
		if err != nil {
			return nil, 0, err
		}
		p.print("olmo eval: written as " + format + " would have it: " + folder)
	}
	return results, window, nil
}

// together puts the jobs under the convention of servers, which encode a context and its
// continuation as one text, and says of which tasks that is not the own one.
func (o *evalOptions) together(jobs []*eval.Job) (said []string) {
	var pairs, documents []string
	for _, j := range jobs {
		switch {
		case j.Boundary != eval.Apart || j.Task.Kind == eval.Texts:
			continue
		case j.Task.Kind == eval.Documents:
			documents = append(documents, j.Name)
		default:
			pairs = append(pairs, j.Name)
		}
		j.Boundary = eval.Together
	}
	for _, x := range []struct {
		names []string
		how   string
	}{
		{pairs, "encodes context and continuation together, where they are apart otherwise"},
		{documents, "puts its own begin of text before a document, and takes it whole"},
	} {
		n := len(x.names)
		names := strings.Join(x.names[:min(n, 3)], ", ")
		if n > 3 {
			names += fmt.Sprintf(" and %d more", n-3)
		}
		if n > 0 {
			said = append(said, fmt.Sprintf("%s: a server %s: scores differ from those of models that run here", names, x.how))
		}
	}
	return said
}

// showRequests shows how far a run of tasks is.
func showRequests(p *progress) func(eval.Progress) {
	last := ""
	return func(now eval.Progress) {
		if now.Job != last {
			p.begin(now.Job)
			last = now.Job
		}
		s := step{done: float64(now.Done), total: float64(now.Total), unit: "requests"}
		if now.Total == 0 {
			s = step{done: float64(now.Text) / 1e6, unit: "MB"}
		}
		if now.Documents > 0 {
			s.note = fmt.Sprintf("%d documents", now.Documents)
		}
		p.update(s)
	}
}

// tasks finds the tasks, and refuses a call that makes no sense.
func (o *evalOptions) tasks(say func(string)) (*chosen, error) {
	if len(o.names) == 0 {
		return nil, usageErrorf("--tasks is needed\nhint: 'olmo eval list' lists the tasks")
	}
	found, err := o.find(o.names, say)
	if err != nil {
		return nil, err
	}
	documents := slices.ContainsFunc(found.tasks, (*eval.Task).TakesDocuments)
	whole := slices.ContainsFunc(found.tasks, func(t *eval.Task) bool { return t.Kind == eval.Documents })
	switch {
	case documents && len(o.documents) == 0:
		return nil, usageErrorf("bpb and paloma need documents\nhint: --documents FILE…")
	case !documents && len(o.documents) > 0:
		return nil, usageErrorf("--documents is for the tasks bpb and paloma\nhint: --tasks bpb")
	case !whole && o.endOfText:
		return nil, usageErrorf("--end-of-text is for the tasks bpb and paloma\nhint: --tasks bpb")
	case o.window < 0:
		return nil, usageErrorf("--window %d must not be negative", o.window)
	case o.boundary != "" && o.boundary != string(eval.Apart) && o.boundary != string(eval.Together):
		return nil, usageErrorf("--boundary %s is neither apart nor together", o.boundary)
	case o.byText() && o.boundary == string(eval.Apart):
		return nil, usageErrorf("--boundary apart: a server encodes context and continuation together\nhint: the model's --tokenizer, and it is asked about ids")
	case o.byText() && (o.window > 0 || o.endOfText):
		return nil, usageErrorf("--window and --end-of-text count tokens, and a server is asked about texts\nhint: the model's --tokenizer, and it is asked about ids")
	case o.served() && o.chat && o.tokenizer != "":
		return nil, usageErrorf("--chat and --tokenizer: a server puts turns into its own form and ids")
	}
	return found, nil
}

// jobs reads the questions of the tasks, and finds the documents. A task of a suite or a pattern
// whose data are missing is named and left out.
func (o *evalOptions) jobs(found *chosen, warn func(string)) ([]*eval.Job, error) {
	files, missing, err := data.ExpandGlobs(o.documents)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no file matches %s", strings.Join(missing, ", "))
	}
	limit, share, err := limitFlag(o.limit)
	if err != nil {
		return nil, err
	}
	var jobs []*eval.Job
	var lacking []error
	for _, t := range found.tasks {
		j, err := t.Job(eval.Inputs{Data: evalData(o.data), Documents: files, Limit: limit, Share: share, Chat: o.chat, System: o.system, Window: o.window, EndOfText: o.endOfText, By: o.by, Cluster: o.cluster})
		if !found.named[t] && errors.Is(err, evaldata.ErrMissing) {
			lacking = append(lacking, err)
			text, _, _ := strings.Cut(err.Error(), "\n")
			warn(text)
			continue
		}
		if err != nil {
			return nil, err
		}
		if o.predictOnly && !found.adjusted[t] {
			j.Predict()
		}
		if o.boundary != "" {
			j.Boundary = eval.Boundary(o.boundary)
		}
		jobs = append(jobs, j)
	}
	switch {
	case len(jobs) == 0 && lacking != nil:
		return nil, fmt.Errorf("none of the tasks has its data: %w", lacking[0])
	case len(jobs) == 0:
		return nil, fmt.Errorf("the program has none of the tasks of %s\nhint: 'olmo eval show SUITE' lists them", found.suites[len(found.suites)-1].Name)
	}
	return jobs, nil
}

// evalData are the folders of data sets: those of the flag, then those of OLMO_EVAL_DATA.
func evalData(flag []string) []string {
	return append(slices.Clone(flag), filepath.SplitList(os.Getenv("OLMO_EVAL_DATA"))...)
}

// limitFlag reads a number of documents, or a share of them.
func limitFlag(value string) (limit int, share float64, err error) {
	if value == "" {
		return 0, 0, nil
	}
	if limit, err = strconv.Atoi(value); err == nil && limit > 0 {
		return limit, 0, nil
	}
	if share, err = strconv.ParseFloat(value, 64); err == nil && share > 0 && share < 1 {
		return 0, share, nil
	}
	return 0, 0, usageErrorf("--limit %s: want a number of documents, or a share between 0 and 1", value)
}

// table prints the results that were asked for.
func (o *evalOptions) table(out io.Writer, jobs []*eval.Job, r *eval.Results, window int) error {
	w := newTable(out)
	header := false
	for _, j := range jobs {
		s, t := r.Scores[j.Name], j.Task
		if s.Documents != nil {
			continue
		}
		if !header {
			fmt.Fprint(w, "task\tdocuments\tshots\tmetric\tscore\tstderr\t95 %\tchance\n")
			header = true
		}
		x, ok := r.Quoted(j)
		score, quoted, stderr, interval, chance := "–", "–", "–", "–", "–"
		if ok {
			score, quoted = fmt.Sprintf("%.4f", x.Value), t.Quoted
		}
		if x.StdErr != nil {
			stderr = fmt.Sprintf("%.4f", *x.StdErr)
		}
		if x.Interval != nil { // a share, for which guessing has one too
			interval = fmt.Sprintf("%.4f … %.4f", x.Interval[0], x.Interval[1])
			if c, ok := r.Results[j.Name]["chance"].(float64); ok {
				chance = fmt.Sprintf("%.4f", c)
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", j.Name, r.Samples[j.Name].Effective, t.Shots, quoted, score, stderr, interval, chance)
	}
	// Documents have other columns, and so a table of their own.
	if err := w.Flush(); err != nil {
		return err
	}
	for _, j := range jobs {
		d := r.Scores[j.Name].Documents
		if d == nil {
			continue
		}
		windows := "whole"
		if window > 0 {
			windows = fmt.Sprintf("windows of %d", window)
		}
		fmt.Fprintf(w, "%s\t%.4f bits per byte\tperplexity %.4f per token\t%d documents, %d bytes, %d tokens, %s\n", j.Name,
			d.BitsPerByte, d.PerToken, d.Documents, d.Bytes, d.Tokens, windows)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return groupTable(out, r)
}

// groupTable prints what groups come to.
func groupTable(out io.Writer, r *eval.Results) error {
	if len(r.Groups) == 0 {
		return nil
	}
	w := newTable(out)
	header := "\ngroup\tfigure\tscore\tstderr\n"
	for _, name := range slices.Sorted(maps.Keys(r.Groups)) {
		g := r.Groups[name]
		for _, figure := range slices.Sorted(maps.Keys(g)) {
			metric, filter, ok := strings.Cut(figure, ",")
			v, is := g[figure].(float64)
			if !ok || !is || strings.HasSuffix(metric, "_stderr") {
				continue
			}
			stderr := ""
			if e, ok := g[metric+"_stderr,"+filter].(float64); ok {
				stderr = fmt.Sprintf("%.4f", e)
			}
			fmt.Fprintf(w, "%s%s\t%s\t%.4f\t%s\n", header, name, figure, v, stderr)
			header = ""
		}
	}
	return w.Flush()
}
