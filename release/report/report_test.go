package report

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/page/pagetest"
)

// TestSameBytes: reports are a function of the release and the statements, of no clock and no place.
func TestSameBytes(t *testing.T) {
	var first map[string]string
	for range 3 {
		x := newExample(t)
		x.about(fullAbout)
		x.in.Date = day
		reports := x.write()
		for path, text := range reports {
			for _, word := range []string{x.dir, os.TempDir()} {
				if strings.Contains(text, word) {
					t.Errorf("%s has a path of this machine: %s", path, word)
				}
			}
		}
		if first == nil {
			first = reports
		} else if diff := cmp.Diff(first, reports); diff != "" {
			t.Fatalf("made again, the reports are others:\n%s", diff)
		}
	}
	if first[modelCardFile] != first[readmeFile] {
		t.Error("model-card.md is not the README of model/main")
	}
}

func TestModelCard(t *testing.T) {
	x := newExample(t)
	x.about(fullAbout)
	x.in.Date = day
	card := x.write()[modelCardFile]
	want := `---
library_name: transformers
pipeline_tag: text-generation
license: apache-2.0
language:
- en
- de
datasets:
- lab/wiki
tags:
- olmo
- olmo2
model-index:
- name: tiny
  results:
  - task:
      type: text-generation
    dataset:
      name: "arc_easy"
      type: "arc_easy"
    metrics:
    - type: acc
      value: 0.5
      name: "acc, 5-shot"
  - task:
      type: text-generation
    dataset:
      name: held
      type: held
    metrics:
    - type: "bits_per_byte"
      value: 1.25
      name: "bits_per_byte"
---
`
	head, _, _ := strings.Cut(card, "\n# ")
	if diff := cmp.Diff(want, head); diff != "" {
		t.Errorf("front matter (- want, + got):\n%s", diff)
	}
	for _, want := range []string{
		"# tiny\n", "17 parameters (Olmo2ForCausalLM), trained for 40 steps on 40,000 tokens", "| arc_easy | acc, 5-shot | 0.5 | 100 | 0.01 |",
		"Loss, mean of the last 20 steps: 19.5 nats a token", "Intended use: to be studied", "Limits: not stated", "This card is of 2026-11-30.", "olmo verify .",
		"| step10-tokens0B | model/step10-tokens0B | 10 |",
	} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q", want)
		}
	}
}

// TestForeignWords: what documents and people say is text, not markup.
func TestForeignWords(t *testing.T) {
	x := newExample(t)
	docs := exampleDocuments()
	docs[0].source = "a|b <script>alert(1)</script>\n# head\x1b[2J"
	docs[1].license = "[free](https://evil.example)"
	x.documents(docs)
	x.about("provider: '<b>Lab</b>'\n")
	reports := x.write()
	if strings.Contains(reports[trainingHTMLFile], "<script>") || strings.Contains(reports[trainingHTMLFile], "<b>Lab") {
		t.Error("the page has markup of a document")
	}
	for _, path := range []string{modelCardFile, dataCardFile, trainingMDFile} {
		for _, bad := range []string{"<script>", "\n# head", "\x1b", "free](https://evil", "<b>"} {
			if strings.Contains(reports[path], bad) {
				t.Errorf("%s contains %q as it came", path, bad)
			}
		}
	}
	if got := x.object(reports, trainingJSONFile)["provider"]; got != "<b>Lab</b>" {
		t.Errorf("the provider is %q in JSON", got)
	}
}

