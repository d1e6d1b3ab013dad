package taskfile

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"olmo/config"
)

// definition is a task's file, read.
type definition struct {
	file, name, alias string
	version           any
	dataset           dataset
	training          string
	validation        string
	test              string
	text              *field
	target            *field
	choices           *field // value nil: none
	description       *field
	genPrefix         *field
	targetDelimiter   string
	fewshotDelimiter  string
	shots             int
	noShots           bool // the file says 0
	fewshot           fewshot
	output            string // output_type
	generation        generation
	repeats           int
	filters           []filterSpec
	metrics           []metricSpec
	config            map[string]any
	own               own
}

// own is metadata.olmo: what this program reads and lm-eval passes over.
type own struct {
	source, licence string
	where           map[string]string // the rows that count: fields with their texts
	stored          []string          // sets that hold the rows under other names, or requests with the rows in them
	sample          int               // documents drawn where there are more; 0: all
	sampleSeed      uint64
}

// dataset is where a task's rows are.
type dataset struct {
	path, name string
	files      map[string][]string // of a split, for the builders json, csv, parquet and text
}

// fewshot is fewshot_config over what it stands for.
type fewshot struct {
	sampler          string
	split            string
	indices          []int
	samples          []*row
	text             *field
	target           *field
	choices          *field
	genPrefix        *field
	targetDelimiter  string
	fewshotDelimiter string
}

// generation is generation_kwargs.
type generation struct {
	until       []string
	maxTokens   int
	responses   int  // to each document; 0: repeats
	greedy      bool // do_sample is false: temperature has no effect
	temperature float64
	topK        int
	topP        float64
}

type filterSpec struct {
	name  string
	steps []*mapping
}

type metricSpec struct {
	name        string
	aggregation string
	lower       *bool // the opposite of higher_is_better
	hub         bool  // of the package evaluate
	options     *mapping
}

// outputTypes are lm-eval's.
var outputTypes = []string{"multiple_choice", "loglikelihood", "loglikelihood_rolling", "generate_until"}

// known are the keys of a task's file. Those with a reason are refused with it.
var known = map[string]string{
	"task": "", "task_alias": "", "tag": "", "group": "", "group_alias": "", "dataset_path": "", "dataset_name": "", "dataset_kwargs": "", "training_split": "", "validation_split": "", "test_split": "",
	"fewshot_split": "", "doc_to_text": "", "doc_to_target": "", "doc_to_choice": "", "output_type": "", "description": "", "target_delimiter": "", "fewshot_delimiter": "", "fewshot_config": "",
	"num_fewshot": "", "metric_list": "", "generation_kwargs": "", "repeats": "", "filter_list": "", "gen_prefix": "", "metadata": "", "task_list": "",
	// Read and without effect.
	"should_decontaminate": "", "doc_to_decontamination_query": "", "use_prompt": "", "recipe": "", "unsafe_code": "", "weight_by_size": "",
	"process_docs": "python", "process_results": "python", "custom_dataset": "python", "class": "python",
	"doc_to_image": "images are not read", "doc_to_audio": "sound is not read",
}

// problem is what is wrong with a task's file.
func problem(file, format string, args ...any) error {
	return &fileError{filepath.ToSlash(file), fmt.Errorf(format, args...)}
}

// fileError is an error of a task's file.
type fileError struct {
	file string
	err  error
}

