package eval

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"olmo/lm"
	"olmo/tokenizer"
)

// golden opens the folder of reference results, made by ai2-olmo-eval 0.8.5.
func golden(t *testing.T, parts ...string) string {
	t.Helper()
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN does not name the folder of reference results")
	}
	return filepath.Join(append([]string{root, "eval"}, parts...)...)
}

func readLines[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<26)
	for s.Scan() {
		var v T
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return out
}

type goldenRequest struct {
	Doc     int     `json:"doc_id"`
	Choice  int     `json:"cont_id"`
	Label   int     `json:"label_id"`
	Query   []int32 `json:"query"`
	CtxLen  int     `json:"ctx_len"`
	Cont    []int32 `json:"cont"`
	Chars   int     `json:"chars"`
	Bytes   int     `json:"bytes"`
	Logprob float64 `json:"logprob"`
	Greedy  bool    `json:"greedy"`
}

type goldenSummary struct {
	Type    string `json:"metric_type"`
	Docs    int    `json:"n_docs"`
	Metrics map[string]json.RawMessage
}

func goldenTasks(t *testing.T) map[string]goldenSummary {
	t.Helper()
	text, err := os.ReadFile(golden(t, "cases", "tiny", "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var summary map[string]goldenSummary
	if err := json.Unmarshal(text, &summary); err != nil {
		t.Fatal(err)
	}
	return summary
}

func goldenTokenizer(t *testing.T) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(golden(t, "cases", "tiny-olmo"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestGoldenRequests compares every id of every request, and every metric computed
// from the reference's log-probabilities.
func TestGoldenRequests(t *testing.T) {
	tok := goldenTokenizer(t)
	for name, want := range goldenTasks(t) {
		t.Run(name, func(t *testing.T) {
			task, err := LookupTask(name)
			if err != nil {
				t.Fatal(err)
			}
			job, err := task.Job(Inputs{Data: []string{golden(t, "datasets")}})
			if err != nil {
				t.Fatal(err)
			}
			requests := readLines[goldenRequest](t, golden(t, "cases", "tiny", name+".jsonl.gz"))
			f := figures{task: task}
			e := &encoder{tokenizer: tok, plain: tok.NewEncoder(), bos: -1, eos: 0, positions: 2048}
			for n, d := range job.documents[:want.Docs] {
				var answers []Answer
				for i, r := range d.Requests {
					if len(requests) == 0 {
						t.Fatalf("document %d, choice %d: the reference has no more requests", n, i)
					}
					g := requests[0]
					requests = requests[1:]
					p, err := e.continuation(r.Context, r.Continuation, Apart)
					if err != nil {
						t.Fatal(err)
					}
					// The reference counts the context before it is cut.
					if g.Doc != n || g.Choice != i || d.Gold[0] != g.Label || !slices.Equal(p.IDs, g.Query) || p.tokens != len(g.Cont) ||
						utf8.RuneCountInString(r.Continuation) != g.Chars || len(r.Continuation) != g.Bytes {
						t.Fatalf("document %d, choice %d of %q: label %d, ids %v, %d tokens; want %+v", n, i, r.Context, d.Gold, p.IDs, p.tokens, g)
					}
					first := slices.IndexFunc(p.Targets, func(x int32) bool { return x >= 0 })
					if first != g.CtxLen-1 || !slices.Equal(p.Targets[first:], g.Cont) {
						t.Errorf("document %d, choice %d: the first target stands at %d, want %d; targets %v, want %v", n, i, first, g.CtxLen-1, p.Targets[first:], g.Cont)
					}
					answers = append(answers, Answer{Logprob: g.Logprob})
				}
				j, err := task.judge(d, answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				f.add(j)
			}
			if len(requests) > 0 {
				t.Errorf("%d requests of the reference are missing", len(requests))
			}
			checkMetrics(t, task, f.all(), want)
		})
	}
}

func checkMetrics(t *testing.T, task *Task, figures map[string]Figure, want goldenSummary) {
	t.Helper()
	if task.Quoted != want.Type {
		t.Errorf("quoted with %s, want %s", task.Quoted, want.Type)
	}
	soft, softLog := "soft", "soft_log"
	if want.Type == LenNorm {
		soft, softLog = "soft_len_norm", "soft_log_len_norm"
	}
	names := map[string]string{
		"acc_v2": Accuracy, "ai2-olmo-0.6.0:acc": Accuracy,
		"len_norm_v2": LenNorm, "ai2-olmo-0.6.0:len_norm": "len_norm_v1",
		"ai2-olmo-0.6.0:f1": F1, "ai2-olmo-0.6.0:ce_loss": "ce_loss_v1",
		"ce_loss_v1": "ce_loss_v1", "ce_loss_v2": CrossEntropy, "bpb_v1": "bpb_v1", "bpb_v2": BPB,
		"soft_v2": soft, "soft_log_v2": softLog,
	}
	compared := 0
	for name, raw := range want.Metrics {
		var w float64
		if json.Unmarshal(raw, &w) != nil {
			continue // a note
		}
		figure, ok := names[name]
		g := figures[figure].Value
		if !ok {
			continue // 0.8.5's acc_v1 and len_norm_v1 are its v2 figures; soft v1 is not computed
		}
		compared++
		// The reference rounds to float32 and means in it.
		if math.Abs(g-w) > 2e-6*max(1, math.Abs(w)) {
			t.Errorf("%s = %v, want %v", name, g, w)
		}
	}
	if compared == 0 {
		t.Error("nothing to compare")
	}
}

type goldenPaloma struct {
	ID, Subdomain, Text string
	IDs                 []int32
	Windows             [][3]float64
	Sum                 float64 `json:"sum_logits"`
	Words               int     `json:"num_words"`
	Chars               int     `json:"num_chars"`
	Bytes               int     `json:"num_bytes"`
	Tokens              int     `json:"num_tokens"`
}

// TestGoldenWindows compares the windows of catwalk's Paloma, and its figures
// from the reference's sums.
func TestGoldenWindows(t *testing.T) {
	tok := goldenTokenizer(t)
	var want struct {
		Size    int   `json:"max_seq_len"`
		Prefix  int32 `json:"prefix_token"`
		Overall struct {
			BitsPerByte float64 `json:"bits_per_byte"`
			Token       float64 `json:"ppl_token"`
			Char        float64 `json:"ppl_char"`
			Word        float64 `json:"ppl_word"`
			Byte        float64 `json:"ppl_byte"`
		}
	}
	text, err := os.ReadFile(golden(t, "cases", "tiny-paloma.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	var total Perplexity
	for _, d := range readLines[goldenPaloma](t, golden(t, "cases", "tiny-paloma.jsonl.gz")) {
		ids, err := tok.AppendEncode([]int32{want.Prefix}, d.Text)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ids[1:], d.IDs) {
			t.Fatalf("document %s: ids differ", d.ID)
		}
		got := windows(ids, want.Size, true)
		if len(got) != len(d.Windows) {
			t.Fatalf("document %s: %d windows, want %d", d.ID, len(got), len(d.Windows))
		}
		for i, w := range d.Windows {
			context := slices.IndexFunc(got[i].Targets, func(x int32) bool { return x >= 0 }) + 1
			scored := len(got[i].IDs) - context + 1
			if context != int(w[0]) || scored != int(w[1]) {
				t.Errorf("document %s, window %d: %d tokens after %d, want %v after %v", d.ID, i, scored, context, w[1], w[0])
			}
		}
		var s Perplexity
		s.Add(d.Text, len(ids)-1, -d.Sum)
		if int(s.Bytes) != d.Bytes || int(s.Chars) != d.Chars || int(s.Words) != d.Words || int(s.Tokens) != d.Tokens {
			t.Errorf("document %s: %+v, want %d bytes, %d characters, %d words, %d tokens", d.ID, s, d.Bytes, d.Chars, d.Words, d.Tokens)
		}
		total.Add(d.Text, len(ids)-1, -d.Sum)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"bits per byte", total.BitsPerByte, want.Overall.BitsPerByte},
		{"perplexity per token", total.PerToken, want.Overall.Token},
		{"per character", total.PerChar, want.Overall.Char},
		{"per word", total.PerWord, want.Overall.Word},
		{"per byte", total.PerByte, want.Overall.Byte},
	} {
		if math.Abs(c.got-c.want) > 1e-9*c.want {
			t.Errorf("%s %v, want %v", c.name, c.got, c.want)
		}
	}
}

// goldenModel is the reference's model, its weights widened to float32.
func goldenModel(t *testing.T) *Local {
	t.Helper()
	m, err := lm.Open(golden(t, "cases", "tiny-olmo"), lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &Local{Model: m}
}

// TestGoldenScores runs the first questions of every task through the reference's
// model.
func TestGoldenScores(t *testing.T) {
	m := goldenModel(t)
	limit := 3
	if testing.Short() {
		limit = 1
	}
	worst := 0.0
	for name := range goldenTasks(t) {
		task, err := LookupTask(name)
		if err != nil {
			t.Fatal(err)
		}
		requests := readLines[goldenRequest](t, golden(t, "cases", "tiny", name+".jsonl.gz"))
		n := limit
		if len(requests[0].Query) > 150 { // with shots
			n = 1
		}
		job, err := task.Job(Inputs{Data: []string{golden(t, "datasets")}, Limit: n})
		if err != nil {
			t.Fatal(err)
		}
		var asked []Request
		for _, d := range job.documents {
			asked = append(asked, d.Requests...)
		}
		err = m.Answer(t.Context(), asked, AnswerOptions{Boundary: Apart}, func(i int, a Answer) error {
			g := requests[i]
			d := math.Abs(a.Logprob - g.Logprob)
			worst = max(worst, d/math.Abs(g.Logprob))
			// Both sum float32 log-probabilities; the reference's logits are another
			// order of the same sums.
			if d > 2e-6*math.Abs(g.Logprob)+1e-5 || a.Greedy != g.Greedy {
				t.Errorf("%s, document %d, choice %d: log-probability %v, greedy %v; want %v, %v", name, g.Doc, g.Choice, a.Logprob, a.Greedy, g.Logprob, g.Greedy)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("largest relative difference %.2g", worst)
}

// TestGoldenPaloma measures the reference's documents with its model.
func TestGoldenPaloma(t *testing.T) {
	if testing.Short() {
		t.Skip("a few seconds")
	}
	m := goldenModel(t)
	docs := readLines[goldenPaloma](t, golden(t, "cases", "tiny-paloma.jsonl.gz"))
	var asked []Request
	for _, d := range docs {
		asked = append(asked, Request{Form: Rolling, Continuation: d.Text, Window: 512, Overlap: true})
	}
	var p Perplexity
	err := m.Answer(t.Context(), asked, AnswerOptions{Boundary: Apart}, func(i int, a Answer) error {
		if want := docs[i].Sum; math.Abs(a.Logprob-want) > 2e-6*math.Abs(want) {
			t.Errorf("document %s: %v, want %v", docs[i].ID, a.Logprob, want)
		}
		p.Add(docs[i].Text, a.Tokens, -a.Logprob)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := 5.718361150489388; math.Abs(p.BitsPerByte-want) > 2e-6*want {
		t.Errorf("%v bits per byte, want %v", p.BitsPerByte, want)
	}
}
