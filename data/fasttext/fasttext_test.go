package fasttext_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"olmo/data/fasttext"
)

// TestPredictions compares every probability with fastText 0.9.2's, for each
// loss, with and without word and character n-grams, dense and quantised;
// testdata/make.py made models and predictions.
func TestPredictions(t *testing.T) {
	text, err := os.ReadFile("testdata/predictions.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Model, Text string
		Labels      []string
		Scores      []float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	models := map[string]*fasttext.Model{}
	worst := 0.0
	for _, c := range cases {
		m := models[c.Model]
		if m == nil {
			if m, err = fasttext.Load(filepath.Join("testdata", c.Model)); err != nil {
				t.Fatal(err)
			}
			models[c.Model] = m
		}
		got := m.Predict(nil, c.Text, -1, 0)
		if len(got) != len(c.Labels) {
			t.Errorf("%s: Predict(%q) = %v, want %v %v", c.Model, c.Text, got, c.Labels, c.Scores)
			continue
		}
		want := map[string]float64{}
		for i, l := range c.Labels {
			want[l] = c.Scores[i]
		}
		for i, p := range got {
			d := math.Abs(float64(p.Score) - want[p.Label])
			worst = max(worst, d)
			// float32 sums in another order or with fused products differ in
			// the last places.
			if d > 1e-6 {
				t.Errorf("%s: Predict(%q)[%d] = %v, want %v", c.Model, c.Text, i, p, want[p.Label])
			}
		}
	}
	t.Logf("%d predictions, largest difference %g", len(cases), worst)
}

func TestPredictBest(t *testing.T) {
	m, err := fasttext.Load("testdata/softmax.bin")
	if err != nil {
		t.Fatal(err)
	}
	all := m.Predict(nil, "das haus", -1, 0)
	if got := m.Predict(nil, "das haus", 2, 0); len(got) != 2 || got[0] != all[0] || got[1] != all[1] {
		t.Errorf("two best = %v, of %v", got, all)
	}
	if got := m.Predict(nil, "das haus", -1, 0.5); len(got) != 1 || got[0].Label != "de" {
		t.Errorf("above one half = %v", got)
	}
	if got := m.Predict(nil, "das haus", 0, 0); len(got) != 0 {
		t.Errorf("none = %v", got)
	}
	if len(m.Labels()) != 4 {
		t.Errorf("labels = %v", m.Labels())
	}
}

func TestDamaged(t *testing.T) {
	for _, name := range []string{"softmax.bin", "hs.ftz"} {
		whole, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 3, 9, 40, 100, len(whole) / 2, len(whole) - 1} {
			if _, err := fasttext.Read(bytes.NewReader(whole[:n])); err == nil {
				t.Errorf("%s cut to %d bytes was read", name, n)
			}
		}
	}
	if _, err := fasttext.Read(bytes.NewReader([]byte("not a model at all"))); !errors.Is(err, fasttext.ErrFormat) {
		t.Errorf("error = %v, want ErrFormat", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"softmax.bin", "words.bin", "hs.ftz"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := fasttext.Read(bytes.NewReader(b))
		if err == nil {
			m.Predict(nil, "the haus дом __label__en", -1, 0)
		}
	})
}

func BenchmarkPredict(b *testing.B) {
	m, err := fasttext.Load(filepath.Join(os.Getenv("OLMO_MODELS"), "lid.176.ftz"))
	if err != nil {
		b.Skip("OLMO_MODELS has no lid.176.ftz")
	}
	text, err := os.ReadFile("fasttext.go")
	if err != nil {
		b.Fatal(err)
	}
	text = bytes.ReplaceAll(text[:4000], []byte("\n"), []byte(" "))
	b.SetBytes(int64(len(text)))
	var dst []fasttext.Prediction
	for b.Loop() {
		dst = m.Predict(dst[:0], string(text), -1, 0)
	}
}

func ExampleModel_Predict() {
	m, err := fasttext.Load("testdata/softmax.bin")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range m.Predict(nil, "la rivière verte", 1, 0) {
		fmt.Printf("%s %.1f\n", p.Label, p.Score)
	}
	// Output: fr 1.0
}