func (e *fileError) Error() string { return e.file + ": " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// define reads a task's mapping.
func define(file string, m *mapping) (*definition, error) {
	// "Yaml" is what lm-eval calls the version of a file that says none.
	d := &definition{file: file, version: "Yaml", repeats: 1, targetDelimiter: " ", fewshotDelimiter: "\n\n", output: "generate_until"}
	fail := func(err error) (*definition, error) { return nil, problem(file, "%w", err) }
	// A function anywhere refuses the whole: what it would do is not known.
	for _, k := range m.keys {
		name := text(k)
		reason, ok := known[name]
		v := m.values[name]
		if f, is := v.(function); is {
			return fail(pythonError(name, f))
		}
		switch {
		case !ok:
			return fail(unknownKey("key", name, known))
		case name == "unsafe_code" && v == true:
			return fail(fmt.Errorf("unsafe_code is true: the task runs programs"))
		case reason == "python" && v != nil:
			return fail(fmt.Errorf("%s is %s: tasks in templates alone are read", name, text(v)))
		case reason != "" && v != nil:
			return fail(fmt.Errorf("%s: %s", name, reason))
		}
	}
	var ok bool
	if d.name, ok = m.values["task"].(string); !ok {
		return fail(fmt.Errorf("task is %v, want a name", m.values["task"]))
	}
	for key, to := range map[string]*string{
		"task_alias": &d.alias, "training_split": &d.training, "validation_split": &d.validation, "test_split": &d.test, "fewshot_split": &d.fewshot.split,
		"target_delimiter": &d.targetDelimiter, "fewshot_delimiter": &d.fewshotDelimiter, "output_type": &d.output, "dataset_path": &d.dataset.path, "dataset_name": &d.dataset.name,
	} {
		if err := stringKey(m, key, to); err != nil {
			return fail(err)
		}
	}
	if !slices.Contains(outputTypes, d.output) {
		return fail(unknownName("output_type", d.output, outputTypes))
	}
	for _, f := range []struct {
		key string
		to  **field
	}{{"doc_to_text", &d.text}, {"doc_to_target", &d.target}, {"doc_to_choice", &d.choices}, {"description", &d.description}, {"gen_prefix", &d.genPrefix}} {
		var err error
		if *f.to, err = newField(f.key, m.values[f.key]); err != nil {
			return fail(err)
		}
	}
	if v := m.values["num_fewshot"]; v != nil {
		n, ok := v.(int64)
		if !ok || n < 0 {
			return fail(fmt.Errorf("num_fewshot is %s, want 0 or more", describe(v)))
		}
		d.shots, d.noShots = int(n), n == 0
	}
	if v := m.values["repeats"]; v != nil {
		n, ok := v.(int64)
		if !ok || n < 1 {
			return fail(fmt.Errorf("repeats is %s, want 1 or more", describe(v)))
		}
		d.repeats = int(n)
	}
	if meta, ok := m.values["metadata"].(*mapping); ok {
		if meta.values["version"] != nil {
			d.version = plainValue(meta.values["version"])
		}
		if err := d.own.read(meta.values["olmo"]); err != nil {
			return fail(fmt.Errorf("metadata: olmo: %w", err))
		}
	}
	for _, read := range []func(*mapping) error{d.readDataset, d.readFewshot, d.readGeneration, d.readFilters, d.readMetrics} {
		if err := read(m); err != nil {
			return fail(err)
		}
	}
	if d.text.value == nil && d.output != "loglikelihood_rolling" {
		return fail(fmt.Errorf("doc_to_text is missing"))
	}
	if d.target.value == nil {
		return fail(fmt.Errorf("doc_to_target is missing"))
	}
	if d.output == "multiple_choice" && d.choices.value == nil {
		return fail(fmt.Errorf("doc_to_choice is missing"))
	}
	if d.evaluated() == "" {
		return fail(fmt.Errorf("neither test_split nor validation_split is given"))
	}
	keys, _ := plainValue(m).(map[string]any)
	d.config = d.whole(keys)
	return d, nil
}

func (o *own) read(v any) error {
	if v == nil {
		return nil
	}
	m, ok := v.(*mapping)
	if !ok {
		return fmt.Errorf("it is %v, want a mapping", v)
	}
	o.sampleSeed = 1234
	for _, k := range m.keys {
		name := text(k)
		v := m.values[name]
		n, isNumber := v.(int64)
		word, isText := v.(string)
		switch {
		case name == "source" && isText:
			o.source = word
		case name == "licence" && isText:
			o.licence = word
		case name == "where":
			m, ok := v.(*mapping)
			if !ok {
				return fmt.Errorf("where is %s, want fields with their texts", describe(v))
			}
			o.where = map[string]string{}
			for _, k := range m.keys {
				o.where[text(k)] = text(m.values[text(k)])
			}
		case name == "stored":
			if isText {
				v = []any{word}
			}
			if o.stored, ok = listOf(v); !ok {
				return fmt.Errorf("stored is %v, want names of sets", v)
			}
		case name == "sample" && isNumber && n >= 0:
			o.sample = int(n)
		case name == "sample_seed" && isNumber && n >= 0:
			o.sampleSeed = uint64(n)
		default:
			if keys := []string{"source", "licence", "where", "stored", "sample", "sample_seed"}; !slices.Contains(keys, name) {
				return unknownName("key", name, keys)
			}
			return fmt.Errorf("%s is %v", name, v)
		}
	}
	return nil
}

// evaluated is the split whose rows are asked: test before validation, as in lm-eval.
func (d *definition) evaluated() string {
	if d.test != "" {
		return d.test
	}
	return d.validation
}

// plainValue is a value for results.json.
func plainValue(v any) any {
	switch v := v.(type) {
	case *mapping:
		out := map[string]any{}
		for _, k := range v.keys {
			out[text(k)] = plainValue(v.values[text(k)])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = plainValue(x)
		}
		return out
	case function:
		return "!function " + string(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) { // which JSON has not
			return text(v)
		}
	}
	return v
}

func stringKey(m *mapping, key string, to *string) error {
	switch v := m.values[key].(type) {
	case nil:
	case string:
		*to = v
	case *mapping, []any, function:
		return fmt.Errorf("%s is %v, want a text", key, v)
	default:
		*to = text(v) // a name that looks like a number
	}
	return nil
}

// unknownKey and unknownName offer the nearest name.
func unknownKey(what, name string, all map[string]string) error {
	var names []string
	for k := range all {
		names = append(names, k)
	}
	slices.Sort(names)
	return unknownName(what, name, names)
}

func unknownName(what, name string, all []string) error {
	if near, ok := config.Nearest(name, all); ok {
		return fmt.Errorf("%s %q is not known\nhint: did you mean %s?", what, name, near)
	}
	return fmt.Errorf("%s %q is not known", what, name)
}

// builders are the data set loaders that read files.
var builders = []string{"json", "csv", "parquet", "text"}

func (d *definition) readDataset(m *mapping) error {
	if d.dataset.path == "" {
		return fmt.Errorf("dataset_path is missing")
	}
	kwargs, _ := m.values["dataset_kwargs"].(*mapping)
	if kwargs == nil {
		kwargs = newMapping()
	}
	for _, k := range kwargs.keys {
		switch name := text(k); name {
		case "data_files":
			if err := d.readFiles(kwargs.values[name]); err != nil {
				return err
			}
		case "trust_remote_code", "streaming", "revision", "token", "download_mode", "verification_mode", "cache_dir", "num_proc", "encoding": // of the loader of the hub
		case "data_dir", "split", "name", "field", "delimiter", "sep", "column_names", "features", "sample_by", "metadata", "config", "metadata_path":
			if slices.Contains(builders, d.dataset.path) {
				return fmt.Errorf("dataset_kwargs: %s is not supported", name)
			}
		default:
			if slices.Contains(builders, d.dataset.path) {
				return unknownName("dataset_kwargs: key", name, []string{"data_files"})
			}
		}
	}
	if slices.Contains(builders, d.dataset.path) && d.dataset.files == nil {
		return fmt.Errorf("dataset_path is %s, and dataset_kwargs has no data_files", d.dataset.path)
	}
	return nil
}

// readFiles reads data_files: names by split, or one name or list for the split train.
func (d *definition) readFiles(v any) error {
	d.dataset.files = map[string][]string{}
	add := func(split string, v any) error {
		if s, ok := v.(string); ok {
			v = []any{s}
		}
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("data_files: %v is no name of a file", v)
		}
		for _, x := range list {
			name, ok := x.(string)
			if !ok {
				return fmt.Errorf("data_files: %v is no name of a file", x)
			}
			d.dataset.files[split] = append(d.dataset.files[split], name)
		}
		return nil
	}
	m, ok := v.(*mapping)
	if !ok {
		return add("train", v)
	}
	for _, k := range m.keys {
		if err := add(text(k), m.values[text(k)]); err != nil {
			return err
		}
	}
	return nil
}

