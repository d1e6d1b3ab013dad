package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/eval"
	evaldata "olmo/eval/data"
	"olmo/lm"
)

// evalOptions are the flags of `olmo eval`.
type evalOptions struct {
	path, tokenizer string
	names           []string
	documents       []string
	data            string
	limit           int
	window          int
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
				return listTasks(c.OutOrStdout())
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
	f.StringVar(&o.out, "out", "", "the folder for results and requests")
	f.StringVar(&o.tokenizer, "tokenizer", "", "a tokenizer.json to use instead of the model's")
	f.StringVar(&o.precision, "precision", "fp32", "arithmetic: fp32, or amp_bf16 for the bits of such a training run")
	f.BoolVar(&o.asJSON, "json", false, "print results.json instead of a table")
	f.BoolVar(&o.list, "list", false, "list the tasks")
	return c
}

func listTasks(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "task\tquoted with\tdata set\n")
	for _, name := range eval.Tasks() {
		t, err := eval.LookupTask(name)
		if err != nil {
			return err
		}
		file := "(inside)"
		if t.Data != "" {
			file = t.Data + ".jsonl"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, t.Metric, file)
	}
	fmt.Fprintf(w, "bpb\tbits_per_byte\t--documents\npaloma\tbits_per_byte\t--documents\n")
	return w.Flush()
}

// isPerplexity reports whether a task measures documents.
func isPerplexity(task string) bool { return task == "bpb" || task == "paloma" }

// evalResults is results.json: lm-eval's form, and under digests what a result depends
// on, by which a later call knows that it need not be computed again.
type evalResults struct {
	Results map[string]map[string]any `json:"results"`
	Samples map[string]int            `json:"n-samples"`
	Config  map[string]any            `json:"config"`
	Digests map[string]string         `json:"digests"`
	Notices []string                  `json:"notices,omitempty"`
}

// evaluation is one call of `olmo eval`.
type evaluation struct {
	evalOptions
	bf16      bool
	tasks     map[string]*eval.Task
	questions map[string][]eval.Question
	files     []string
	model     *lm.Model
	scorer    *lm.Scorer
	results   evalResults
	progress  *progress
}

func runEval(c *cobra.Command, o evalOptions) error {
	v := &evaluation{evalOptions: o, tasks: map[string]*eval.Task{}, questions: map[string][]eval.Question{}, progress: newProgress(c.ErrOrStderr())}
	if err := v.check(); err != nil {
		return err
	}
	if err := v.readInputs(); err != nil {
		return err
	}
	var err error
	if v.model, err = openModel(o.path, o.tokenizer, v.bf16); err != nil {
		return err
	}
	if err := v.prepare(); err != nil {
		return errors.Join(err, v.model.Close())
	}
	todo, err := v.resume()
	if err != nil {
		return errors.Join(err, v.model.Close())
	}
	if len(todo) == 0 {
		err = v.model.Close()
	} else {
		err = v.run(c.Context(), todo)
	}
	if err != nil {
		return err
	}
	if o.asJSON {
		e := json.NewEncoder(c.OutOrStdout())
		return e.Encode(v.results)
	}
	return v.table(c.OutOrStdout())
}

// check refuses a call that makes no sense.
func (v *evaluation) check() (err error) {
	if v.bf16, err = precisionFlag(v.precision); err != nil {
		return err
	}
	if len(v.names) == 0 {
		return usageErrorf("--tasks is needed\nhint: 'olmo eval --list' lists the tasks")
	}
	documents := false
	for _, name := range v.names {
		if isPerplexity(name) {
			documents = true
			continue
		}
		if v.tasks[name], err = eval.LookupTask(name); err != nil {
			return &usageError{err}
		}
	}
	switch {
	case documents && len(v.documents) == 0:
		return usageErrorf("bpb and paloma need documents\nhint: --documents FILE…")
	case !documents && len(v.documents) > 0:
		return usageErrorf("--documents is for the tasks bpb and paloma\nhint: --tasks bpb")
	case v.limit < 0 || v.window < 0:
		return usageErrorf("--limit %d and --window %d must not be negative", v.limit, v.window)
	}
	return nil
}

