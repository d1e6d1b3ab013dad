package eval

import (
	"fmt"
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
			define(Task{Name: name, Metric: LenNorm, Data: split.data, questions: mmlu(category, false)})
			define(Task{Name: name + "_mc_5shot", Metric: LenNorm, Data: split.data, questions: mmlu(category, true)})
			define(Task{Name: name + "_bpb", Metric: BPB, Data: split.data, questions: func(t *Task, dir string) ([]Question, error) {
				q, err := mmlu(category, false)(t, dir)
				return gold(q), err
			}})
		}
	}
}

type mmluRow struct {
	Question, Subject string
	Choices           []string
	Answer            int
}

// mmlu reads a category: as free continuations, or as letters after five examples of
// the subject from mmlu_dev.
func mmlu(category string, letters bool) func(t *Task, dir string) ([]Question, error) {
	return func(t *Task, dir string) ([]Question, error) {
		read := func(stem string) (map[string][]mmluRow, error) {
			subjects := map[string][]mmluRow{}
			err := readRows(dir, stem, func(r mmluRow) error {
				if r.Answer < 0 || r.Answer >= len(r.Choices) {
					return fmt.Errorf("the answer is number %d of %d choices", r.Answer, len(r.Choices))
				}
				subjects[r.Subject] = append(subjects[r.Subject], r)
				return nil
			})
			return subjects, err
		}
		subjects, err := read(t.Data)
		if err != nil {
			return nil, err
		}
		var examples map[string][]mmluRow
		if letters {
			if examples, err = read("mmlu_dev"); err != nil {
				return nil, err
			}
		}
		var questions []Question
		for _, subject := range mmluCategories[category] {
			for i, r := range subjects[subject] {
				q := Question{ID: subject + "/" + strconv.Itoa(i), Gold: r.Answer}
				if !letters {
					q.Context = answer(r.Question)
					for _, c := range r.Choices {
						q.Choices = append(q.Choices, " "+c)
					}
					questions = append(questions, q)
					continue
				}
				var b strings.Builder
				fmt.Fprintf(&b, "The following are multiple choice questions (with answers) about %s:\n\n", strings.ReplaceAll(subject, "_", " "))
				for _, e := range examples[subject][:min(5, len(examples[subject]))] {
					fmt.Fprintf(&b, "%s %c\n\n", e.lettered(), 'A'+e.Answer)
				}
				q.Context = b.String() + r.lettered()
				for c := range r.Choices {
					q.Choices = append(q.Choices, " "+string(rune('A'+c)))
				}
				questions = append(questions, q)
			}
		}
		return questions, nil
	}
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