func TestTechnicalReport(t *testing.T) {
	x := newExample(t)
	x.put("train/recipe-20.json", `{"seed":1}`)
	text := x.write()[technicalFile]
	for _, want := range []string{
		"| optimizer.betas | 0.9, 0.95 |", "| model.d_model | 8 |", "| seed | 6198 |", "| 1 | 49 | 0.001 | 0.5 |", "| 40 | 10 | 0.001 | 0.5 |",
		"other settings from the steps on that are in the names of train/recipe-20.json", "olmo 0.1.0 (abc), go1.26.0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// TestReadQuickstart: what a quickstart folder says of curation, language and figures.
func TestReadQuickstart(t *testing.T) {
	x := newExample(t)
	x.without("eval/quick/results.json")
	x.put("eval/heldout.jsonl", "{}\n")
	dir := t.TempDir()
	report := `{"bits_per_byte":2.5,"held_out_documents":301,"corpus":{"language":"de","languages":[{"code":"de","share":0.9}]},
		"funnel":[{"stage":"corpus","documents":9,"bytes":90,"left":true},{"stage":"filter","reason":"too short","documents":2,"bytes":7},{"stage":"filter","reason":"unused","documents":0,"bytes":0}],
		"multiple_choice":[{"task":"ARC","questions":5,"accuracy":0.25,"metric":"acc","requests":"eval/gone.jsonl"}],"other":1}`
	if err := os.WriteFile(dir+"/report.json", []byte(report), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := x.in.ReadQuickstart(dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Removal{{"too short", 2, 7}}, x.in.Removed); diff != "" {
		t.Error(diff)
	}
	x.documents([]doc{{id: "a", text: "abc", source: "s", tokens: 3}}) // which names no language
	reports := x.write()
	got := x.object(reports, trainingJSONFile)
	if diff := cmp.Diff([]any{map[string]any{"language": "de", "documents": nil, "bytes": nil, "share": 0.9, "measured": true}}, got["languages"]); diff != "" {
		t.Error(diff)
	}
	card := reports[modelCardFile]
	if !strings.Contains(card, "| held-out text | bits_per_byte | 2.5 | 301 |") || !strings.Contains(card, "language:\n- de\n") {
		t.Errorf("the card lacks figures or language:\n%s", card)
	}
	if strings.Contains(card, "ARC") {
		t.Error("the card has a figure whose requests are not in the release")
	}
	if err := x.in.ReadQuickstart(t.TempDir()); err == nil || !strings.Contains(err.Error(), "report.json") {
		t.Errorf("of a folder without report: %v", err)
	}
}

func TestMaterials(t *testing.T) {
	x := newExample(t)
	x.about(fullAbout)
	x.in.Date = day
	got := x.object(x.write(), materialsFile)
	if got["bomFormat"] != "CycloneDX" || got["specVersion"] != "1.6" {
		t.Errorf("it is %v %v", got["bomFormat"], got["specVersion"])
	}
	model := got["metadata"].(map[string]any)["component"].(map[string]any)
	if model["type"] != "machine-learning-model" || model["name"] != "lab/tiny" {
		t.Errorf("the component is a %v named %v", model["type"], model["name"])
	}
	refs := []string{model["bom-ref"].(string)}
	var names []string
	for _, c := range append(got["components"].([]any), model["components"].([]any)...) {
		c := c.(map[string]any)
		refs, names = append(refs, c["bom-ref"].(string)), append(names, c["type"].(string)+" "+c["name"].(string))
	}
	want := []string{"data training data of lab/tiny", "application olmo", "library example.org/a", "file model/main/config.json", "file model/main/model.safetensors"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(refs))); len(sorted) != len(refs) {
		t.Errorf("a bom-ref stands twice: %v", refs)
	}
	for _, d := range got["dependencies"].([]any) {
		for _, on := range append([]any{d.(map[string]any)["ref"]}, asList(d.(map[string]any)["dependsOn"])...) {
			if !slices.Contains(refs, on.(string)) {
				t.Errorf("a dependency names %v, which is no component", on)
			}
		}
	}
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

func TestCroissant(t *testing.T) {
	x := newExample(t)
	got := x.object(x.write(), croissantFile)
	files := map[string]string{}
	for _, d := range got["distribution"].([]any) {
		d := d.(map[string]any)
		files[d["@id"].(string)] = d["sha256"].(string)
	}
	want := map[string]string{}
	for _, f := range x.in.Files {
		if strings.HasPrefix(f.Path, "data/") {
			want[f.Path] = f.SHA256.String()
		}
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
}

func TestWriteErrors(t *testing.T) {
	for _, c := range []struct {
		name, path, text, want string
	}{
		{"the manifest's lines", "data/manifest.jsonl.gz", "{\"start\":0,\n", "manifest.jsonl.gz, line 1"},
		{"documents", "data/documents/a.jsonl.gz", "noise", "a.jsonl.gz"},
		{"the config", "model/main/config.json", "[", "config.json"},
		{"the recipe", "train/recipe.json", "[]", "recipe.json"},
		{"results", "eval/quick/results.json", "{", "results.json"},
		{"weights", "model/main/model.safetensors", "noise", "model.safetensors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExample(t)
			x.put(c.path, c.text)
			x.list()
			if _, err := Write(x.dir, x.in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if _, err := os.Stat(x.dir + "/report"); err == nil {
				t.Error("some reports were written")
			}
		})
	}
}

// TestTrainingContentLook looks at the page in a browser.
func TestTrainingContentLook(t *testing.T) {
	x := newExample(t)
	x.about(fullAbout)
	pagetest.LookAt(t, "training-content", bytes.Clone([]byte(x.write()[trainingHTMLFile])))
}