// readInputs reads the questions and finds the documents, before the model, which may
// take long.
func (v *evaluation) readInputs() error {
	for name, t := range v.tasks {
		q, err := t.Questions(v.data)
		if err != nil {
			return err
		}
		if v.limit > 0 {
			q = q[:min(v.limit, len(q))]
		}
		v.questions[name] = q
	}
	if len(v.documents) == 0 {
		return nil
	}
	files, missing, err := data.ExpandGlobs(v.documents)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("no file matches %s", strings.Join(missing, ", "))
	}
	v.files = files
	return nil
}

// prepare checks the model against the tasks.
func (v *evaluation) prepare() error {
	if err := needTokenizer(v.model, ""); err != nil {
		return err
	}
	T := v.model.Config.T
	if v.window == 0 {
		v.window = T
	}
	if v.window > T {
		return usageErrorf("--window %d is more than the model's %d positions", v.window, T)
	}
	if len(v.files) > 0 && v.model.Config.EOS < 0 && len(v.model.Stop) == 0 {
		return fmt.Errorf("the model %s names no end-of-text id, which stands before each document\nhint: set eos_token_id in its config", v.path)
	}
	return nil
}

// eos is the id before a document.
func (v *evaluation) eos() int32 {
	if v.model.Config.EOS >= 0 {
		return v.model.Config.EOS
	}
	return v.model.Stop[0]
}

// resume reads what the folder has and returns the tasks that are left.
func (v *evaluation) resume() (todo []string, err error) {
	v.results = evalResults{
		Results: map[string]map[string]any{}, Samples: map[string]int{}, Digests: map[string]string{},
		Config: map[string]any{
			"model": v.path, "precision": v.precision, "limit": v.limit, "window": v.window, "program": "olmo " + version,
		},
	}
	var old evalResults
	if v.out != "" {
		text, err := os.ReadFile(v.resultsFile())
		if err == nil {
			err = json.Unmarshal(text, &old)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w\nhint: another --out, or remove the file", v.resultsFile(), err)
		}
		// Other tasks' results stay.
		for name, r := range old.Results {
			v.results.Results[name], v.results.Samples[name], v.results.Digests[name] = r, old.Samples[name], old.Digests[name]
		}
		v.results.Notices = old.Notices
	}
	sum, err := v.model.Digest()
	if err != nil {
		return nil, err
	}
	for _, name := range v.names {
		digest, err := v.digest(name, sum)
		if err != nil {
			return nil, err
		}
		_, requestsErr := os.Stat(v.requestsFile(name))
		if v.out != "" && old.Digests[name] == digest && requestsErr == nil {
			v.progress.print(fmt.Sprintf("olmo eval: %s: kept from the call before", name))
			continue
		}
		v.results.Digests[name] = digest
		if !slices.Contains(todo, name) {
			todo = append(todo, name)
		}
	}
	return todo, nil
}

