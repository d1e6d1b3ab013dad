package eval_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	"olmo/model"
)

// random is a model of random weights on a device of its own.
func random(t testing.TB, bf16 bool) *lm.Model {
	t.Helper()
	c := &model.Config{
		Family: "olmo2", Layers: 2, C: 32, H: 4, KV: 2, D: 8, F: 48, VocabSize: 260, V: 264, T: 48, NormEps: 1e-6, RopeTheta: 10000, EOS: 256,
	}
	m, err := lm.New(c, lm.Options{BF16: bf16})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func scorer(t testing.TB, bf16 bool) *lm.Scorer {
	t.Helper()
	m := random(t, bf16)
	s, err := m.Scorer(m.Config.T)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Config.Params() {
		w, err := model.Init{Fn: "normal", Std: 0.3}.Weights(m.Config, p, 5)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Device.Write(p.Name, w); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// letters encodes bytes as themselves.
type letters struct{}

func (letters) AppendEncode(dst []int32, text string) []int32 {
	for _, b := range []byte(text) {
		dst = append(dst, int32(b))
	}
	return dst
}

func score(t testing.TB, s *lm.Scorer, q ...lm.Sequence) [][]float32 {
	t.Helper()
	out := make([][]float32, len(q))
	if err := s.Score(t.Context(), q, func(i int, nats []float32) { out[i] = slices.Clone(nats) }); err != nil {
		t.Fatal(err)
	}
	return out
}

func texts(t ...string) iter.Seq2[eval.Text, error] {
	return func(yield func(eval.Text, error) bool) {
		for i, s := range t {
			if !yield(eval.Text{ID: fmt.Sprint(i), Text: s}, nil) {
				return
			}
		}
	}
}

// TestBitsPerByte computes the definition one token at a time.
func TestBitsPerByte(t *testing.T) {
	s := scorer(t, false)
	docs := []string{"a", "", "twelve bytes", "naïve – ünïcode", "exactly thirty-two bytes of text", "a document that is a good deal longer than two windows of thirty-two tokens each"}
	const window, eos = 32, 256
	// bits of document d when token i+1 is predicted from ids[begin…i].
	bits := func(ids []int32, begin func(i int) int) float64 {
		var nats float64
		for i := range len(ids) - 1 {
			b := begin(i)
			q := lm.Sequence{IDs: ids[b : i+1], Targets: make([]int32, i+1-b)}
			for j := range q.Targets {
				q.Targets[j] = -1
			}
			q.Targets[i-b] = ids[i+1]
			nats += float64(score(t, s, q)[0][i-b])
		}
		return nats / math.Ln2
	}
	cases := []struct {
		name  string
		o     eval.BitsPerByteOptions
		begin func(i, last int) int
	}{
		{"disjoint windows", eval.BitsPerByteOptions{}, func(i, last int) int { return i / window * window }},
		{"end of text", eval.BitsPerByteOptions{EndOfText: true}, func(i, last int) int { return i / window * window }},
		{"overlap", eval.BitsPerByteOptions{Overlap: true}, func(i, last int) int {
			if b := i / window * window; b == 0 || b+window <= last {
				return b
			}
			return last - window
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.o.Window, c.o.Prefix = window, eos
			var each []eval.DocumentScore
			got, err := eval.BitsPerByte(t.Context(), s, letters{}, texts(docs...), c.o, func(d eval.DocumentScore) error {
				each = append(each, d)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var want, bytes float64
			for i, d := range docs {
				ids := letters{}.AppendEncode([]int32{eos}, d)
				if c.o.EndOfText {
					ids = append(ids, eos)
				}
				w := bits(ids, func(j int) int { return c.begin(j, len(ids)-1) })
				want, bytes = want+w, bytes+float64(len(d))
				if g := each[i].Nats / math.Ln2; math.Abs(g-w) > 1e-9*w {
					t.Errorf("document %q takes %v bits, want %v", d, g, w)
				}
				if each[i].ID != fmt.Sprint(i) || each[i].Bytes != len(d) || each[i].Tokens != len(ids)-1 {
					t.Errorf("document %q: %+v", d, each[i])
				}
			}
			if w := want / bytes; math.Abs(got.BitsPerByte-w) > 1e-9*w || got.Documents != len(docs) {
				t.Errorf("%v bits per byte of %d documents, want %v of %d", got.BitsPerByte, got.Documents, w, len(docs))
			}
		})
	}
	if _, err := eval.BitsPerByte(t.Context(), s, letters{}, texts(), eval.BitsPerByteOptions{Window: 8}, nil); err == nil {
		t.Error("no documents: no error")
	}
	if _, err := eval.BitsPerByte(t.Context(), s, letters{}, texts("a"), eval.BitsPerByteOptions{}, nil); err == nil {
		t.Error("no window: no error")
	}
}

func TestChoose(t *testing.T) {
	s := scorer(t, false)
	questions := []eval.Question{
		{ID: "a", Context: "Question: two and two\nAnswer:", Choices: []string{" five", " four", " a great many"}, Gold: 1},
		{ID: "b", Contexts: []string{"the cat", "the dog"}, Choices: []string{" barks", " barks"}, Gold: 1},
		{ID: "c", Context: "a context that is so long that it has to be cut from the left before it fits", Choices: []string{" é", " no"}},
		{ID: "d", Choices: []string{" nothing before it", " x"}, Gold: 1},
	}
	const positions = 40
	var got []eval.Request
	result, err := eval.Choose(t.Context(), s, letters{}, positions, "test", questions, func(r eval.Request) error {
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	var accuracy float64
	for _, q := range questions {
		best := i
		for c, text := range q.Choices {
			r := got[i]
			context := q.Context
			if q.Contexts != nil {
				context = q.Contexts[c]
			}
			ids := letters{}.AppendEncode(nil, context)
			if context == "" {
				ids = []int32{256}
			}
			n := len(ids)
			ids = append(ids, letters{}.AppendEncode(nil, text)...)
			in, out := ids[:len(ids)-1], slices.Clone(ids[1:])
			for j := range n - 1 {
				out[j] = -1
			}
			cut := max(len(in)-positions, 0)
			var want float64
			for _, v := range score(t, s, lm.Sequence{IDs: in[cut:], Targets: out[cut:]})[0] {
				want -= float64(v)
			}
			if r.Logprob != want || r.DocID != q.ID || r.Choice != c || r.Gold != (c == q.Gold) || r.Length != len(text) || !slices.Equal(r.IDs, ids) {
				t.Errorf("question %s, choice %d: %+v, want logprob %v and ids %v", q.ID, c, r, want, ids)
			}
			if r.Logprob > got[best].Logprob {
				best = i
			}
			i++
		}
		if got[best].Gold {
			accuracy++
		}
		if !got[best].Picked {
			t.Errorf("question %s: the most probable choice %d is not the picked one", q.ID, got[best].Choice)
		}
	}
	if want := accuracy / 4; result.Accuracy != want || result.Questions != 4 || math.Abs(result.Chance-(1.0/3+1.5)/4) > 1e-12 {
		t.Errorf("%+v, want accuracy %v", result, want)
	}
}

func TestDamagedWeights(t *testing.T) {
	s := scorer(t, false)
	c := s.Model().Config
	head := make([]float32, c.V*c.C)
	for i := range head {
		head[i] = float32(math.NaN())
	}
	if err := s.Model().Device.Write("transformer.ff_out.weight", head); err != nil {
		t.Fatal(err)
	}
	if _, err := eval.BitsPerByte(t.Context(), s, letters{}, texts("text"), eval.BitsPerByteOptions{Window: 8, Prefix: 256}, nil); !errors.Is(err, eval.ErrNotFinite) {
		t.Errorf("bits per byte: %v, want ErrNotFinite", err)
	}
	q := []eval.Question{{Context: "a", Choices: []string{" b", " c"}}}
	if _, err := eval.Choose(t.Context(), s, letters{}, c.T, "test", q, func(eval.Request) error { return nil }); !errors.Is(err, eval.ErrNotFinite) {
		t.Errorf("choices: %v, want ErrNotFinite", err)
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
			got, err := task.Questions(dir)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.ID == "" {
				c.want.ID = "0"
			}
			if diff := cmp.Diff([]eval.Question{c.want}, got); diff != "" {
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
	if names := eval.Tasks(); !slices.IsSorted(names) || !slices.Contains(names, "mmlu_other_test_mc_5shot") || len(names) != len(slices.Compact(slices.Clone(names))) {
		t.Errorf("tasks %q", names)
	}
	piqa, err := eval.LookupTask("piqa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := piqa.Questions(""); err == nil || !contains(err, "--data") {
		t.Errorf("no folder: %v", err)
	}
	dir := t.TempDir()
	if _, err := piqa.Questions(dir); err == nil || !contains(err, "piqa.jsonl") {
		t.Errorf("empty folder: %v", err)
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
		if _, err := piqa.Questions(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestRowErrors: a row that makes no question is an error that names its line, never a
// question with another answer.
func TestRowErrors(t *testing.T) {
	for _, c := range []struct{ task, file, row, want string }{
		{"hellaswag", "hellaswag", `{"endings":["a"],"label":""}`, "label"},
		{"winogrande", "winogrande", `{"sentence":"a _ b","option1":"x","option2":"y","answer":""}`, "answer"},
		{"winogrande", "winogrande", `{"sentence":"a b","option1":"x","option2":"y","answer":"1"}`, "has no gap"},
		{"winogrande", "winogrande", `{"sentence":"a _ b","option1":"x","option2":"y","answer":"0"}`, "number -1 of 2 choices"},
		{"social_iqa", "social_iqa", `{"label":"x"}`, "label"},
		{"openbook_qa", "openbook_qa", `{"question_stem":"S","choices":{"text":["a"],"label":["A"]},"answerKey":"C"}`, `the answer "C" is none of the choices [A]`},
		{"hellaswag", "hellaswag", `{"endings":[],"label":"0"}`, "no choices"},
		{"trivia_qa_wiki_ppl", "trivia_qa_wiki", `{"question":"Q","answer":{}}`, "no answer"},
		{"natural_qs_open_ppl", "natural_qs_open", `{"question":"Q","answer":[]}`, "no answer"},
		{"piqa", "piqa", `{"goal":"G","sol1":"one","sol2":"two","label":-1}`, "number -1 of 2 choices"},
		{"copycolors_10way", "oe_copycolors__10way", `{"doc_id":3,"idx":0,"label":"x"}` + "\n" + `{"doc_id":3,"idx":1,"label":"x"}`, `document 3: label "x" is no number`},
		{"copycolors_10way", "oe_copycolors__10way", `{"doc_id":3,"idx":0,"label":2}` + "\n" + `{"doc_id":3,"idx":1,"label":2}`, "document 3: the answer is number 2 of 2 choices"},
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
		if q, err := task.Questions(dir); err == nil || !contains(err, c.want) || !contains(err, c.task) {
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
		q, err := piqa.Questions(dir)
		if err != nil || len(q) != 2 || q[0].Context != "Question: "+c.goal+"\nAnswer:" || q[0].ID != "0" || q[1].ID != "1" || q[1].Gold != 1 {
			t.Errorf("with %s: %+v (%v)", c.file, q, err)
		}
	}
}

// TestARCEasyPPL: the first choice counts as the right one in every question, as in the
// reference's curves.
func TestARCEasyPPL(t *testing.T) {
	all, err := eval.ARCEasy()
	if err != nil {
		t.Fatal(err)
	}
	task, err := eval.LookupTask("arc_easy_ppl")
	if err != nil {
		t.Fatal(err)
	}
	q, err := task.Questions("")
	if err != nil || len(q) != len(all) {
		t.Fatalf("%d questions of %d (%v)", len(q), len(all), err)
	}
	for i := range q {
		if q[i].Context != all[i].Context || !slices.Equal(q[i].Choices, all[i].Choices[:1]) || q[i].Gold != 0 {
			t.Fatalf("question %d is %+v, want the first choice of %+v alone", i, q[i], all[i])
		}
	}
}

func TestARCEasy(t *testing.T) {
	q, err := eval.ARCEasy()
	if err != nil {
		t.Fatal(err)
	}
	want := eval.Question{
		ID: "MCAS_2000_4_6", Context: "Question: Which technology was developed most recently?\nAnswer:",
		Choices: []string{" cellular telephone", " television", " refrigerator", " airplane"},
	}
	if diff := cmp.Diff(want, q[0]); diff != "" || len(q) != 570 {
		t.Errorf("%d questions; the first one (-want +got):\n%s", len(q), diff)
	}
}

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }

func ExampleChoose() {
	// A model of random weights; a real one comes from lm.Open.
	c := &model.Config{Family: "olmo2", Layers: 1, C: 16, H: 2, KV: 2, D: 8, F: 16, VocabSize: 256, V: 256, T: 64, NormEps: 1e-6, RopeTheta: 10000}
	m, err := lm.New(c, lm.Options{})
	if err != nil {
		panic(err)
	}
	s, err := m.Scorer(c.T)
	if err != nil {
		panic(err)
	}
	for _, p := range c.Params() {
		w, err := model.Init{Fn: "normal", Std: 0.5}.Weights(c, p, 1)
		if err != nil {
			panic(err)
		}
		if err := m.Device.Write(p.Name, w); err != nil {
			panic(err)
		}
	}
	questions := []eval.Question{{ID: "1", Context: "Question: one and one?\nAnswer:", Choices: []string{" two", " three"}, Gold: 0}}
	score, err := eval.Choose(context.Background(), s, letters{}, c.T, "sums", questions, func(r eval.Request) error {
		fmt.Println(r.Text, r.Length, "tokens")
		return nil
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(score.Questions, "question, chance", score.Chance)
	// Output:
	//  two 4 tokens
	//  three 6 tokens
	// 1 question, chance 0.5
}

// TestSharedContexts holds the scores of many questions, whose contexts are computed
// once, against whole sequences scored one by one: the same bits.
func TestSharedContexts(t *testing.T) {
	for _, bf16 := range []bool{false, true} {
		s := scorer(t, bf16)
		var questions []eval.Question
		for i := range 70 {
			q := eval.Question{ID: fmt.Sprint(i), Context: strings.Repeat(fmt.Sprintf("%c context ", 'a'+i%26), 4)[:8+i%30], Gold: i % 2}
			for c := range 2 + i%5 {
				q.Choices = append(q.Choices, strings.Repeat(fmt.Sprintf(" %d", i*c), 1+c)) // some begin alike
			}
			questions = append(questions, q)
		}
		var requests []eval.Request
		if _, err := eval.Choose(t.Context(), s, letters{}, 48, "test", questions, func(r eval.Request) error {
			requests = append(requests, r)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, r := range requests {
			prompt := len(r.IDs) - r.Length
			in, out := r.IDs[:len(r.IDs)-1], slices.Clone(r.IDs[1:])
			for j := range prompt - 1 {
				out[j] = -1
			}
			cut := max(len(in)-48, 0)
			var want float64
			for _, v := range score(t, s, lm.Sequence{IDs: in[cut:], Targets: out[cut:]})[0] {
				want += float64(v)
			}
			if r.Logprob != -want {
				t.Fatalf("bf16=%v: question %s, choice %d: %v, want %v", bf16, r.DocID, r.Choice, r.Logprob, -want)
			}
		}
	}
}
