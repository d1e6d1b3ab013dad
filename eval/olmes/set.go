package olmes

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"olmo/eval"
	"olmo/eval/python"
)

// sets are the data sets with an answer to choose, as oe_eval/tasks/oe_eval_tasks reads their rows
// and oe_eval/configs/tasks.py sets their regimes.
var sets = []*set{
	{
		name: "arc_easy", hub: "allenai/ai2_arc", config: "ARC-Easy", split: "test", limit: 1000, cloze: accPerChar, olmo1: accUncond,
		paper: "Clark et al. 2018, arXiv:1803.05457", licence: "CC BY-SA 4.0", item: of(arc, "choices", "answerKey"),
	},
	{
		name: "arc_challenge", hub: "allenai/ai2_arc", config: "ARC-Challenge", split: "test", cloze: accUncond, olmo1: accUncond,
		paper: "Clark et al. 2018, arXiv:1803.05457", licence: "CC BY-SA 4.0", item: of(arc, "choices", "answerKey"),
	},
	{
		name: "boolq", hub: "aps/super_glue", config: "boolq", split: "validation", limit: 1000, cloze: accRaw, olmo1: accRaw, noUnconditional: true, storedFirst: true,
		paper: "Clark et al. 2019, arXiv:1905.10044", licence: "CC BY-SA 3.0", item: of(boolQ, "question", "passage"),
	},
	{
		name: "csqa", hub: "tau/commonsense_qa", split: "validation", cloze: accUncond, olmo1: accUncond,
		paper: "Talmor et al. 2019, arXiv:1811.00937", licence: "MIT", item: of(arc, "choices", "answerKey"),
	},
	{
		name: "hellaswag", hub: "Rowan/hellaswag", split: "validation", limit: 1000, cloze: accPerChar, olmo1: accPerToken,
		paper: "Zellers et al. 2019, arXiv:1905.07830", licence: "MIT", item: of(hellaSwag, "activity_label", "ctx_a", "ctx_b", "endings", "label"),
	},
	{
		name: "openbookqa", hub: "allenai/openbookqa", config: "main", split: "test", cloze: accUncond, olmo1: accUncond, all: true,
		paper: "Mihaylov et al. 2018, arXiv:1809.02789", licence: "Apache-2.0", item: of(arc, "choices", "answerKey"),
	},
	{
		name: "piqa", hub: "ybisk/piqa", config: "plain_text", split: "validation", limit: 1000, cloze: accPerChar, olmo1: accPerToken,
		paper: "Bisk et al. 2020, arXiv:1911.11641", licence: "AFL-3.0", item: of(piqa, "goal", "sol1", "sol2", "label"),
	},
	{
		name: "socialiqa", hub: "allenai/social_i_qa", split: "validation", limit: 1000, cloze: accPerChar, olmo1: accUncond,
		paper: "Sap et al. 2019, arXiv:1904.09728", licence: "CC BY 4.0", item: of(socialIQa, "context", "question", "answerA", "answerB", "answerC", "label"),
	},
	{
		name: "winogrande", hub: "allenai/winogrande", config: "winogrande_xl", split: "validation", cloze: accRaw, olmo1: accPerToken, noUnconditional: true,
		paper: "Sakaguchi et al. 2020, arXiv:1907.10641", licence: "Apache-2.0", item: of(winoGrande, "sentence", "option1", "option2", "answer"),
	},
	{
		name: "copa", hub: "aps/super_glue", config: "copa", olmo1: accRaw, noForm: true,
		paper: "Gordon et al. 2012, in SuperGLUE, arXiv:1905.00537", licence: "BSD-2-Clause", item: of(copa, "premise", "choice1", "choice2", "question", "label"),
	},
	{
		name: "sciq", hub: "allenai/sciq", olmo1: accRaw, noForm: true,
		paper: "Welbl et al. 2017, arXiv:1707.06209", licence: "CC BY-NC 3.0", item: of(sciQ, "question", "distractor1", "distractor2", "distractor3", "correct_answer"),
	},
}

// of reads a row of a type, which must have some fields.
func of[Row any](question func(r *Row) (*item, error), fields ...string) func(json.RawMessage) (*item, error) {
	return func(text json.RawMessage) (*item, error) {
		var members map[string]json.RawMessage
		var r Row
		if err := json.Unmarshal(text, &members); err != nil {
			return nil, err
		}
		for _, name := range fields {
			if v, ok := members[name]; !ok || string(v) == "null" {
				return nil, fmt.Errorf("the row has no %s", name)
			}
		}
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, err
		}
		return question(&r)
	}
}

// keyed is a row with a key to its choices: ARC, CommonsenseQA, OpenBookQA.
type keyed struct {
	ID       string
	Question string
	Stem     string `json:"question_stem"`
	Choices  struct{ Text []string }
	Key      string `json:"answerKey"`
}