// digest covers everything that a task's result depends on.
func (v *evaluation) digest(task, weightsDigest string) (string, error) {
	type input struct {
		Task, Weights, Tokenizer, Precision string
		Limit, Window                       int
		Config                              any
		Questions                           []eval.Question
		Files                               map[string]string
	}
	in := input{Task: task, Weights: weightsDigest, Tokenizer: v.model.Tokenizer.Fingerprint(), Precision: v.precision, Limit: v.limit, Config: v.model.Config, Questions: v.questions[task]}
	if isPerplexity(task) {
		in.Window, in.Files = v.window, map[string]string{}
		for _, file := range v.files {
			f, err := os.Open(file)
			if err != nil {
				return "", err
			}
			h := sha256.New()
			_, err = io.Copy(h, f)
			f.Close()
			if err != nil {
				return "", fmt.Errorf("reading %s: %w", file, err)
			}
			in.Files[filepath.Base(file)] += hex.EncodeToString(h.Sum(nil))
		}
	}
	text, err := json.Marshal(in)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

func (v *evaluation) resultsFile() string { return filepath.Join(v.out, "results.json") }

func (v *evaluation) requestsFile(task string) string {
	return filepath.Join(v.out, "requests-"+task+".jsonl")
}

// run loads the model and computes the tasks; results.json grows task by task.
func (v *evaluation) run(ctx context.Context, todo []string) (err error) {
	longest := 1
	if slices.ContainsFunc(todo, isPerplexity) {
		longest = v.window
	}
	v.progress.begin("loading")
	v.scorer, err = v.model.Scorer(longest)
	v.progress.end()
	if err != nil {
		return err
	}
	for _, name := range todo {
		if err := v.task(ctx, name); err != nil {
			return err
		}
		if v.out == "" {
			continue
		}
		w, err := data.CreateWriter(v.resultsFile())
		if err != nil {
			return err
		}
		defer w.Abort()
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(v.results); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

// task computes one task and writes its requests.
func (v *evaluation) task(ctx context.Context, name string) error {
	keep := func(any) error { return nil }
	var w *data.Writer
	if v.out != "" {
		var err error
		if w, err = data.CreateWriter(v.requestsFile(name)); err != nil {
			return err
		}
		defer w.Abort()
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		keep = e.Encode
	}
	v.progress.begin(name)
	defer v.progress.end()
	var err error
	if isPerplexity(name) {
		err = v.perplexity(ctx, name, keep)
	} else {
		err = v.choices(ctx, name, keep)
	}
	if err != nil {
		return err
	}
	if w != nil {
		return w.Close()
	}
	return nil
}

func (v *evaluation) choices(ctx context.Context, name string, keep func(any) error) error {
	questions, done := v.questions[name], 0
	score, err := eval.Choose(ctx, v.scorer, v.model.Tokenizer.NewEncoder(), v.model.Config.T, name, questions, func(r eval.Request) error {
		if r.Choice == 0 {
			done++
			v.progress.update(step{done: float64(done), total: float64(len(questions)), unit: "questions"})
		}
		return keep(r)
	})
	if err != nil {
		return err
	}
	score.Metric = v.tasks[name].Metric
	fields, err := asMap(score)
	if err != nil {
		return err
	}
	spread := func(share float64) float64 {
		return math.Sqrt(share * (1 - share) / float64(max(score.Questions-1, 1)))
	}
	fields["acc_stderr"], fields["len_norm_stderr"] = spread(score.Accuracy), spread(score.LenNorm)
	v.add(name, fields, score.Questions)
	if notice := evaldata.Notice(); strings.HasPrefix(name, "arc_easy") && v.tasks[name].Data == "" && !slices.Contains(v.results.Notices, notice) {
		v.results.Notices = append(v.results.Notices, notice)
	}
	return nil
}

func (v *evaluation) perplexity(ctx context.Context, name string, keep func(any) error) error {
	var total, done int64
	for _, f := range v.files {
		if st, err := os.Stat(f); err == nil {
			total += st.Size()
		}
	}
	files := map[string]*eval.Perplexity{}
	var order []string // file of each document
	texts := func(yield func(eval.Text, error) bool) {
		n := 0
		for _, f := range v.files {
			for t, err := range readTexts(f) {
				if v.limit > 0 && n == v.limit {
					return
				}
				n++
				order = append(order, f)
				if !yield(t, err) || err != nil {
					return
				}
			}
			if st, err := os.Stat(f); err == nil {
				done += st.Size()
			}
		}
	}
	measured := 0
	p, err := eval.BitsPerByte(ctx, v.scorer, v.model.Tokenizer.NewEncoder(), texts, eval.BitsPerByteOptions{
		Window: v.window, Prefix: v.eos(), Overlap: name == "paloma",
		Progress: func(int64) {
			v.progress.update(step{done: float64(done) / 1e6, total: float64(total) / 1e6, unit: "MB", note: fmt.Sprintf("%d documents", measured)})
		},
	}, func(d eval.DocumentScore) error {
		f := order[measured]
		measured++
		if files[f] == nil {
			files[f] = &eval.Perplexity{}
		}
		files[f].Add(d)
		return keep(d)
	})
	if err != nil {
		return err
	}
	fields, err := asMap(p)
	if err != nil {
		return err
	}
	if len(files) > 1 {
		fields["files"] = files
		var macro float64
		for _, f := range files {
			macro += f.PerToken / float64(len(files))
		}
		fields["perplexity_per_token_macro"] = macro
	}
	v.add(name, fields, p.Documents)
	return nil
}

// lmEvalNames are the names that lm-eval's tables give to figures of ours.
var lmEvalNames = map[string]string{
	"acc": "acc,none", "acc_stderr": "acc_stderr,none", "len_norm": "acc_norm,none", "len_norm_stderr": "acc_norm_stderr,none",
	"bits_per_byte": "bits_per_byte,none", "perplexity_per_byte": "byte_perplexity,none", "perplexity_per_word": "word_perplexity,none",
}

// add keeps a task's figures, also under lm-eval's names.
func (v *evaluation) add(name string, fields map[string]any, n int) {
	for ours, theirs := range lmEvalNames {
		if value, ok := fields[ours]; ok {
			fields[theirs] = value
		}
	}
	fields["alias"] = name
	v.results.Results[name], v.results.Samples[name] = fields, n
}

// readTexts reads a file of documents, or any other file as one text.
func readTexts(path string) iter.Seq2[eval.Text, error] {
	return func(yield func(eval.Text, error) bool) {
		name := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
		if ext := filepath.Ext(name); ext != ".jsonl" && ext != ".json" {
			text, err := readUnpacked(path)
			yield(eval.Text{ID: filepath.Base(path), Text: string(text)}, err)
			return
		}
		r, err := data.OpenReader(path)
		if err != nil {
			yield(eval.Text{}, err)
			return
		}
		defer r.Close()
		for {
			d, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(eval.Text{ID: d.ID, Text: d.Text}, err) || err != nil {
				return
			}
		}
	}
}

// asMap gives a struct's fields by their names in JSON.
func asMap(s any) (map[string]any, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(text, &m)
}

// table prints the results that were asked for.
func (v *evaluation) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	choices := slices.ContainsFunc(v.names, func(name string) bool { return !isPerplexity(name) })
	number := func(name, key string) string {
		if f, ok := v.results.Results[name][key].(float64); ok {
			return fmt.Sprintf("%.4f", f)
		}
		return ""
	}
	if choices {
		fmt.Fprint(w, "task\tquestions\tmetric\tscore\tchance\tacc\tlen_norm\tbpb\n")
		for _, name := range v.names {
			if isPerplexity(name) {
				continue
			}
			metric := string(v.tasks[name].Metric)
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", name, v.results.Samples[name], metric, number(name, metric),
				number(name, "chance"), number(name, "acc"), number(name, "len_norm"), number(name, "bpb"))
		}
	}
	for _, name := range v.names {
		if !isPerplexity(name) {
			continue
		}
		r := v.results.Results[name]
		fmt.Fprintf(w, "%s\t%s bits per byte\tperplexity %s per token\t%v documents, %v bytes, %v tokens, windows of %d\n", name,
			number(name, "bits_per_byte"), number(name, "perplexity_per_token"), r["documents"], r["bytes"], r["tokens"], v.window)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range v.results.Notices {
		if _, err := fmt.Fprintf(out, "\n%s\n", strings.TrimSpace(n)); err != nil {
			return err
		}
	}
	return nil
}
