package olmes

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"olmo/eval"
	evaldata "olmo/eval/data"
)

// mmluHub is the data set of all subjects; its rows may also be found as mmlu_SPLIT.
const mmluHub = "cais/mmlu"

// mmluRow is a row of MMLU.
type mmluRow struct {
	Question, Subject string
	Choices           []string
	Answer            int
}

// mmlu is the set of one subject.
func mmlu(subject string) *set {
	return &set{
		name: "mmlu_" + subject, hub: mmluHub, config: subject, split: "test", paper: "Hendrycks et al. 2021, arXiv:2009.03300", licence: "MIT",
		item: of(func(r *mmluRow) (*item, error) {
			return &item{question: "Question: " + r.Question, choices: r.Choices, gold: r.Answer}, nil
		}, "question", "choices", "answer"),
	}
}

// defineMMLU adds the subjects' tasks, each with the first five rows of its dev part before its
// questions (oe_eval/tasks/oe_eval_tasks/mmlu.py).
func defineMMLU() {
	for _, subject := range eval.MMLUSubjects("") {
		d := mmlu(subject)
		for _, f := range []struct {
			name, primary string
			form          form
		}{{"rc", accPerChar, cloze}, {"mc", accRaw, lettered}, {"rc:bpb", bitsPerByte, cloze}} {
			s := spec{set: d, form: f.form, split: "test", shots: shotsOf, primary: f.primary, rows: d.subjectRows, examples: d.dev}
			s.before = fmt.Sprintf("The following are multiple choice questions (with answers) about %s.\n\n", strings.ReplaceAll(subject, "_", " "))
			s.define(fmt.Sprintf("%s:%s::olmes", d.name, f.name))
		}
	}
}

// subjectRows are the rows of a split of the subject, in a set of its own or among all.
func (d *set) subjectRows(in *eval.Inputs, split string) (*evaldata.Set, iter.Seq2[evaldata.Row, error], error) {
	set, rows, err := d.splitRows(in, split)
	if err == nil || !errors.Is(err, evaldata.ErrMissing) {
		return set, rows, err
	}
	all, err := evaldata.Find(in.Data, "mmlu_"+split)
	if err != nil {
		return nil, nil, err
	}
	return all, func(yield func(evaldata.Row, error) bool) {
		subjects, err := subjectsOf(all)
		if err == nil && len(subjects[d.config]) == 0 {
			err = fmt.Errorf("%s: no row has the subject %s", all.Place, d.config)
		}
		if err != nil {
			yield(evaldata.Row{}, err)
			return
		}
		for _, r := range subjects[d.config] {
			if !yield(r, nil) {
				return
			}
		}
	}, nil
}

// subjects are the rows of sets that were read, by place and subject: 57 tasks of each form ask of
// the same ones, and 14,042 rows take a while.
var subjects struct {
	sync.Mutex
	of map[string]map[string][]evaldata.Row
}

func subjectsOf(set *evaldata.Set) (map[string][]evaldata.Row, error) {
	subjects.Lock()
	defer subjects.Unlock()
	key := set.Place + "\x00" + set.Name
	if out := subjects.of[key]; out != nil {
		return out, nil
	}
	out := map[string][]evaldata.Row{}
	for r, err := range set.Rows() {
		if err != nil {
			return nil, err
		}
		var x struct{ Subject string }
		if err := json.Unmarshal(r.JSON, &x); err != nil {
			return nil, r.Bad(err)
		}
		r.JSON = slices.Clone(r.JSON)
		out[x.Subject] = append(out[x.Subject], r)
	}
	if subjects.of == nil {
		subjects.of = map[string]map[string][]evaldata.Row{}
	}
	subjects.of[key] = out
	return out, nil
}

// dev are the first rows of the subject's dev part.
func (d *set) dev(in *eval.Inputs) (out []*item, err error) {
	_, rows, err := d.subjectRows(in, "dev")
	if err != nil {
		return nil, err
	}
	for r, err := range rows {
		if err != nil {
			return nil, err
		}
		x, err := d.item(r.JSON)
		if err == nil {
			err = x.check()
		}
		if err != nil {
			return nil, r.Bad(err)
		}
		if out = append(out, x); len(out) == shotsOf {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%s has %d rows in its part dev, and %d are needed as examples", d.name, len(out), shotsOf)
}
