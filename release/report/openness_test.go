package report

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// componentOf is a component of openness.json.
func componentOf(t *testing.T, o map[string]any, name string) map[string]any {
	t.Helper()
	for _, c := range o["components"].([]any) {
		if c := c.(map[string]any); c["name"] == name {
			return c
		}
	}
	t.Fatalf("there is no component %s", name)
	return nil
}

func TestOpenness(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(x *example)
		class   any // 1, 2, 3 or nil
		osaid   bool
		missing []string
	}{
		{"nothing stated", func(*example) {}, 2.0, false, []string{"research_paper"}},
		{"all stated", func(x *example) { x.about(fullAbout) }, 2.0, true, []string{"research_paper"}},
		{"closed terms", func(x *example) { x.about("model: {license: CC-BY-NC-4.0}") }, 2.0, false, []string{"research_paper"}},
		{"a paper", func(x *example) { withPaper(x) }, 1.0, false, nil},
		{"no data", func(x *example) { withPaper(x); x.without("data/tokens/") }, 2.0, false, []string{"datasets"}},
		{"no texts", func(x *example) { withPaper(x); x.without("data/documents/") }, 1.0, false, nil},
		{"no checkpoints", func(x *example) { withPaper(x); x.without("model/step10") }, 2.0, false, []string{"intermediate_parameters"}},
		{"no requests", func(x *example) { x.without("eval/quick/requests") }, 3.0, false, []string{"evaluation_data", "research_paper"}},
		{"no results", func(x *example) { x.without("eval/") }, nil, false, []string{"evaluation_data", "evaluation_results", "research_paper"}},
		{"no weights", func(x *example) { x.about(fullAbout); x.without("model/main/") }, nil, false, []string{"architecture", "parameters", "research_paper"}},
		{"no log", func(x *example) { x.without("train/metrics.jsonl") }, nil, false, []string{"research_paper", "technical_report"}},
		{"a paper and no log", func(x *example) { withPaper(x); x.without("train/metrics.jsonl") }, 1.0, false, []string{"technical_report"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExample(t)
			c.change(x)
			reports := x.write()
			got := x.object(reports, opennessFile)
			if got["mof_class"] != c.class || got["osaid"] != c.osaid {
				t.Errorf("class %v, osaid %v (%v); want %v, %v", got["mof_class"], got["osaid"], got["osaid_why"], c.class, c.osaid)
			}
			var missing []string
			for _, v := range got["components"].([]any) {
				v := v.(map[string]any)
				files := v["files"].([]any)
				if v["present"] != (len(files) > 0) || v["why"] == "" {
					t.Errorf("component %v", v)
				}
				if v["present"] == false {
					missing = append(missing, v["name"].(string))
				}
				for _, f := range files {
					_, ours := reports[f.(string)]
					if !ours && !slices.ContainsFunc(x.in.Files, func(x File) bool { return x.Path == f }) {
						t.Errorf("%v names %v, which is not in the release", v["name"], f)
					}
				}
			}
			slices.Sort(missing)
			if !slices.Equal(missing, c.missing) {
				t.Errorf("missing: %v, want %v", missing, c.missing)
			}
		})
	}
}

// withPaper gives the release a research paper.
func withPaper(x *example) {
	x.t.Helper()
	file := filepath.Join(x.t.TempDir(), "paper.pdf")
	if err := os.WriteFile(file, []byte("%PDF"), 0o644); err != nil {
		x.t.Fatal(err)
	}
	x.about("research_paper: " + file)
}
