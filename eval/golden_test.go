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
			questions, err := task.Questions(golden(t, "datasets"))
			if err != nil {
				t.Fatal(err)
			}
			questions = questions[:want.Docs]
			requests := readLines[goldenRequest](t, golden(t, "cases", "tiny", name+".jsonl.gz"))
			score := ChoiceScore{Questions: want.Docs}
			for n := range questions {
				q := &questions[n]
				var scored []Request
				for i := range q.Choices {
					if len(requests) == 0 {
						t.Fatalf("question %d, choice %d: the reference has no more requests", n, i)
					}
					g := requests[0]
					requests = requests[1:]
					r, sequence := request(tok, 0, 2048, q, i)
					// The reference counts the context before it is cut.
					prompt := len(r.IDs) - r.Length
					if g.Doc != n || g.Choice != i || q.Gold != g.Label || !slices.Equal(sequence.IDs, g.Query) || !slices.Equal(r.IDs[prompt:], g.Cont) ||
						r.Chars != g.Chars || r.Bytes != g.Bytes {
						t.Fatalf("question %d, choice %d of %q: label %d, ids %v, %d chars, %d bytes; want %+v", n, i, r.Context, q.Gold, r.IDs, r.Chars, r.Bytes, g)
					}
					if first := slices.IndexFunc(sequence.Targets, func(x int32) bool { return x >= 0 }); first != g.CtxLen-1 {
						t.Errorf("question %d, choice %d: the first target stands at %d, want %d", n, i, first, g.CtxLen-1)
					}
					r.Logprob = g.Logprob
					scored = append(scored, r)
				}
				score.add(scored, q.Gold)
			}
			if len(requests) > 0 {
				t.Errorf("%d requests of the reference are missing", len(requests))
			}
			score.finish()
			checkMetrics(t, task, &score, want)
		})
	}
}

func checkMetrics(t *testing.T, task *Task, s *ChoiceScore, want goldenSummary) {
	t.Helper()
	if string(task.Metric) != want.Type {
		t.Errorf("quoted with %s, want %s", task.Metric, want.Type)
	}
	perChar := want.Type == "len_norm"
	pick := func(raw, norm float64) float64 {
		if perChar {
			return norm
		}
		return raw
	}
	got := map[string]float64{
		"acc_v2": s.Accuracy, "ai2-olmo-0.6.0:acc": s.Accuracy,
		"len_norm_v2": s.LenNorm, "ai2-olmo-0.6.0:len_norm": s.LenNormV1,
		"ai2-olmo-0.6.0:f1": s.F1, "ai2-olmo-0.6.0:ce_loss": s.CrossEntropyV1,
		"ce_loss_v1": s.CrossEntropyV1, "ce_loss_v2": s.CrossEntropy, "bpb_v1": s.BPBV1, "bpb_v2": s.BPB,
		"soft_v2": pick(s.Soft, s.SoftLenNorm), "soft_log_v2": pick(s.SoftLog, s.SoftLogLenNorm),
	}
	compared := 0
	for name, raw := range want.Metrics {
		var w float64
		if json.Unmarshal(raw, &w) != nil {
			continue // a note
		}
		g, ok := got[name]
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
		ids := tok.AppendEncode([]int32{want.Prefix}, d.Text)
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
		s := DocumentScore{ID: d.ID, Bytes: len(d.Text), Chars: utf8.RuneCountInString(d.Text), Words: words(d.Text), Tokens: len(ids) - 1, Nats: -d.Sum}
		if s.Bytes != d.Bytes || s.Chars != d.Chars || s.Words != d.Words || s.Tokens != d.Tokens {
			t.Errorf("document %s: %+v, want %d bytes, %d characters, %d words, %d tokens", d.ID, s, d.Bytes, d.Chars, d.Words, d.Tokens)
		}
		total.Add(s)
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

// goldenScorer is the reference's model, its weights widened to float32.
func goldenScorer(t *testing.T, longest int) *lm.Scorer {
	t.Helper()
	m, err := lm.Open(golden(t, "cases", "tiny-olmo"), lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.Scorer(longest)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGoldenScores runs the first questions of every task through the reference's
// model.
func TestGoldenScores(t *testing.T) {
	tok := goldenTokenizer(t)
	s := goldenScorer(t, 2048)
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
		questions, err := task.Questions(golden(t, "datasets"))
		if err != nil {
			t.Fatal(err)
		}
		requests := readLines[goldenRequest](t, golden(t, "cases", "tiny", name+".jsonl.gz"))
		n := limit
		if len(requests[0].Query) > 150 { // with shots
			n = 1
		}
		_, err = Choose(t.Context(), s, tok, 2048, name, questions[:n], func(r Request) error {
			g := requests[0]
			requests = requests[1:]
			d := math.Abs(r.Logprob - g.Logprob)
			worst = max(worst, d/math.Abs(g.Logprob))
			// Both sum float32 log-probabilities; the reference's logits are another
			// order of the same sums.
			if d > 2e-6*math.Abs(g.Logprob)+1e-5 {
				t.Errorf("%s, document %d, choice %d: log-probability %v, want %v", name, g.Doc, g.Choice, r.Logprob, g.Logprob)
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
	tok := goldenTokenizer(t)
	s := goldenScorer(t, 512)
	docs := readLines[goldenPaloma](t, golden(t, "cases", "tiny-paloma.jsonl.gz"))
	texts := func(yield func(Text, error) bool) {
		for _, d := range docs {
			if !yield(Text{ID: d.ID, Text: d.Text}, nil) {
				return
			}
		}
	}
	i := 0
	p, err := BitsPerByte(t.Context(), s, tok, texts, BitsPerByteOptions{Window: 512, Prefix: 50279, Overlap: true}, func(d DocumentScore) error {
		if want := -docs[i].Sum; math.Abs(d.Nats-want) > 2e-6*want {
			t.Errorf("document %s: %v nats, want %v", d.ID, d.Nats, want)
		}
		i++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := 5.718361150489388; math.Abs(p.BitsPerByte-want) > 2e-6*want {
		t.Errorf("%v bits per byte, want %v", p.BitsPerByte, want)
	}
}
