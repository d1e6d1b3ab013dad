package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/eval"
)

// evalOptions are the flags of `olmo eval`.
type evalOptions struct {
	path, tokenizer string
	names           []string
	documents       []string
	data            string
	limit           int
	window          int
	endOfText       bool
	ignoreExtra     bool
	out             string
	precision       string
	asJSON, list    bool
}

func newEvalCommand() *cobra.Command {
	var o evalOptions
	c := &cobra.Command{
		Use:   "eval --model PATH --tasks NAME,…",
		Short: "Judge a model: multiple-choice tasks and bits per byte",
		Long: `Eval scores a model on tasks. arc_easy is inside the program; the other tasks read
their data sets from the folder of --data, one JSONL file each ('--list' names them).

bpb and paloma measure the bits per byte of --documents: JSONL files of documents
(also .gz and .zst), any other file as one text. bpb cuts each document into windows
that do not overlap; paloma moves the last one back to full length, as catwalk does.
With --end-of-text the end of text after each document is charged too, as the report
of quickstart does.

With --out, DIR gets results.json, in the form of lm-eval's, and every request with
its score in requests-TASK.jsonl. A task that DIR has already, of the same model,
settings and data, is not computed again.`,
		Example: `  olmo eval --model olmo-quickstart --tasks arc_easy --out scores
  olmo eval --model MODEL --tasks piqa,hellaswag --data datasets --limit 100 --out scores --json
  olmo eval --model MODEL --tasks bpb --documents heldout/*.jsonl.zst
  olmo eval --list`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.list {
				return listTasks(c.OutOrStdout(), o.asJSON)
			}
			return runEval(c, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.path, "model", "", "the model: a folder, a run, or a .gguf file")
	f.StringSliceVar(&o.names, "tasks", nil, "the tasks, separated by commas")
	listFlag(f, &o.documents, "documents", "the documents of bpb and paloma")
	f.StringVar(&o.data, "data", "", "the folder of the tasks' data sets")
	f.IntVar(&o.limit, "limit", 0, "only so many questions or documents of each task; 0: all")
	f.IntVar(&o.window, "window", 0, "tokens of a window of bpb and paloma; 0: the model's positions")
	f.BoolVar(&o.endOfText, "end-of-text", false, "bpb and paloma: also charge the end of text after each document")
	f.StringVar(&o.out, "out", "", "the folder for results and requests")
	f.StringVar(&o.tokenizer, "tokenizer", "", "a tokenizer.json to use instead of the model's")
	ignoreExtraFlag(f, &o.ignoreExtra)
	f.StringVar(&o.precision, "precision", "fp32", "arithmetic: fp32, or amp_bf16 for the bits of such a training run")
	f.BoolVar(&o.asJSON, "json", false, "print results.json instead of a table; with --list a line for each task")
	f.BoolVar(&o.list, "list", false, "list the tasks")
	return c
}

// listTasks prints the tasks, those of documents last.
func listTasks(out io.Writer, asJSON bool) error {
	var tasks []*eval.Task
	for _, name := range eval.Tasks() {
		t, err := eval.LookupTask(name)
		if err != nil {
			return err
		}
		tasks = append(tasks, t)
	}
	slices.SortStableFunc(tasks, func(a, b *eval.Task) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	if asJSON {
		e := json.NewEncoder(out)
		for _, t := range tasks {
			if err := e.Encode(listedTask{t.Name, t.Kind, t.Metric, dataOf(t)}); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "task\tquoted with\tdata set\n")
	for _, t := range tasks {
		file := dataOf(t)
		switch {
		case t.Kind == eval.Documents:
			file = "--documents"
		case file == "":
			file = "(inside)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, t.Metric, file)
	}
	return w.Flush()
}

// listedTask is a line of `olmo eval --list --json`.
type listedTask struct {
	Name   string      `json:"name"`
	Kind   eval.Kind   `json:"kind"`
	Metric eval.Metric `json:"metric"`
	Data   string      `json:"data"` // file of the data set; empty for none
}

func dataOf(t *eval.Task) string {
	if t.Data == "" {
		return ""
	}
	return t.Data + ".jsonl"
}

func runEval(c *cobra.Command, o evalOptions) error {
	bf16, err := precisionFlag(o.precision)
	if err != nil {
		return err
	}
	tasks, err := o.tasks()
	if err != nil {
		return err
	}
	// Inputs come before the model, which may take long.
	jobs, err := o.jobs(tasks)
	if err != nil {
		return err
	}
	m, err := openModel(c, o.path, o.tokenizer, bf16, o.ignoreExtra)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := needTokenizer(m, ""); err != nil {
		return err
	}
	window := o.window
	if window == 0 {
		window = m.Config.T
	}
	if window > m.Config.T {
		return usageErrorf("--window %d is more than the model's %d positions", window, m.Config.T)
	}
	p := newProgress(c.ErrOrStderr())
	run := &eval.Run{
		Jobs: jobs, Out: o.out, Precision: o.precision,
		Config: map[string]any{"model": o.path, "precision": o.precision, "limit": o.limit, "window": window, "program": "olmo " + version},
		Kept:   func(job string) { p.print(fmt.Sprintf("olmo eval: %s: kept from the call before", job)) },
		Warn:   func(text string) { p.print("olmo eval: warning: " + text) },
	}
	if o.endOfText {
		run.Config["end_of_text"] = true
	}
	last := ""
	run.Progress = func(now eval.Progress) {
		if now.Job != last {
			p.begin(now.Job)
			last = now.Job
		}
		if now.Total > 0 {
			s := step{done: now.Done, total: now.Total, unit: now.Unit}
			if now.Documents > 0 {
				s.note = fmt.Sprintf("%d documents", now.Documents)
			}
			p.update(s)
		}
	}
	results, err := run.Do(c.Context(), m)
	p.end()
	if err != nil {
		return err
	}
	if o.asJSON {
		return json.NewEncoder(c.OutOrStdout()).Encode(results)
	}
	return o.table(c.OutOrStdout(), tasks, results, window)
}

// tasks finds the tasks, and refuses a call that makes no sense.
func (o *evalOptions) tasks() (tasks []*eval.Task, err error) {
	if len(o.names) == 0 {
		return nil, usageErrorf("--tasks is needed\nhint: 'olmo eval --list' lists the tasks")
	}
	documents := false
	for _, name := range o.names {
		t, err := eval.LookupTask(name)
		if err != nil {
			return nil, &usageError{err}
		}
		documents = documents || t.Kind == eval.Documents
		tasks = append(tasks, t)
	}
	switch {
	case documents && len(o.documents) == 0:
		return nil, usageErrorf("bpb and paloma need documents\nhint: --documents FILE…")
	case !documents && len(o.documents) > 0:
		return nil, usageErrorf("--documents is for the tasks bpb and paloma\nhint: --tasks bpb")
	case !documents && o.endOfText:
		return nil, usageErrorf("--end-of-text is for the tasks bpb and paloma\nhint: --tasks bpb")
	case o.limit < 0 || o.window < 0:
		return nil, usageErrorf("--limit %d and --window %d must not be negative", o.limit, o.window)
	}
	return tasks, nil
}

// jobs reads the questions of the tasks, each once, and finds the documents.
func (o *evalOptions) jobs(tasks []*eval.Task) ([]*eval.Job, error) {
	files, missing, err := data.ExpandGlobs(o.documents)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no file matches %s", strings.Join(missing, ", "))
	}
	var jobs []*eval.Job
	for i, t := range tasks {
		if slices.Index(tasks, t) < i {
			continue
		}
		j, err := t.Job(eval.Inputs{Data: o.data, Documents: files, Limit: o.limit, Window: o.window, EndOfText: o.endOfText})
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// table prints the results that were asked for.
func (o *evalOptions) table(out io.Writer, tasks []*eval.Task, r *eval.Results, window int) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	header := false
	for _, t := range tasks {
		c := r.Scores[t.Name].Choices
		if c == nil {
			continue
		}
		if !header {
			fmt.Fprint(w, "task\tquestions\tmetric\tscore\tchance\tacc\tlen_norm\tbpb\n")
			header = true
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", t.Name, c.Questions, t.Metric, c.Value(t.Metric), c.Chance, c.Accuracy, c.LenNorm, c.BPB)
	}
	for _, t := range tasks {
		d := r.Scores[t.Name].Documents
		if d == nil {
			continue
		}
		fmt.Fprintf(w, "%s\t%.4f bits per byte\tperplexity %.4f per token\t%d documents, %d bytes, %d tokens, windows of %d\n", t.Name,
			d.BitsPerByte, d.PerToken, d.Documents, d.Bytes, d.Tokens, window)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range r.Notices {
		if _, err := fmt.Fprintf(out, "\n%s\n", strings.TrimSpace(n)); err != nil {
			return err
		}
	}
	return nil
}
