package taskfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"olmo/chat/jinja"
	"olmo/eval"
	evaldata "olmo/eval/data"
	"olmo/eval/python"
)

// Options are what a call says of all tasks of files.
type Options struct {
	Shots       *int     // in place of num_fewshot, unless that is 0
	Generation  []string // key=value in place of generation_kwargs' own
	System      string   // before the description
	PredictOnly bool     // no figures but bypass
	Seed        uint64   // of the shots that are drawn; 0: 1234, lm-eval's
	Chat        bool     // prompts are turns of a conversation, each shot two of them
}

// task is a definition with what a call says of it.
type task struct {
	def      *definition
	options  Options
	features map[string]bool // fields of the rows that are asked
	contexts bool            // doc_to_text is a number: what differs is the context
}

// kwargs are what a call says of generation.
func (o *Options) kwargs() (*mapping, error) {
	m := newMapping()
	for _, kv := range o.Generation {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no key=value", kv)
		}
		m.set(k, v)
	}
	return m, nil
}

// Check refuses what no task could follow.
func (o Options) Check() error {
	m, err := o.kwargs()
	if err != nil {
		return err
	}
	return new(generation).read(m)
}

// build makes an eval.Task. The definition stays as it is in its file.
func build(file *definition, o Options) (*eval.Task, error) {
	own := *file
	def := &own
	def.config = maps.Clone(file.config)
	if o.Shots != nil {
		// A file's own 0 stays, as in lm-eval (evaluator.py, simple_evaluate).
		if !def.noShots {
			def.shots, def.config["num_fewshot"] = *o.Shots, *o.Shots
		}
	}
	if len(o.Generation) > 0 {
		m, err := o.kwargs()
		if err == nil {
			err = def.generation.read(m)
		}
		if err != nil {
			return nil, problem(def.file, "%w", err)
		}
		if kwargs, ok := def.config["generation_kwargs"].(map[string]any); ok {
			kwargs = maps.Clone(kwargs)
			for _, k := range m.keys {
				kwargs[text(k)] = plain(text(m.values[text(k)]))
			}
			def.config["generation_kwargs"] = kwargs
		}
		if g := &def.generation; m.values["temperature"] != nil && g.temperature > 0 && g.greedy {
			return nil, problem(def.file, "do_sample is false there, so a temperature has no effect\nhint: --gen-kwargs do_sample=true,temperature=%g", g.temperature)
		}
	}
	if o.Seed == 0 {
		o.Seed = 1234
	}
	t := &task{def: def, options: o}
	out := &eval.Task{
		Name: def.name, Alias: def.alias, Boundary: eval.Together, Shots: def.shots, Version: def.version, Config: def.config, Each: t.each,
		Kind: map[string]eval.Kind{"multiple_choice": eval.Choices, "loglikelihood": eval.Likelihood, "loglikelihood_rolling": eval.Likelihood, "generate_until": eval.Texts}[def.output],
		About: eval.About{
			Source: cmp.Or(def.own.source, "lm-eval's form, "+filepath.ToSlash(def.file)), Licence: def.own.licence,
			Data: strings.TrimSuffix(def.dataset.path+" "+def.dataset.name, " "),
		},
		Sets: t.all,
	}
	metrics := def.metrics
	if o.PredictOnly {
		metrics = []metricSpec{{name: "bypass", options: newMapping()}}
		if def.output != "generate_until" {
			metrics = nil
		}
	}
	for _, s := range metrics {
		some, scorer, err := newMetrics(def, s)
		if err != nil {
			return nil, problem(def.file, "%w", err)
		}
		out.Metrics = append(out.Metrics, some...)
		if scorer != nil && scorer.Programs != nil {
			if out.Programs != "" {
				return nil, problem(def.file, "metric_list: two scorers run programs, %s and %s", out.Programs, scorer.Name)
			}
			out.Programs = scorer.Name
		}
	}
	for _, s := range def.filters {
		f, err := newFilter(s)
		if err != nil {
			return nil, problem(def.file, "%w", err)
		}
		out.Filters = append(out.Filters, f)
	}
	if len(out.Metrics) > 0 {
		out.Quoted = out.Metrics[0].Name
		if len(out.Filters) > 0 {
			out.Quoted += "," + out.Filters[0].Name
		}
	}
	return out, nil
}