// arc counts keys from A, or from 1.
func arc(r *keyed) (*item, error) {
	if r.Question+r.Stem == "" {
		return nil, errors.New("the row has no question")
	}
	x := &item{id: r.ID, question: "Question: " + r.Question + r.Stem, choices: r.Choices.Text}
	key := python.Strip(r.Key)
	if n, err := strconv.Atoi(key); err == nil && n > 0 && n <= len(letters) {
		key = letters[n-1 : n]
	}
	if x.gold = strings.Index(letters, key); key == "" || x.gold < 0 {
		return nil, fmt.Errorf("the answer %q is no letter", r.Key)
	}
	return x, nil
}

// boolQ is SuperGLUE's, whose passages begin with their titles.
func boolQ(r *struct {
	Question, Passage string
	Idx               int
	Label             *int
},
) (*item, error) {
	if r.Label == nil {
		return nil, errors.New("the row has no label\nhint: SuperGLUE's boolq is meant, not the set google/boolq, whose passages lack their titles")
	}
	return &item{
		id: strconv.Itoa(r.Idx), question: r.Passage + "\nQuestion: " + r.Question + "?", choices: []string{"yes", "no"}, gold: 1 - *r.Label,
	}, nil
}

func hellaSwag(r *struct {
	Ind      int
	Activity string `json:"activity_label"`
	A        string `json:"ctx_a"`
	B        string `json:"ctx_b"`
	Endings  []string
	Label    string
},
) (*item, error) {
	text := r.Activity + ": " + r.A + " " + python.Capitalise(r.B)
	x := &item{id: strconv.Itoa(r.Ind), question: text, cloze: cleanWikiHow(text), lead: "Choose the best continuation:\n", clean: cleanWikiHow, choices: r.Endings}
	for _, e := range r.Endings {
		x.endings = append(x.endings, cleanWikiHow(e))
	}
	var err error
	if x.gold, err = strconv.Atoi(r.Label); err != nil {
		return nil, fmt.Errorf("label: %w", err)
	}
	return x, nil
}

var (
	title = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\.? \[title\]`)
	})
	brackets = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\[.*?\]`)
	})
)

// cleanWikiHow removes the marks that WikiHow articles left: [title], [step], ….
func cleanWikiHow(s string) string {
	s = title().ReplaceAllLiteralString(python.Strip(s), ". ")
	return strings.ReplaceAll(brackets().ReplaceAllLiteralString(s, ""), "  ", " ")
}

func piqa(r *struct {
	Goal, Sol1, Sol2 string
	Label            int
},
) (*item, error) {
	return &item{question: "Goal: " + r.Goal, choices: []string{r.Sol1, r.Sol2}, gold: r.Label}, nil
}

func socialIQa(r *struct{ Context, Question, AnswerA, AnswerB, AnswerC, Label string }) (*item, error) {
	n, err := strconv.Atoi(r.Label)
	if err != nil {
		return nil, fmt.Errorf("label: %w", err)
	}
	return &item{question: "Question: " + r.Context + " " + r.Question, choices: []string{r.AnswerA, r.AnswerB, r.AnswerC}, gold: n - 1}, nil
}

// winoGrande has two beginnings and one ending; its letters stand for what fills the gap.
func winoGrande(r *struct{ Sentence, Option1, Option2, Answer string }) (*item, error) {
	n, err := strconv.Atoi(r.Answer)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	before, after, ok := strings.Cut(r.Sentence, "_")
	if !ok {
		return nil, fmt.Errorf("the sentence has no gap: %q", r.Sentence)
	}
	return &item{
		question: "Fill in the blank: " + strings.ReplaceAll(r.Sentence, "_", "___"), choices: []string{r.Option1, r.Option2}, gold: n - 1,
		beginnings: []string{before + r.Option1, before + r.Option2}, ending: " " + python.Strip(after),
	}, nil
}

func copa(r *struct {
	Premise, Choice1, Choice2, Question string
	Idx, Label                          int
},
) (*item, error) {
	word, ok := map[string]string{"cause": "because", "effect": "therefore"}[r.Question]
	if !ok {
		return nil, fmt.Errorf("the question %q is neither cause nor effect", r.Question)
	}
	premise := []rune(python.Strip(r.Premise))
	x := &item{id: strconv.Itoa(r.Idx), gold: r.Label}
	x.question = string(premise[:max(len(premise)-1, 0)]) + " " + word
	x.cloze = x.question
	for _, c := range []string{r.Choice1, r.Choice2} {
		first, rest := []rune(c)[:min(1, len(c))], []rune(c)[min(1, len(c)):]
		x.choices = append(x.choices, python.Lower(string(first))+string(rest))
	}
	return x, nil
}

func sciQ(r *struct {
	Question, Distractor1, Distractor2, Distractor3 string
	Correct                                         string `json:"correct_answer"`
},
) (*item, error) {
	return &item{question: "Question: " + r.Question, choices: []string{r.Distractor1, r.Distractor2, r.Distractor3, r.Correct}, gold: 3}, nil
}

//go:embed shots/*.jsonl
var shots embed.FS

// curated are the set's examples.
func (d *set) curated(*eval.Inputs) (out []*item, err error) {
	name := "shots/" + d.name + ".jsonl"
	text, err := shots.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		x, err := d.item(json.RawMessage(line))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, x)
	}
	return out, nil
}
