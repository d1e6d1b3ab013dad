package eval

import (
	"encoding/json"
	"math"
	"testing"

	"olmo/eval/stats"
)

// TestStdErr: a formula where there is one, else the bootstrap, both for documents that share a
// cluster too.
func TestStdErr(t *testing.T) {
	values := []any{}
	var numbers []float64
	var clusters, own []string
	for i := range 60 {
		x := float64(i * 7 % 5) // clusters of three, alike within
		if i%3 > 0 {
			x = numbers[i-1]
		}
		values, numbers = append(values, x), append(numbers, x)
		clusters, own = append(clusters, string(rune('a'+i/3))), append(own, string(rune('a'+i)))
	}
	other := Aggregation{Name: "other", Of: Mean.Of}
	mean, within := stats.StdErr(numbers), stats.ClusteredStdErr(numbers, clusters)
	if within < 1.6*mean {
		t.Fatalf("the clusters do not matter: %g, %g", mean, within)
	}
	for name, c := range map[string]struct {
		a         Aggregation
		clusters  []string
		want, tol float64
	}{
		"formula":                  {Mean, nil, mean, 1e-12},
		"formula, clusters":        {Mean, clusters, within, 1e-12},
		"formula, clusters of one": {Mean, own, mean, 1e-12},
		// 1,000 resamples are within 7 %; their variance is that of n, not n − 1.
		"bootstrap":           {other, nil, mean, 0.1},
		"bootstrap, clusters": {other, clusters, within, 0.1},
		"none":                {Aggregation{Of: Mean.Of, Resamples: -1}, nil, math.NaN(), 0},
	} {
		got := c.a.stdErr(values, c.clusters)
		if again := c.a.stdErr(values, c.clusters); again != got && got == got {
			t.Errorf("%s: %g, then %g", name, got, again)
		}
		if !(math.Abs(got-c.want) <= c.tol*c.want) && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%s: %g, want %g", name, got, c.want)
		}
	}
}

// TestHash has the doc_hash that lm-eval 0.4.13 logs for this row.
func TestHash(t *testing.T) {
	d := Document{Row: json.RawMessage(`{"question":"Wer?","choices":{"text":["é","b"],"label":["A","B"]},"x":1.50,"none":null}`)}
	if got, want := d.Hash(), "f4380fafae2ea60cb4dcec1f012b8ce33782e05ea9daed8fd15ffb7601490432"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
	if same := (&Document{Row: json.RawMessage(` {"question": "Wer?", "choices": {"text": ["\u00e9", "b"], "label": ["A", "B"]}, "x": 1.5, "none": null}`)}).Hash(); same != d.Hash() {
		t.Error("white space and escapes change the hash")
	}
	if err := d.clustered("question"); err != nil || d.cluster != `"Wer?"` {
		t.Errorf("cluster %q (%v)", d.cluster, err)
	}
	if err := d.clustered("passage"); err == nil {
		t.Error("a row without the field has a cluster")
	}
}