var fewshotKeys = map[string]string{
	"sampler": "", "split": "", "process_docs": "", "fewshot_indices": "", "samples": "", "doc_to_text": "", "doc_to_choice": "", "doc_to_target": "", "gen_prefix": "", "fewshot_delimiter": "", "target_delimiter": "",
	"description": "",
}

func (d *definition) readFewshot(m *mapping) error {
	f := &d.fewshot
	f.sampler, f.text, f.target, f.choices, f.genPrefix = "default", d.text, d.target, d.choices, d.genPrefix
	f.targetDelimiter, f.fewshotDelimiter = d.targetDelimiter, d.fewshotDelimiter
	c, ok := m.values["fewshot_config"].(*mapping)
	if !ok {
		if v := m.values["fewshot_config"]; v != nil {
			return fmt.Errorf("fewshot_config is %v, want a mapping", v)
		}
		return nil
	}
	for _, k := range c.keys {
		name := text(k)
		if _, ok := fewshotKeys[name]; !ok {
			return unknownKey("fewshot_config: key", name, fewshotKeys)
		}
		if fn, ok := c.values[name].(function); ok {
			return pythonError("fewshot_config: "+name, fn)
		}
	}
	for key, to := range map[string]*string{"sampler": &f.sampler, "split": &f.split, "fewshot_delimiter": &f.fewshotDelimiter, "target_delimiter": &f.targetDelimiter} {
		if err := stringKey(c, key, to); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{"default", "first_n"}, f.sampler) {
		return unknownName("fewshot_config: sampler", f.sampler, []string{"default", "first_n"})
	}
	for key, to := range map[string]**field{"doc_to_text": &f.text, "doc_to_target": &f.target, "doc_to_choice": &f.choices, "gen_prefix": &f.genPrefix} {
		if c.values[key] == nil {
			continue
		}
		var err error
		if *to, err = newField(key, c.values[key]); err != nil {
			return fmt.Errorf("fewshot_config: %w", err)
		}
	}
	switch v := c.values["samples"].(type) {
	case nil:
	case []any:
		for i, x := range v {
			s, ok := x.(*mapping)
			if !ok {
				return fmt.Errorf("fewshot_config: sample %d is no mapping", i)
			}
			f.samples = append(f.samples, yamlRow(s))
		}
	default:
		return fmt.Errorf("fewshot_config: samples are %v, want a list", v)
	}
	switch v := c.values["fewshot_indices"].(type) {
	case nil:
	case []any:
		for _, x := range v {
			n, ok := x.(int64)
			if !ok || n < 0 {
				return fmt.Errorf("fewshot_config: the index %v is no number", x)
			}
			f.indices = append(f.indices, int(n))
		}
	default:
		return fmt.Errorf("fewshot_config: fewshot_indices are %v, want a list", v)
	}
	return nil
}

