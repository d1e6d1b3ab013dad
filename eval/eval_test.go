package eval_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
	"olmo/eval"
	"olmo/lm"
	"olmo/numeric"
)

// opened is the tiny model.
func opened(t *testing.T, o lm.Options) *lm.Model {
	t.Helper()
	m, err := lm.Open(tiny(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// score is the negative log-probability of each target, every sequence computed alone.
func score(t testing.TB, s *lm.Scorer, q lm.Sequence) []float32 {
	t.Helper()
	var out []float32
	if err := s.Score(t.Context(), []lm.Sequence{q}, func(_ int, nats []float32) { out = slices.Clone(nats) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// ask answers requests, in their order.
func ask(t testing.TB, m *lm.Model, o eval.AnswerOptions, requests ...eval.Request) []eval.Answer {
	t.Helper()
	answers := make([]eval.Answer, len(requests))
	seen := make([]bool, len(requests))
	err := (&eval.Local{Model: m}).Answer(t.Context(), requests, o, func(i int, a eval.Answer) error {
		answers[i], seen[i] = a, true
		return nil
	})
	if err != nil || slices.Contains(seen, false) {
		t.Fatal(seen, err)
	}
	return answers
}

// logitsOf are the model's logits after each id.
func logitsOf(t testing.TB, m *lm.Model, ids []int32) (rows [][]float32) {
	t.Helper()
	x, _, err := m.Logits(t.Context(), [][]int32{ids}, lm.LogitsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for i := range ids {
		rows = append(rows, v[i*m.Config.V:(i+1)*m.Config.V])
	}
	return rows
}

// documentsOf reads a task's documents.
func documentsOf(task *eval.Task, dirs ...string) ([]*eval.Document, error) {
	j, err := task.Job(eval.Inputs{Data: dirs})
	if err != nil {
		return nil, err
	}
	var out []*eval.Document
	for d, err := range j.Each() {
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// questions are a task's documents as questions whose choices have a context each.
func questions(task *eval.Task, dirs ...string) (out []eval.Question, err error) {
	docs, err := documentsOf(task, dirs...)
	for _, d := range docs {
		q := eval.Question{ID: d.ID, Gold: d.Gold[0]}
		for _, r := range d.Requests {
			q.Contexts, q.Choices = append(q.Contexts, r.Context), append(q.Choices, r.Continuation)
		}
		out = append(out, q)
	}
	return out, err
}

// spread gives each choice of a question its context.
func spread(q eval.Question) eval.Question {
	if q.Contexts == nil {
		for range q.Choices {
			q.Contexts = append(q.Contexts, q.Context)
		}
	}
	q.Context = ""
	return q
}

// TestRolling computes the definition one token at a time.
func TestRolling(t *testing.T) {
	m := opened(t, lm.Options{})
	s, err := m.Scorer(m.Config.T)
	if err != nil {
		t.Fatal(err)
	}
	docs := []string{"a", "", "The cat.", "naïve – ünïcode", "a document that is a good deal longer than two windows of sixteen tokens, each of a few letters"}
	const window, eos = 16, 0
	for _, c := range []struct {
		name    string
		request eval.Request
		begin   func(i, last int) int
	}{
		{"disjoint windows", eval.Request{}, func(i, last int) int { return i / window * window }},
		{"end of text", eval.Request{EndOfText: true}, func(i, last int) int { return i / window * window }},
		{"overlap", eval.Request{Overlap: true}, func(i, last int) int {
			if b := i / window * window; b == 0 || b+window <= last {
				return b
			}
			return last - window
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests []eval.Request
			for _, d := range docs {
				r := c.request
				r.Form, r.Continuation, r.Window = eval.Rolling, d, window
				requests = append(requests, r)
			}
			answers := ask(t, m, eval.AnswerOptions{Boundary: eval.Apart, Tokens: true}, requests...)
			for n, d := range docs {
				ids := must(m.Tokenizer.AppendEncode([]int32{eos}, d))
				if c.request.EndOfText {
					ids = append(ids, eos)
				}
				a := answers[n]
				if a.Tokens != len(ids)-1 || len(a.Each) != a.Tokens {
					t.Fatalf("%q: %d tokens, %d of them kept, want %d", d, a.Tokens, len(a.Each), len(ids)-1)
				}
				var sum float64
				for i := range len(ids) - 1 {
					b := c.begin(i, len(ids)-1)
					q := lm.Sequence{IDs: ids[b : i+1], Targets: slices.Repeat([]int32{-1}, i+1-b)}
					q.Targets[i-b] = ids[i+1]
					want := -float64(score(t, s, q)[i-b])
					if a.Each[i] != want {
						t.Errorf("%q: token %d has %v, want %v", d, i, a.Each[i], want)
					}
					sum += want
				}
				if a.Logprob != sum {
					t.Errorf("%q: %v together, want %v", d, a.Logprob, sum)
				}
			}
		})
	}
}

// TestContinuations holds log-probabilities of many continuations, whose contexts are computed
// once, against whole sequences that are scored one by one: the same bits, by both conventions.
func TestContinuations(t *testing.T) {
	for _, precision := range numeric.Precisions() {
		m := opened(t, lm.Options{Precision: precision})
		s, err := m.Scorer(m.Config.T)
		if err != nil {
			t.Fatal(err)
		}
		var requests []eval.Request
		for i := range 30 {
			context := strings.Repeat(fmt.Sprintf("The %c cat sat on ", 'a'+i%26), 4)[:8+i*3%60]
			for c := range 2 + i%5 {
				requests = append(requests, eval.Request{Context: context, Continuation: strings.Repeat(fmt.Sprintf(" %d mat", i*c), 1+c)}) // some begin alike
			}
		}
		long := strings.Repeat("a context that is so long that it has to be cut from the left, ", 6)
		requests = append(requests, eval.Request{Context: long, Continuation: " it fits"}, eval.Request{Continuation: " nothing before it"}, eval.Request{Context: "The ", Continuation: "cat"})
		for _, b := range []eval.Boundary{eval.Apart, eval.Together} {
			shared := ask(t, m, eval.AnswerOptions{Boundary: b, Tokens: true}, requests...)
			alone := ask(t, m, eval.AnswerOptions{Boundary: b, Tokens: true, NoShare: true}, requests...)
			if diff := cmp.Diff(alone, shared); diff != "" {
				t.Errorf("without sharing (-) and with (+):\n%s", diff)
			}
			for i, r := range requests {
				ids, n := must(m.Tokenizer.AppendEncode(nil, r.Context)), 0
				switch {
				case r.Context == "":
					ids, n = must(m.Tokenizer.AppendEncode([]int32{0}, r.Continuation)), 1
				case b == eval.Apart:
					n = len(ids)
					ids = must(m.Tokenizer.AppendEncode(ids, r.Continuation))
				default:
					n = len(must(m.Tokenizer.AppendEncode(nil, strings.TrimRight(r.Context, " "))))
					ids = must(m.Tokenizer.AppendEncode(nil, r.Context+r.Continuation))
				}
				in, out := ids[:len(ids)-1], slices.Clone(ids[1:])
				for j := range n - 1 {
					out[j] = -1
				}
				cut := max(len(in)-m.Config.T, 0)
				in, out = in[cut:], out[cut:]
				var want float64
				greedy, rows := true, logitsOf(t, m, in)
				for j, v := range score(t, s, lm.Sequence{IDs: in, Targets: out}) {
					if out[j] >= 0 {
						want -= float64(v)
						greedy = greedy && slices.Index(rows[j], slices.Max(rows[j])) == int(out[j])
					}
				}
				a := shared[i]
				if a.Logprob != want || a.Tokens != len(ids)-n || a.Truncated != (cut > 0) || a.Greedy != greedy || len(a.Each) != a.Tokens {
					t.Errorf("%v, %s: %q after %q: %+v, want %v of %d tokens, cut %v, greedy %v", precision, b, r.Continuation, r.Context, a, want, len(ids)-n, cut > 0, greedy)
				}
			}
		}
	}
}

// TestDamagedWeights: probabilities that are no numbers are an error, never a score.
func TestDamagedWeights(t *testing.T) {
	m := opened(t, lm.Options{})
	if _, err := m.Scorer(8); err != nil {
		t.Fatal(err)
	}
	head := slices.Repeat([]float32{float32(math.NaN())}, m.Config.V*m.Config.C)
	if err := m.Device.Write("transformer.ff_out.weight", head); err != nil {
		t.Fatal(err)
	}
	for _, r := range []eval.Request{{Context: "a", Continuation: " b"}, {Form: eval.Rolling, Continuation: "text"}} {
		err := (&eval.Local{Model: m}).Answer(t.Context(), []eval.Request{r}, eval.AnswerOptions{Boundary: eval.Apart}, func(int, eval.Answer) error { return nil })
		if !errors.Is(err, eval.ErrNotFinite) {
			t.Errorf("%+v: %v, want ErrNotFinite", r, err)
		}
	}
}

func TestTasks(t *testing.T) {
	two := []string{" yes", " no"}
	cases := []struct {
		task, file, row string
		want            eval.Question
	}{
		{"piqa", "piqa", `{"goal":"G","sol1":"one","sol2":"two","label":1}`, eval.Question{Context: "Question: G\nAnswer:", Choices: []string{" one", " two"}, Gold: 1}},
		{
			"hellaswag", "hellaswag", `{"activity_label":"Act","ctx_a":"A [title] b  c.","ctx_b":"then HE [step] goes","endings":["up [sub]  now","down"],"label":"1"}`,
			eval.Question{Context: "Act: A. b c. Then he goes", Choices: []string{" up  now", " down"}, Gold: 1},
		},
		{
			"winogrande", "winogrande", `{"sentence":"It is _ that x.","option1":"P","option2":"Q","answer":"2"}`,
			eval.Question{Contexts: []string{"It is P", "It is Q"}, Choices: []string{" that x.", " that x."}, Gold: 1},
		},
		{"boolq", "boolq", `{"question":"is it","answer":false,"passage":"P."}`, eval.Question{Context: "P.\nQuestion: is it?\nAnswer:", Choices: two, Gold: 1}},
		{"copa", "copa", `{"premise":"It rained. ","choice1":"The x.","choice2":"Éclair.","question":"cause","label":0}`, eval.Question{Context: "It rained because", Choices: []string{" the x.", " éclair."}}},
		{
			"sciq", "sciq", `{"question":"Q","distractor3":"c","distractor1":"a","distractor2":"b","correct_answer":"d","support":" S "}`,
			eval.Question{Context: "S\nQuestion: Q\nAnswer:", Choices: []string{" a", " b", " c", " d"}, Gold: 3},
		},
		{"openbook_qa", "openbook_qa", `{"id":"8","question_stem":"Stem","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"B"}`, eval.Question{ID: "8", Context: "Stem", Choices: []string{" a", " b"}, Gold: 1}},
		{"arc_challenge", "arc_challenge", `{"id":"x","question":"Q","choices":{"text":["a","b"],"label":["1","2"]},"answerKey":"2"}`, eval.Question{ID: "x", Context: "Question: Q\nAnswer:", Choices: []string{" a", " b"}, Gold: 1}},
		{"commonsense_qa", "commonsense_qa", `{"id":"y","question":"Q","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"A"}`, eval.Question{ID: "y", Context: "Question: Q\nAnswer:", Choices: []string{" a", " b"}}},
		{
			"social_iqa", "social_iqa", `{"context":"C.","question":"Q?","answerA":"a","answerB":"b","answerC":"c","label":"2"}`,
			eval.Question{Context: "Question: C. Q?\nAnswer:", Choices: []string{" a", " b", " c"}, Gold: 1},
		},
		{"mrpc", "mrpc", `{"sentence1":"It does n't ( a ) .","sentence2":"\" Yes , no . \"","label":1}`, eval.Question{Context: "Sentence 1: It doesn't (a).\nSentence 2: \"Yes, no.\"\nQuestion: Do both sentences mean the same thing?\nAnswer:", Choices: two}},
		{"trivia_qa_wiki_ppl", "trivia_qa_wiki", `{"question":"Q","answer":{"value":"V"}}`, eval.Question{Context: "\nQuestion: Q\nAnswer:", Choices: []string{" V"}}},
		{
			"winogrande_rc_5shot", "oe_winogrande__rc_5shot",
			`{"doc_id":7,"idx":1,"label":1,"context":"c1","continuation":" b"}` + "\n" + `{"doc_id":7,"idx":0,"label":1,"context":"c0","continuation":" a"}` + "\n" + `{"doc_id":1000007,"idx":0,"label":1,"context":"","continuation":" a"}`,
			eval.Question{ID: "7", Contexts: []string{"c0", "c1"}, Choices: []string{" a", " b"}, Gold: 1},
		},
		{
			"social_iqa", "social_iqa", `{"context":"C.","question":"Why?","answerA":"a","answerB":"b","answerC":"c","label":"3"}`,
			eval.Question{Context: "Question: C. Why?\nAnswer:", Choices: []string{" a", " b", " c"}, Gold: 2},
		},
		{"basic_arithmetic", "basic_arithmetic", `{"id":"s1","question":"1 + 1 =","choices":{"text":["2","3","4"],"label":["A","B","C"]},"answerKey":"A"}`, eval.Question{ID: "s1", Context: "Question: 1 + 1 =\nAnswer:", Choices: []string{" 2", " 3", " 4"}}},
		{"commonsense_qa", "commonsense_qa", `{"id":"c1","question":"Q","choices":{"text":["x","y"],"label":["A","B"]},"answerKey":"B"}`, eval.Question{ID: "c1", Context: "Question: Q\nAnswer:", Choices: []string{" x", " y"}, Gold: 1}},
		{"rte", "rte", `{"sentence1":"A.","sentence2":"B.","label":1}`, eval.Question{Context: "A.\nQuestion: B. True or False?\nAnswer:", Choices: []string{" True", " False"}, Gold: 1}},
		{
			"commitment_bank", "commitment_bank", `{"premise":"P.","hypothesis":"H","label":2}`,
			eval.Question{Context: "P.\nQuestion: H. True, False or Neither?\nAnswer:", Choices: []string{" True", " False", " Neither"}, Gold: 2},
		},
		{
			"sst2", "sst2", `{"sentence":"it 's fine , really .","label":1}`,
			eval.Question{Context: "it's fine, really.\nQuestion: Is this sentence positive or negative?\nAnswer:", Choices: []string{" negative", " positive"}, Gold: 1},
		},
		{"natural_qs_open_ppl", "natural_qs_open", `{"question":"Q","answer":["first","second"]}`, eval.Question{Context: "\nQuestion: Q\nAnswer:", Choices: []string{" first"}}},
		{"mrpc", "mrpc", `{"sentence1":"a","sentence2":"b","label":0}`, eval.Question{Context: "Sentence 1: a\nSentence 2: b\nQuestion: Do both sentences mean the same thing?\nAnswer:", Choices: two, Gold: 1}},
		{"boolq", "boolq", `{"question":"is it","answer":true,"passage":"P."}`, eval.Question{Context: "P.\nQuestion: is it?\nAnswer:", Choices: two}},
		{"copa", "copa", `{"premise":"It rained!","choice1":"A x.","choice2":"B.","question":"effect","label":1}`, eval.Question{Context: "It rained therefore", Choices: []string{" a x.", " b."}, Gold: 1}},
		{
			"hellaswag", "hellaswag", `{"activity_label":"Act","ctx_a":"A.","ctx_b":"x","endings":["up","down"],"label":"0"}`,
			eval.Question{Context: "Act: A. X", Choices: []string{" up", " down"}},
		},
		{
			// Documents keep the order of their first rows, whatever their numbers.
			"copycolors_10way", "oe_copycolors__10way", `{"doc_id":999999,"idx":0,"label":0,"context":"c","continuation":" a"}` + "\n" + `{"doc_id":999999,"idx":1,"label":0,"context":"c","continuation":" b"}` + "\n" +
				`{"doc_id":1000000,"idx":0,"label":0,"context":"","continuation":" a"}`,
			eval.Question{ID: "999999", Contexts: []string{"c", "c"}, Choices: []string{" a", " b"}},
		},
		{"gsm8k_gold_bpb_5shot", "oe_gsm8k__gold_bpb_5shot", `{"doc_id":0,"idx":0,"label":"18","context":"c","continuation":" 18."}`, eval.Question{ID: "0", Contexts: []string{"c"}, Choices: []string{" 18."}}},
	}
	for _, c := range cases {
		t.Run(c.task, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, c.file+".jsonl"), []byte(c.row), 0o666); err != nil {
				t.Fatal(err)
			}
			task, err := eval.LookupTask(c.task)
			if err != nil {
				t.Fatal(err)
			}
			got, err := questions(task, dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]eval.Question{spread(c.want)}, got); diff != "" {
				t.Errorf("Questions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTaskErrors(t *testing.T) {
	if _, err := eval.LookupTask("helaswag"); err == nil || !contains(err, "did you mean hellaswag?") {
		t.Errorf("helaswag: %v", err)
	}
	if _, err := eval.LookupTask("qqqqqqqqqqqq"); err == nil || !contains(err, "lists the tasks") {
		t.Errorf("nothing like a task: %v", err)
	}
	var names []string
	for _, task := range eval.Tasks() {
		names = append(names, task.Name)
	}
	if !slices.IsSorted(names) || !slices.Contains(names, "mmlu_other_test_mc_5shot") || len(names) != len(slices.Compact(slices.Clone(names))) {
		t.Errorf("tasks %q", names)
	}
	hellaswag, err := eval.LookupTask("hellaswag")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := questions(hellaswag); err == nil || !contains(err, "--data") {
		t.Errorf("no folder: %v", err)
	}
	dir := t.TempDir()
	if _, err := questions(hellaswag, dir); err == nil || !contains(err, "hellaswag.jsonl") {
		t.Errorf("empty folder: %v", err)
	}
	piqa, err := eval.LookupTask("piqa")
	if err != nil {
		t.Fatal(err)
	}
	for name, rows := range map[string]string{
		"no rows":         "\n",
		"not JSON":        "{\n",
		"label too large": `{"goal":"G","sol1":"one","sol2":"two","label":2}`,
		"wrong type":      `{"goal":3}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "piqa.jsonl"), []byte(rows), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := questions(piqa, dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestRowErrors: a row that makes no question is an error that names its line, never a
// question with another answer.
func TestRowErrors(t *testing.T) {
	request := func(doc, choice int, label string) string {
		return fmt.Sprintf(`{"doc_id":%d,"idx":%d,"label":%s,"context":"C","continuation":" c"}`+"\n", doc, choice, label)
	}
	for _, c := range []struct{ task, file, row, want string }{
		{"hellaswag", "hellaswag", `{"activity_label":"A","ctx_a":"a","ctx_b":"b","endings":["a"],"label":""}`, "label"},
		{"hellaswag", "hellaswag", `{"activity_label":"A","ctx_a":"a","endings":["a"],"label":"0"}`, "hellaswag.jsonl:1: the row has no field ctx_b"},
		{"hellaswag", "hellaswag", `{"activity_label":"A","ctx_a":"a","ctx_b":null,"endings":["a"],"label":"0"}`, "hellaswag.jsonl:1: the row has no field ctx_b"},
		{"piqa", "piqa", `{"goal":"G","sol1":"one","sol2":"two","label":0}` + "\n" + `{"goal":"G","sol1":"one","sol2":"two"}`, "piqa.jsonl:2: the row has no field label"},
		{"piqa", "piqa", `{"goal":"G","sol1":["one"],"sol2":"two","label":0}`, "piqa.jsonl:1: the field sol1 is of the type array"},
		{"piqa", "piqa", `"G"`, "the row is a string, not an object"},
		{"arc_easy", "arc_easy", `{"question":"Q","choices":{"text":["a"]},"answerKey":"A"}`, "the row has no field choices.label"},
		{"arc_easy", "arc_easy", `{"question":"Q","choices":{"text":[],"label":["A"]},"answerKey":"A"}`, "no choices"},
		{"winogrande", "winogrande", `{"sentence":"a _ b","option1":"x","option2":"y","answer":""}`, "answer"},
		{"winogrande", "winogrande", `{"sentence":"a b","option1":"x","option2":"y","answer":"1"}`, "has no gap"},
		{"winogrande", "winogrande", `{"sentence":"a _ b","option1":"x","option2":"y","answer":"0"}`, "number -1 of 2 choices"},
		{"social_iqa", "social_iqa", `{"context":"C","question":"Q","answerA":"a","answerB":"b","answerC":"c","label":"x"}`, "label"},
		{"openbook_qa", "openbook_qa", `{"question_stem":"S","choices":{"text":["a"],"label":["A"]},"answerKey":"C"}`, `the answer "C" is none of the choices [A]`},
		{"hellaswag", "hellaswag", `{"activity_label":"A","ctx_a":"a","ctx_b":"b","endings":[],"label":"0"}`, "no choices"},
		{"trivia_qa_wiki_ppl", "trivia_qa_wiki", `{"question":"Q","answer":{"value":""}}`, "no answer"},
		{"trivia_qa_wiki_ppl", "trivia_qa_wiki", `{"question":"Q","answer":{}}`, "the row has no field answer.value"},
		{"natural_qs_open_ppl", "natural_qs_open", `{"question":"Q","answer":[]}`, "no answer"},
		{"piqa", "piqa", `{"goal":"G","sol1":"one","sol2":"two","label":-1}`, "number -1 of 2 choices"},
		{"copycolors_10way", "oe_copycolors__10way", request(3, 0, `"x"`) + request(3, 1, `"x"`), `document 3: label "x" is no number`},
		{"copycolors_10way", "oe_copycolors__10way", request(3, 0, "2") + request(3, 1, "2"), "document 3: the answer is number 2 of 2 choices"},
		{"gsm8k_gold_bpb_5shot", "oe_gsm8k__gold_bpb_5shot", `{"doc_id":0,"idx":0,"label":"4","request":{"context":"C","continuation":""}}`, "jsonl:1: document 0: choice 0 is empty"},
		{"gsm8k_gold_bpb_5shot", "oe_gsm8k__gold_bpb_5shot", `{"doc_id":0,"label":"4","request":{"context":"C","continuation":" c"}}`, "jsonl:1: the row has no field idx"},
		{"sciq", "sciq", "\n", "sciq.jsonl has no rows for it"},
		{"mmlu_humanities", "mmlu_validation", `{"subject":"astronomy","question":"Q","choices":["a"],"answer":0}`, "mmlu_validation.jsonl has no rows for it"},
		{"copycolors_10way", "oe_copycolors__10way", request(3, 0, "null") + request(3, 1, "null"), "document 3: it has no label"},
		{"copycolors_10way", "oe_copycolors__10way", request(3, 0, "0") + request(3, 2, "0"), "document 3: choice 1 is missing"},
		{"copycolors_10way", "oe_copycolors__10way", request(3, 0, "0") + request(3, 0, "0"), "document 3: choice 0 is there twice"},
		{"copycolors_10way", "oe_copycolors__10way", request(3, 0, "0") + `{"doc_id":3,"idx":1,"label":0,"context":"C"}`, "jsonl:2: the row has no field continuation"},
		{"mmlu_stem", "mmlu_validation", `{"subject":"astronomy","question":"Q","choices":["a"],"answer":1}`, "number 1 of 1 choices"},
		{"mmlu_stem", "mmlu_validation", `{"subject":"astronomy","question":"Q","choices":["a"],"answer":-1}`, "number -1 of 1 choices"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, c.file+".jsonl")
		if err := os.WriteFile(path, []byte(c.row), 0o666); err != nil {
			t.Fatal(err)
		}
		task, err := eval.LookupTask(c.task)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := questions(task, dir); err == nil || !contains(err, c.want) || !contains(err, c.task) {
			t.Errorf("%s: %s: %v, %v, want %q", c.task, c.row, q, err, c.want)
		}
	}
}

// TestPackedRows: a data set may be packed; where both are there the plain one counts.
func TestPackedRows(t *testing.T) {
	piqa, err := eval.LookupTask("piqa")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, c := range []struct{ file, goal string }{{"piqa.jsonl.zst", "zst"}, {"piqa.jsonl.gz", "gz"}, {"piqa.jsonl", "plain"}} {
		w, err := data.CreateWriter(filepath.Join(dir, c.file))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if _, err := fmt.Fprintf(w, `{"goal":%q,"sol1":"a","sol2":"b","label":%d}`+"\n", c.goal, i); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		q, err := questions(piqa, dir)
		if err != nil || len(q) != 2 || q[0].Contexts[0] != "Question: "+c.goal+"\nAnswer:" || q[1].Gold != 1 {
			t.Errorf("with %s: %+v (%v)", c.file, q, err)
		}
	}
}

// TestARCEasyPPL: the first choice counts as the right one in every question, as in the
// reference's curves.
func TestARCEasyPPL(t *testing.T) {
	read := func(name string) []eval.Question {
		t.Helper()
		task, err := eval.LookupTask(name)
		if err != nil {
			t.Fatal(err)
		}
		q, err := questions(task)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	all, q := read("arc_easy"), read("arc_easy_ppl")
	want := eval.Question{
		ID: "MCAS_2000_4_6", Context: "Question: Which technology was developed most recently?\nAnswer:",
		Choices: []string{" cellular telephone", " television", " refrigerator", " airplane"},
	}
	if diff := cmp.Diff(spread(want), all[0]); diff != "" || len(all) != 570 || len(q) != 570 {
		t.Errorf("%d and %d questions; the first one (-want +got):\n%s", len(all), len(q), diff)
	}
	for i := range q {
		if q[i].Contexts[0] != all[i].Contexts[0] || !slices.Equal(q[i].Choices, all[i].Choices[:1]) || q[i].Gold != 0 {
			t.Fatalf("question %d is %+v, want the first choice of %+v alone", i, q[i], all[i])
		}
	}
}

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }

// must returns what a call gives that has no reason to fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
