package eval

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	evaldata "olmo/eval/data"
	"olmo/eval/python"
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

// MMLUSubjects lists the subjects of a category (stem, humanities, social_sciences, other), or
// all of them, sorted.
func MMLUSubjects(category string) (subjects []string) {
	for name, list := range mmluCategories {
		if category == "" || category == name {
			subjects = append(subjects, list...)
		}
	}
	slices.Sort(subjects)
	return subjects
}

func init() { Register(defineMMLU) }

func defineMMLU() {
	for category := range mmluCategories {
		task := func(name, quoted string, a asking) {
			each := a.each(category)
			if quoted == BPB {
				each = gold(each)
			}
			n := 0
			if len(a.prompts) == 1 {
				n = a.prompts[0].shots
			}
			define(Task{
				Name: "mmlu_" + category + name, Quoted: quoted, Shots: n, About: About{Data: a.data, Source: "Hendrycks et al. 2021"}, Each: each,
				Sets: a.sets,
			})
		}
		validation, test := "mmlu_validation", "mmlu_test"
		task("", LenNorm, asking{validation, plainPrompt, false})
		task("_test", LenNorm, asking{test, plainPrompt, false})
		task("_bpb", BPB, asking{validation, plainPrompt, false})
		task("_test_bpb", BPB, asking{test, plainPrompt, false}) // no reference's
		task("_var", LenNorm, asking{validation, variedPrompts, false})
		task("_var_bpb", BPB, asking{validation, variedPrompts, false})
		task("_mc_5shot", LenNorm, asking{validation, fiveShots, true})
		task("_mc_5shot_test", LenNorm, asking{test, fiveShots, true})
		for split, data := range map[string]string{"_val": validation, "_test": test} {
			task(split+"_rc_var", LenNorm, asking{data, variedPrompts, false})
			task(split+"_rc_5shot", LenNorm, asking{data, fiveShots, false})
			task(split+"_mc_5shot", LenNorm, asking{data, fiveShots, true})
			task(split+"_mc_5shot_fast", LenNorm, asking{data, fiveShots, true}) // see storedFast
			task(split+"_bpb_5shot", BPB, asking{data, fiveShots, false})
			// ai2-olmo 0.6.0 alone has these three.
			task(split+"_rc_var_bpb", BPB, asking{data, variedPrompts, false})
			task(split+"_rc_5shot_bpb", BPB, asking{data, fiveShots, false})
			task(split+"_mc_5shot_bpb", BPB, asking{data, fiveShots, true})
			// The reference varies no prompts here, whatever the name says, and has no such task of
			// STEM's validation part.
			if category+split != "stem_val" {
				task(split+"_bpb_var", BPB, asking{data, fiveShots, false})
			}
		}
	}
}

// prompt is what stands before a question of MMLU: nothing, a sentence that names the subject, and
// examples of it from mmlu_dev.
type prompt struct {
	instruction bool
	shots       int
}

var (
	plainPrompt   = []prompt{{}}
	fiveShots     = []prompt{{true, 5}}
	variedPrompts = []prompt{{}, {true, 0}, {true, 1}, {true, 2}, {true, 3}, {true, 4}, {true, 5}}
)

// asking says how questions of MMLU are asked: each with every prompt, as a document of its own, and
// with letters for its choices or with their texts.
type asking struct {
	data    string
	prompts []prompt
	letters bool
}

type mmluRow struct {
	Question, Subject string
	Choices           []string
	Answer            int
}

// sets finds the questions and, where there are examples, theirs.
func (a asking) sets(in *Inputs) (sets []*evaldata.Set, err error) {
	names := []string{a.data}
	if a.examples() {
		names = append(names, "mmlu_dev")
	}
	for _, name := range names {
		s, err := evaldata.Find(in.Data, name)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// examples reports whether any prompt has some.
func (a asking) examples() bool {
	return slices.ContainsFunc(a.prompts, func(p prompt) bool { return p.shots > 0 })
}

// each asks the questions of a category.
func (a asking) each(category string) func(in *Inputs) iter.Seq2[*Document, error] {
	return func(in *Inputs) iter.Seq2[*Document, error] {
		return func(yield func(*Document, error) bool) {
			subjects, err := mmluSubjects(in, a.data)
			var examples map[string][]row[mmluRow]
			if err == nil && a.examples() {
				examples, err = mmluSubjects(in, "mmlu_dev")
			}
			if err != nil {
				yield(nil, err)
				return
			}
			n := 0
			for _, subject := range mmluCategories[category] {
				for i, r := range subjects[subject] {
					for v, p := range a.prompts {
						q := Question{ID: subject + "/" + strconv.Itoa(i), Gold: r.value.Answer, Choices: r.value.continuations(a.letters)}
						if v > 0 {
							q.ID += "/" + strconv.Itoa(v)
						}
						q.Context = p.before(subject, examples[subject], a.letters) + r.value.ask(a.letters)
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
}

// mmluSubjects reads a data set of all subjects.
func mmluSubjects(in *Inputs, data string) (map[string][]row[mmluRow], error) {
	subjects := map[string][]row[mmluRow]{}
	for r, err := range readRows[mmluRow](in, data) {
		if err == nil && (r.value.Answer < 0 || r.value.Answer >= len(r.value.Choices)) {
			err = r.Bad(fmt.Errorf("the answer is number %d of %d choices", r.value.Answer, len(r.value.Choices)))
		}
		if err != nil {
			return nil, err
		}
		subjects[r.value.Subject] = append(subjects[r.value.Subject], r)
	}
	return subjects, nil
}

// before is what stands before a question.
func (p prompt) before(subject string, examples []row[mmluRow], letters bool) string {
	if !p.instruction {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The following are multiple choice questions (with answers) about %s:\n\n", strings.ReplaceAll(subject, "_", " "))
	for _, e := range examples[:min(p.shots, len(examples))] {
		b.WriteString(e.value.ask(letters) + e.value.continuations(letters)[e.value.Answer] + "\n\n")
	}
	return b.String()
}

// ask is the question up to the answer.
func (r *mmluRow) ask(letters bool) string {
	question := python.Strip(r.Question)
	if !letters {
		return answer(question)
	}
	var b strings.Builder
	b.WriteString(question)
	for i, c := range r.Choices {
		fmt.Fprintf(&b, "\n%c. %s", 'A'+i, c)
	}
	return b.String() + "\nAnswer:"
}

// continuations are the choices, or their letters.
func (r *mmluRow) continuations(letters bool) (out []string) {
	for i, c := range r.Choices {
		if letters {
			c = string(rune('A' + i))
		}
		out = append(out, " "+c)
	}
	return out
}