// readGeneration reads generation_kwargs; without them texts end at the shots' delimiter.
func (d *definition) readGeneration(m *mapping) error {
	g := &d.generation
	g.maxTokens = 256
	g.until = []string{d.fewshotDelimiter}
	v, ok := m.values["generation_kwargs"].(*mapping)
	if !ok {
		if m.values["generation_kwargs"] != nil {
			return fmt.Errorf("generation_kwargs are %v, want a mapping", m.values["generation_kwargs"])
		}
		return nil
	}
	return g.read(v)
}

func (g *generation) read(m *mapping) error {
	for _, k := range m.keys {
		name := text(k)
		v := m.values[name]
		if s, ok := v.(string); ok && name != "until" {
			v = plain(s)
		}
		number, isNumber := v.(float64)
		if i, ok := v.(int64); ok {
			number, isNumber = float64(i), true
		}
		bad := fmt.Errorf("generation_kwargs: %s is %v", name, v)
		switch name {
		case "until":
			g.until = nil
			if s, ok := v.(string); ok {
				v = []any{s}
			}
			if v == nil {
				continue
			}
			list, ok := v.([]any)
			if !ok {
				return bad
			}
			for _, x := range list {
				g.until = append(g.until, text(x))
			}
		case "max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens":
			if !isNumber || number < 1 || number != float64(int(number)) {
				return fmt.Errorf("%w, want 1 or more", bad)
			}
			g.maxTokens = int(number)
		case "do_sample":
			b, ok := v.(bool)
			if !ok {
				return fmt.Errorf("%w, want true or false", bad)
			}
			g.greedy = !b
		case "temperature":
			if !isNumber || number < 0 {
				return fmt.Errorf("%w, want 0 or more", bad)
			}
			g.temperature = number
		case "top_p":
			if !isNumber || number < 0 || number > 1 {
				return fmt.Errorf("%w, want a share", bad)
			}
			g.topP = number
		case "top_k":
			if !isNumber || number < 0 {
				return fmt.Errorf("%w, want 0 or more", bad)
			}
			g.topK = int(number)
		case "n":
			if !isNumber || number < 1 || number != float64(int(number)) {
				return fmt.Errorf("%w, want 1 or more", bad)
			}
			g.responses = int(number)
		case "num_beams", "num_return_sequences":
			if number != 1 {
				return fmt.Errorf("%w, want 1", bad)
			}
		case "repetition_penalty":
			if number != 1 {
				return fmt.Errorf("%w, want 1", bad)
			}
		case "min_p":
			if number != 0 {
				return fmt.Errorf("%w, want 0", bad)
			}
		case "max_length", "return_full_text", "use_cache", "seed", "early_stopping", "skip_special_tokens": // of the engine
		default:
			return unknownName("generation_kwargs: key", name, []string{"until", "max_gen_toks", "do_sample", "temperature", "top_p", "top_k", "n"})
		}
	}
	return nil
}