// errRow names the task's file and the row of what went wrong in a template.
func errRow(r evaldata.Row, err error) error { return r.Bad(err) }

// rows reads a split.
func (t *task) rows(in *eval.Inputs, split string) ([]evaldata.Row, error) {
	sets, err := t.sets(in, split)
	if err != nil {
		return nil, err
	}
	var out []evaldata.Row
	for _, s := range sets {
		for r, err := range s.Rows() {
			if err == nil && slices.Contains(t.def.own.stored, s.Name) {
				err = unwrap(&r)
			}
			here := true
			if err == nil && t.def.own.where != nil {
				here, err = t.def.own.counts(&r)
			}
			if err != nil {
				return nil, err
			}
			if here {
				out = append(out, r)
			}
		}
	}
	if len(out) == 0 {
		return nil, problem(t.def.file, "the split %s has no rows", split)
	}
	evenFractions(out)
	return out, nil
}

// counts reports whether a row is one of those that metadata.olmo.where means.
func (o *own) counts(r *evaldata.Row) (bool, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.JSON, &fields); err != nil {
		return false, r.Bad(err)
	}
	for name, want := range o.where {
		var have string
		if err := json.Unmarshal(fields[name], &have); err != nil {
			return false, r.Bad(fmt.Errorf("metadata.olmo.where asks for the text %s, which the row lacks", name))
		}
		if have != want {
			return false, nil
		}
	}
	return true, nil
}

// unwrap takes the row out of a stored request that was made of it; other rows stay.
func unwrap(r *evaldata.Row) error {
	var q struct {
		Type string          `json:"request_type"`
		Doc  json.RawMessage `json:"doc"`
	}
	if err := json.Unmarshal(r.JSON, &q); err != nil {
		return r.Bad(err)
	}
	if q.Type != "" && len(q.Doc) > 0 {
		r.JSON = q.Doc
	}
	return nil
}

// all are the sets of the documents, then those of the examples where they are others.
func (t *task) all(in *eval.Inputs) ([]*evaldata.Set, error) {
	out, err := t.sets(in, t.def.evaluated())
	if split := t.examples(); err == nil && split != "" && split != t.def.evaluated() {
		var more []*evaldata.Set
		more, err = t.sets(in, split)
		out = append(out, more...)
	}
	return out, err
}

// examples is the split that examples are taken from; "" for none.
func (t *task) examples() string {
	f := &t.def.fewshot
	switch {
	case t.def.shots == 0 || f.split == "" && f.samples != nil:
		return ""
	}
	return cmp.Or(f.split, t.def.training, t.def.validation, t.def.test)
}

// sets finds the files of a split: beside the current folder, else beside the task's file.
func (t *task) sets(in *eval.Inputs, split string) ([]*evaldata.Set, error) {
	d := &t.def.dataset
	if !slices.Contains(builders, d.path) {
		s, err := evaldata.FindSplit(in.Data, d.path, d.name, split)
		if split == t.def.evaluated() {
			s, err = t.stored(in, s, err)
		}
		if err != nil {
			return nil, problem(t.def.file, "%w", err)
		}
		return []*evaldata.Set{s}, nil
	}
	names, ok := d.files[split]
	if !ok {
		var splits []string
		for s := range d.files {
			splits = append(splits, s)
		}
		slices.Sort(splits)
		return nil, problem(t.def.file, "data_files has no split %q; it has %s", split, strings.Join(splits, ", "))
	}
	var out []*evaldata.Set
	for _, name := range names {
		s, err := evaldata.Named(name, filepath.Dir(t.def.file), d.path)
		if err != nil {
			return nil, problem(t.def.file, "data_files: %w", err)
		}
		out = append(out, s)
	}
	return out, nil
}

