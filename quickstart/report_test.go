package quickstart

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"olmo/page/pagetest"
)

func ptr[T any](x T) *T { return &x }

func exampleReward(reward, gsm8k, matcher, f1 float64) ChatReward {
	return ChatReward{Reward: reward, Samples: 1200, Prompts: 300, Verifiers: map[string]float64{"gsm8k": gsm8k, "string_matcher": matcher, "string_f1": f1}}
}

// exampleReport is a report with everything in it.
func exampleReport() *Report {
	r := &Report{
		BitsPerByte: 1.4712, TokensPerSecond: 13254.2, Parameters: 4264192, Tokens: 2873344, WeightsDigest: strings.Repeat("0f", 32), ReleaseDigest: strings.Repeat("5a", 32),
		Steps: 1403, FinalLoss: 3.1415, FLOPs: 7.31e13, PeakFLOPsASecond: ptr(6.1e11), MFU: ptr(0.4273), EnergyJoules: ptr(9321.0),
		EnergyMethod: "2 cores at 15 W", TrainingSeconds: 231.4, TotalSeconds: 301.2, PeakMemoryBytes: 812_345_678, HeldOutTokens: 204_111, HeldOutDocuments: 260, HeldOutBytes: 734_177,
		OtherDomain: &OtherDomain{"Newton's Opticks", 567198, 2.613},
		Version:     "0.1.0",
		Machine:     Machine{"AMD EPYC 9R14", "avx512bf16", 2, "linux", "amd64", "go1.26.8"},
		Corpus: CorpusInfo{
			Name: "go1.26.8 doc comments", Licence: "BSD-3-Clause",
			Train:   SplitInfo{Documents: 3066, Bytes: 9872756, SHA256: "aa", Files: []string{"documents/go-00.jsonl.zst"}},
			Tuning:  SplitInfo{Documents: 188, Bytes: 729403},
			HeldOut: SplitInfo{Documents: 260, Bytes: 734177},
		},
		Funnel: []FunnelRow{
			{"read", "all documents", 3066, 9872756, true},
			{"tag", "Gopher: fewer than 50 words", 612, 98321, false},
			{"tag", "C4: lorem ipsum", 0, 0, false},
			{"dedupe", "paragraph seen before", 41, 1203311, false},
			{"mix", "left to train on", 2413, 8571124, true},
		},
		Settings: []Setting{{"Model", "OLMo 2, 4 layers, width 256, 4 heads, context 256"}, {"Tokenizer", "byte-level BPE, 4,096 entries, 3.51 bytes a token"}, {"Optimiser", "AdamW, batch 4,096 tokens"}},
		Choices:  []ChoiceResult{{"ARC-Easy, validation", 570, 0.2895, 0.2502, "log-likelihood a byte", "run/eval/arc_easy.jsonl"}},
		Samples: []Sample{
			{500, "Package ", "of the the", "greedy"},
			{1403, "Package http ", "implements <b>clients</b> & servers.\n\tfor x | y", "greedy"},
			{1403, "The function returns ", "an error if ```code```", "temperature 0.8, top-p 0.95"},
		},
		Chat: &Chat{
			Base: exampleReward(0.007, 0.017, 0, 0.04), SFT: exampleReward(0.31, 0.24, 0.29, 0.35), DPO: exampleReward(0.52, 0.5, 0.6, 0.36), GRPO: exampleReward(0.5, 0.48, 0.57, 0.33),
			BitsPerByteBefore: 1.4712, BitsPerByte: 1.4931,
			Dialogues: []Dialogue{{"What does fmt.Println do?", "Println <prints> its operands."}, {"Reverse the list: a, b", "<answer>b, a</answer>"}},
			Remarks:   []string{"The reward of GRPO fell: 0.500 after 0.520 of DPO."},
		},
		Stages: []StageTime{{"corpus", 2.1}, {"curation", 5.2}, {"tokenizer", 8.3}, {"training", 231.4}, {"evaluation", 40.1}},
		Files: []Artefact{
			{"release/model.safetensors", "weights", 17_056_768, strings.Repeat("ab", 32)},
			{"release/tokenizer.json", "tokenizer", 181_233, strings.Repeat("cd", 32)},
		},
		Commands: []Command{{"Tokenizer", "olmo tokenizer train --input 'data/documents/*.jsonl.zst' --vocab-size 4096 --output t.json"}, {"Training", "olmo train run/config.yaml"}},
		Next:     []Command{{"Let it go on with a text", "olmo generate --model 'my model' 'Package http'"}, {"Watch how it learned", "olmo dashboard 'my model'"}},
		Remarks:  []string{"xz -9e predicts this text better than the model. It was trained for only 20 steps: olmo quickstart --steps 600 goes on from here."},
		Notices:  []string{"ARC-Easy: Clark et al. 2018, CC BY-SA 4.0.", "One thing.\nAnother."},
	}
	for i := range 1403 {
		x := float64(i) / 1402
		r.Curve = append(r.Curve, CurvePoint{i + 1, 3 + 5.3*math.Exp(-7*x) + 0.15*math.Sin(float64(i*i)), 0.02 * min(float64(i+1)/40, 1, 2.5*(1-x))})
	}
	for i := range 20 {
		x := float64(i+1) / 20
		r.HeldOutCurve = append(r.HeldOutCurve, LossPoint{int(1403 * x), 3.2 + 5.1*math.Exp(-7*x)})
	}
	r.SetCompressors([]Compressed{{"gzip -9", ptr(2.4667), ptr(2.4667)}, {"xz -9e", nil, ptr(2.1021)}, {"zstd -19", nil, nil}})
	return r
}