func (d *definition) readFilters(m *mapping) error {
	list, ok := m.values["filter_list"].([]any)
	if !ok {
		if v := m.values["filter_list"]; v != nil {
			return fmt.Errorf("filter_list is %v, want a list", v)
		}
		return nil
	}
	for _, x := range list {
		e, ok := x.(*mapping)
		if !ok {
			return fmt.Errorf("filter_list: %v is no mapping", x)
		}
		name, _ := e.values["name"].(string)
		steps, ok := e.values["filter"].([]any)
		if name == "" || !ok || len(steps) == 0 {
			return fmt.Errorf("filter_list: a filter wants a name and a list of functions")
		}
		s := filterSpec{name: name}
		for _, step := range steps {
			f, ok := step.(*mapping)
			if !ok {
				return fmt.Errorf("filter_list: %s: %v is no mapping", name, step)
			}
			if fn, ok := f.values["function"].(function); ok {
				return pythonError("filter_list: "+name, fn)
			}
			for _, k := range f.keys {
				if fn, ok := f.values[text(k)].(function); ok {
					return pythonError("filter_list: "+name+": "+text(k), fn)
				}
			}
			s.steps = append(s.steps, f)
		}
		d.filters = append(d.filters, s)
	}
	return nil
}

// defaultMetrics are what lm-eval takes without a metric_list (api/registry.py).
var defaultMetrics = map[string][]string{
	"loglikelihood": {"perplexity", "acc"}, "loglikelihood_rolling": {"word_perplexity", "byte_perplexity", "bits_per_byte"}, "multiple_choice": {"acc", "acc_norm"}, "generate_until": {"exact_match"},
}

func (d *definition) readMetrics(m *mapping) error {
	list, ok := m.values["metric_list"].([]any)
	if !ok {
		if v := m.values["metric_list"]; v != nil {
			return fmt.Errorf("metric_list is %v, want a list", v)
		}
		for _, name := range defaultMetrics[d.output] {
			d.metrics = append(d.metrics, metricSpec{name: name, options: newMapping()})
		}
		return nil
	}
	for _, x := range list {
		e, ok := x.(*mapping)
		if !ok {
			return fmt.Errorf("metric_list: %v is no mapping", x)
		}
		s := metricSpec{options: newMapping()}
		for _, k := range e.keys {
			name := text(k)
			v := e.values[name]
			if fn, ok := v.(function); ok {
				return pythonError("metric_list: "+name, fn)
			}
			switch name {
			case "metric":
				s.name = strings.TrimSpace(text(v))
			case "aggregation":
				s.aggregation = text(v)
			case "higher_is_better":
				b, ok := v.(bool)
				if !ok {
					return fmt.Errorf("metric_list: higher_is_better is %v, want true or false", v)
				}
				lower := !b
				s.lower = &lower
			case "hf_evaluate":
				s.hub = v == true
			default:
				s.options.set(k, v)
			}
		}
		switch {
		case s.name == "":
			return fmt.Errorf("metric_list: a metric has no name")
		case s.hub && d.output != "generate_until" && s.name != "exact_match":
			return fmt.Errorf("metric_list: %s of the package evaluate is not supported", s.name)
		}
		d.metrics = append(d.metrics, s)
	}
	if len(d.metrics) == 0 {
		return fmt.Errorf("metric_list is empty")
	}
	return nil
}