// stored looks for the rows in the sets that metadata.olmo names, where the split is nowhere or
// only inside the program.
func (t *task) stored(in *eval.Inputs, s *evaldata.Set, missing error) (*evaldata.Set, error) {
	if missing != nil && !errors.Is(missing, evaldata.ErrMissing) || missing == nil && s.Place != evaldata.Inside {
		return s, missing
	}
	for _, name := range t.def.own.stored {
		if set, err := evaldata.Find(in.Data, name); err == nil || !errors.Is(err, evaldata.ErrMissing) {
			return set, err
		}
	}
	return s, missing
}

// each makes the documents.
func (t *task) each(in *eval.Inputs) iter.Seq2[*eval.Document, error] {
	return func(yield func(*eval.Document, error) bool) {
		if err := t.documents(in, func(d *eval.Document) bool { return yield(d, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

func (t *task) documents(in *eval.Inputs, yield func(*eval.Document) bool) error {
	def := t.def
	docs, err := t.rows(in, def.evaluated())
	if err != nil {
		return err
	}
	if n := def.own.sample; n > 0 && len(docs) > n {
		chosen, err := python.NewRandom(def.own.sampleSeed).Sample(len(docs), n)
		if err != nil {
			return err
		}
		all := docs
		docs = nil
		for _, i := range chosen {
			docs = append(docs, all[i])
		}
	}
	t.features = map[string]bool{}
	parsed := make([]*row, len(docs))
	for i, r := range docs {
		if parsed[i], err = parseRow(r.JSON); err != nil {
			return errRow(r, err)
		}
		for _, k := range parsed[i].keys {
			t.features[k] = true
		}
	}
	shots, err := t.sampler(in)
	if err != nil {
		return err
	}
	if def.choices.value != nil && def.output == "multiple_choice" {
		q, err := def.text.text(parsed[0], t.features, true)
		if err != nil {
			return errRow(docs[0], err)
		}
		_, t.contexts = q.(int64)
	}
	for i, r := range parsed {
		d := &eval.Document{Index: i, Row: docs[i].JSON}
		for _, name := range []string{"id", "doc_id", "idx", "ID"} {
			if v, ok := r.fields[name]; ok {
				switch v.(type) {
				case string, int64:
					d.ID = text(v)
				}
				break
			}
		}
		before, err := t.before(r, docs[i], shots)
		if err == nil {
			err = t.ask(d, r, before)
		}
		if err != nil {
			return errRow(docs[i], err)
		}
		if !yield(d) {
			return nil
		}
	}
	return nil
}

// before is what stands before a document's question: system text, description and examples.
func (t *task) before(r *row, raw evaldata.Row, s *sampler) ([]message, error) {
	description, _, err := t.def.description.of(r, t.features)
	if err != nil {
		return nil, err
	}
	var out []message
	lead := ""
	if description != nil {
		lead = text(description)
	}
	if system := joined(t.options.System, lead, t.def.fewshotDelimiter); system != "" {
		out = append(out, message{"system", system, ""})
	}
	if t.def.shots == 0 {
		return out, nil
	}
	examples, err := s.draw(t.def.shots, raw)
	if err != nil {
		return nil, err
	}
	for _, x := range examples {
		m, err := t.shot(x)
		if err != nil {
			return nil, err
		}
		out = append(out, m...)
	}
	return out, nil
}

// ask adds a document's requests.
func (t *task) ask(d *eval.Document, r *row, before []message) error {
	def := t.def
	prefix, err := t.prefix(def.genPrefix, r)
	if err != nil {
		return err
	}
	target, err := def.target.target(r, t.features, def.choices.value != nil)
	if err == nil {
		d.Target, err = jinja.Text(templateValue(target))
	}
	if err != nil {
		return err
	}
	if def.output == "loglikelihood_rolling" {
		whole, err := oneText("doc_to_target", target)
		d.Targets = []string{whole}
		d.Requests = []eval.Request{{Form: eval.Rolling, Continuation: whole, Overlap: true}}
		return err
	}
	q, err := def.text.text(r, t.features, def.choices.value != nil)
	if err != nil {
		return err
	}
	if def.choices.value != nil {
		if d.Choices, err = def.choices.choices(r, t.features); err != nil {
			return err
		}
		if i := slices.Index(d.Choices, ""); i >= 0 && def.output == "multiple_choice" {
			return fmt.Errorf("choice %d of doc_to_choice is empty", i+1)
		}
	}
	// context puts a question behind what stands before it, as a text and as turns.
	context := func(question, delimiter string) (r eval.Request) {
		messages := append(slices.Clone(before), turn(question, prefix, nil, delimiter, "")...)
		r.Context = plainText(messages)
		if t.options.Chat {
			r.Turns = turns(messages)
		}
		return r
	}
	// In a conversation a delimiter stands only behind the beginning of an answer (lm-eval 0.4.13,
	// api/task.py, construct_requests).
	delimiter := def.targetDelimiter
	if begun, _ := def.genPrefix.value.(string); t.options.Chat && (begun == "" || endsInSpace(begun)) {
		delimiter = ""
	}
	if t.contexts {
		n, ok := q.(int64)
		if !ok {
			return fmt.Errorf("doc_to_text gives %v, want the number of a context", q)
		}
		ending, err := oneText("doc_to_target", target)
		if err != nil {
			return err
		}
		for _, c := range d.Choices {
			// The delimiter before the prefix is none here (multiple_input_context).
			r := context(c, "")
			r.Continuation = delimiter + ending
			d.Requests = append(d.Requests, r)
		}
		t.unconditional(d, delimiter)
		return t.gold(d, n)
	}
	question, err := oneText("doc_to_text", q)
	if err != nil {
		return err
	}
	request := context(question, def.targetDelimiter)
	switch def.output {
	case "multiple_choice":
		for _, c := range d.Choices {
			request.Continuation = delimiter + c
			d.Requests = append(d.Requests, request)
		}
		t.unconditional(d, delimiter)
		return t.gold(d, target)
	case "loglikelihood":
		whole, err := oneText("doc_to_target", target)
		request.Continuation = whole
		d.Targets, d.Requests = []string{whole}, []eval.Request{request}
		return err
	}
	if d.Targets, err = t.targets(d, target); err != nil {
		return err
	}
	g := &def.generation
	request.Form, request.Until, request.MaxTokens, request.Responses = eval.Text, g.until, g.maxTokens, max(g.responses, def.repeats)
	if g.temperature > 0 && !g.greedy {
		request.Sampling = eval.Sampling{Temperature: g.temperature, TopK: g.topK, TopP: g.topP, Seed: t.options.Seed}
	}
	d.Requests, d.Choices = []eval.Request{request}, nil
	return nil
}

// unconditional adds the requests of the choices alone, where a metric is made of them.
func (t *task) unconditional(d *eval.Document, delimiter string) {
	if !slices.ContainsFunc(t.def.metrics, func(m metricSpec) bool { return m.name == "acc_mutual_info" }) {
		return
	}
	for _, c := range d.Choices {
		d.Requests = append(d.Requests, eval.Request{Continuation: delimiter + c, Unconditional: true})
	}
}

// gold marks the right choices: a number, a choice's text, or a list of numbers.
func (t *task) gold(d *eval.Document, target any) error {
	one := func(v any) error {
		switch v := v.(type) {
		case int64, bool:
			n, _ := number(v)
			if n < 0 || int(n) >= len(d.Choices) {
				return fmt.Errorf("the answer is number %d of %d choices", n, len(d.Choices))
			}
			d.Gold = append(d.Gold, int(n))
		case string:
			i := slices.Index(d.Choices, v)
			if i < 0 {
				return fmt.Errorf("the answer %q is none of the choices %q", v, d.Choices)
			}
			d.Gold = append(d.Gold, i)
		default:
			return fmt.Errorf("the answer is %s, want a choice's number", describe(v))
		}
		return nil
	}
	items, ok := itemsOf(target)
	if !ok {
		return one(target)
	}
	if len(items) == 0 {
		return fmt.Errorf("the answer is an empty list")
	}
	for _, v := range items {
		if err := one(v); err != nil {
			return err
		}
	}
	return nil
}

// targets are the right answers of a text.
func (t *task) targets(d *eval.Document, target any) ([]string, error) {
	if n, ok := number(target); ok && t.def.choices.value != nil {
		if n < 0 || int(n) >= len(d.Choices) {
			return nil, fmt.Errorf("the answer is number %d of %d choices", n, len(d.Choices))
		}
		return d.Choices[n : n+1], nil
	}
	if list, ok := listOf(target); ok {
		if len(list) == 0 {
			return nil, fmt.Errorf("the answer is an empty list")
		}
		return list, nil
	}
	return []string{text(target)}, nil
}

// oneText is a value that must be a text.
func oneText(key string, v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil:
		return "", fmt.Errorf("%s gives nothing, want a text", key)
	}
	if _, ok := listOf(v); ok {
		return "", fmt.Errorf("%s gives a list, want a text", key)
	}
	return text(v), nil
}

// sampler draws examples.
type sampler struct {
	pool   []*row
	raw    []string // see same, to tell a document that is asked from its examples
	random *python.Random
	first  bool // the first ones, not drawn
	own    bool // the pool is the split that is asked
}

// sampler reads the examples of the task; nil without shots.
func (t *task) sampler(in *eval.Inputs) (*sampler, error) {
	f := &t.def.fewshot
	if t.def.shots == 0 {
		return nil, nil
	}
	// lm-eval compares the names of the two splits, of which neither may be given.
	s := &sampler{random: python.NewRandom(t.options.Seed), first: f.sampler == "first_n", own: f.split == t.def.test}
	split := t.examples()
	if split == "" {
		s.pool, s.raw = f.samples, make([]string, len(f.samples))
	} else {
		rows, err := t.rows(in, split)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			x, err := parseRow(r.JSON)
			if err != nil {
				return nil, r.Bad(err)
			}
			same, err := s.same(r)
			if err != nil {
				return nil, err
			}
			s.pool, s.raw = append(s.pool, x), append(s.raw, same)
		}
	}
	if f.indices != nil {
		var pool []*row
		var raw []string
		for _, i := range f.indices {
			if i >= len(s.pool) {
				return nil, problem(t.def.file, "fewshot_indices: %d of %d examples", i, len(s.pool))
			}
			pool, raw = append(pool, s.pool[i]), append(raw, s.raw[i])
		}
		s.pool, s.raw = pool, raw
	}
	return s, nil
}

// same is a text that rows have in common which are equal: the order of their keys and the writing
// of their texts do not count. It is "" where no row needs it.
func (s *sampler) same(r evaldata.Row) (string, error) {
	if !s.own {
		return "", nil
	}
	d := json.NewDecoder(bytes.NewReader(r.JSON))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		return "", r.Bad(err)
	}
	text, err := json.Marshal(fields)
	return string(text), err
}

// draw gives n examples, none of which is the document itself (api/samplers.py). Drawn ones go on
// with the generator's state, so that they differ from document to document.
func (s *sampler) draw(n int, doc evaldata.Row) ([]*row, error) {
	short := fmt.Errorf("%d examples are asked for, and there are %d\nhint: fewer with --num-fewshot", n, len(s.pool))
	own, err := s.same(doc)
	if err != nil {
		return nil, err
	}
	if s.first {
		var out []*row
		for i, x := range s.pool {
			if len(out) < n && !(s.own && s.raw[i] == own) {
				out = append(out, x)
			}
		}
		if len(out) < n {
			return nil, short
		}
		return out, nil
	}
	k := n
	if s.own {
		k++
	}
	chosen, err := s.random.Sample(len(s.pool), k)
	if err != nil {
		return nil, short
	}
	var out []*row
	for _, i := range chosen {
		if len(out) < n && !(s.own && s.raw[i] == own) {
			out = append(out, s.pool[i])
		}
	}
	if len(out) == n {
		return out, nil
	}
	// The document stands more than once among those that were drawn.
	var others []*row
	for i, x := range s.pool {
		if s.raw[i] != own {
			others = append(others, x)
		}
	}
	if chosen, err = s.random.Sample(len(others), n); err != nil {
		return nil, short
	}
	out = out[:0]
	for _, i := range chosen {
		out = append(out, others[i])
	}
	return out, nil
}