func TestReportFiles(t *testing.T) {
	dir := t.TempDir()
	if err := exampleReport().Write(dir); err != nil {
		t.Fatal(err)
	}
	if keep := os.Getenv("OLMO_REPORT"); keep != "" {
		if err := exampleReport().Write(keep); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d files, %v, want 3", len(entries), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"bits_per_byte": 1.4712, "gzip_bits_per_byte": 2.4667, "xz_bits_per_byte": nil, "zstd_bits_per_byte": nil,
		"tokens_per_second": 13254.2, "parameters": 4264192.0, "tokens": 2873344.0, "weights_digest": strings.Repeat("0f", 32), "release_weights_digest": strings.Repeat("5a", 32),
	}
	for key, value := range want {
		if v, ok := got[key]; !ok || v != value {
			t.Errorf("report.json: %s is %v (present: %v), want %v", key, v, ok, value)
		}
	}
	// The page of what curation removed is listed where it is, and the card names it.
	if err := os.WriteFile(filepath.Join(dir, funnelPage), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	with := exampleReport()
	if err := with.Write(dir); err != nil {
		t.Fatal(err)
	}
	card, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || !bytes.Contains(card, []byte(`<a href="funnel.html">`)) || len(with.Pages) != 3 || with.Pages[0].Path != funnelPage {
		t.Errorf("of the funnel's page: pages %v, %v", with.Pages, err)
	}
	if err := exampleReport().Write(filepath.Join(dir, "report.json")); err == nil {
		t.Error("no error for a folder that is a file")
	}
}

// TestReportMarkdown compares with testdata/report.md; -update rewrites it.
func TestReportMarkdown(t *testing.T) {
	got := exampleReport().markdown()
	golden := filepath.Join("testdata", "report.md")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestReportPage wants a page that is well formed, needs nothing from outside,
// runs no script, and shows what a model wrote as text.
func TestReportPage(t *testing.T) {
	for name, r := range map[string]*Report{"full": exampleReport(), "empty": {}} {
		page, err := r.html()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if bytes.Contains(page, []byte("ZgotmplZ")) {
			t.Errorf("%s: the template refused a value", name)
		}
		var open []string
		z := html.NewTokenizer(bytes.NewReader(page))
		for {
			kind := z.Next()
			if kind == html.ErrorToken {
				if !errors.Is(z.Err(), io.EOF) {
					t.Fatal(z.Err())
				}
				break
			}
			token := z.Token()
			for _, a := range token.Attr {
				if strings.Contains(a.Val, "//") || a.Key == "src" || a.Key == "href" && a.Val != funnelPage || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s> has %s=%q", name, token.Data, a.Key, a.Val)
				}
			}
			switch kind {
			case html.StartTagToken:
				if token.Data == "script" || token.Data == "link" {
					t.Errorf("%s: there is a <%s>", name, token.Data)
				}
				if token.Data != "meta" {
					open = append(open, token.Data)
				}
			case html.EndTagToken:
				if len(open) == 0 || open[len(open)-1] != token.Data {
					t.Fatalf("%s: </%s> closes %v", name, token.Data, open)
				}
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Errorf("%s: %v stay open", name, open)
		}
	}
	page, err := exampleReport().html()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"implements &lt;b&gt;clients&lt;/b&gt; &amp; servers.", "1.471", "2.467", "xz -9e: recorded elsewhere", "zstd -19: not installed here",
		"4.26 M", "42.7 % of peak", "7.31 × 10¹³ FLOPs", "28.9 %", "width:12.19%", "olmo train run/config.yaml",
		"<b>0.310</b>", "Println &lt;prints&gt; its operands.", "rose from 1.471 to 1.493", "The reward of GRPO fell",
		"held-out text", "xz -9e predicts this text better than the model", "olmo dashboard &#39;my model&#39;",
	} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{inWords(0), "0"},
		{inWords(999), "999"},
		{inWords(4264192), "4.26 M"},
		{inWords(13254.2), "13.3 k"},
		{inWords(999.7e6), "1.00 G"},
		{inWords(0.5), "0.50"},
		{scientific(7.31e13), "7.31 × 10¹³"},
		{scientific(9.999e9), "1.00 × 10¹⁰"},
		{scientific(0), "0.00 × 10⁰"},
		{duration(0.04), "0.0 s"},
		{duration(59.6), "1 min 0 s"},
		{duration(301.2), "5 min 1 s"},
		{duration(7322), "2 h 2 min"},
		{bytesInWords(812), "812 B"},
		{bytesInWords(17_056_768), "17.1 MB"},
		{energy(9321), "9.32 kJ, 2.59 Wh"},
		{blankLines().ReplaceAllString("a\n\nb\n \n\n\n c", "\n⋮\n"), "a\n\nb\n⋮\n c"},
		{sparkline([]float64{3, 2, 1}), "█▄▁"},
		{sparkline([]float64{1}), "▁"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	points := []CurvePoint{{Loss: 4}, {Loss: 2}}
	if got := smoothed(points); got[0] != 4 || got[1] != 2 {
		t.Errorf("smoothed = %v", got)
	}
}

func ExampleReport_Write() {
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	report := Report{BitsPerByte: 1.47, Parameters: 4264192}
	if err := report.Write(dir); err != nil {
		panic(err)
	}
	// Output:
}

// TestReportLook looks at the page in a browser.
func TestReportLook(t *testing.T) {
	text, err := exampleReport().html()
	if err != nil {
		t.Fatal(err)
	}
	pagetest.LookAt(t, "report", text)
}
