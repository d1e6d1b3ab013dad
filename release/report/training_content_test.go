package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTrainingContent(t *testing.T) {
	x := newExample(t)
	x.about(fullAbout)
	reports := x.write()
	got := x.object(reports, trainingJSONFile)
	for _, c := range []struct {
		member string
		want   any
	}{
		{"provider", map[string]any{"name": "Example Lab", "contact": "lab@example.org", "representative": "none needed"}},
		{"tokens", 163.0},
		{"documents", 14.0},
		{"bytes", 1000.0},
		{"text_size", "less than 1 billion tokens"},
		{"first", "2023-12-31"},
		{"last", "2024-03-12"},
		{"reservation_of_rights", "robots.txt was honoured."},
		{"filters", []any{map[string]any{"rule": "copy of another document", "documents": 3.0, "bytes": 512.0}, map[string]any{"rule": "fewer than 12 words", "documents": 1.0, "bytes": 20.0}}},
		// A tenth of twelve domains is two.
		{"domains", []any{map[string]any{"domain": "site1.co.uk", "bytes": 110.0, "documents": 1.0}, map[string]any{"domain": "site0.co.uk", "bytes": 100.0, "documents": 1.0}}},
		{"unstated", []any{"sources.name"}},
	} {
		if diff := cmp.Diff(c.want, got[c.member]); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", c.member, diff)
		}
	}
	sources := got["sources"].([]any)
	want := []map[string]any{
		{"name": "web", "kind": "crawled", "documents": 12.0, "bytes": 800.0, "share": 0.8, "large": true, "first": "2024-03-01", "last": "2024-03-12"},
		{"name": "wiki", "kind": "public", "documents": 1.0, "bytes": 190.0, "share": 0.19, "large": true, "url": "https://huggingface.co/datasets/lab/wiki"},
		{"name": nil, "kind": nil, "documents": 1.0, "bytes": 10.0, "share": 0.01, "large": false, "first": nil},
	}
	if len(sources) != len(want) {
		t.Fatalf("there are %d sources, want %d", len(sources), len(want))
	}
	for i, w := range want {
		for member, v := range w {
			if diff := cmp.Diff(v, sources[i].(map[string]any)[member]); diff != "" {
				t.Errorf("source %d, %s:\n%s", i, member, diff)
			}
		}
	}
	for _, file := range []string{trainingMDFile, trainingHTMLFile} {
		for _, want := range []string{"Example Lab", "examplebot/1.0, honours robots.txt", "site1.co.uk", "80.0 %", "de (19.0 %)", "robots.txt was honoured.", "2.3 Data crawled"} {
			if !strings.Contains(reports[file], want) {
				t.Errorf("%s lacks %q", file, want)
			}
		}
	}
}

// TestUnstated: what nobody said is null, named, and never made up.
func TestUnstated(t *testing.T) {
	x := newExample(t)
	reports := x.write()
	got := x.object(reports, trainingJSONFile)
	for _, name := range []string{"provider", "reservation_of_rights", "illegal_content"} {
		if got[name] != nil {
			t.Errorf("%s is %v, though nobody said", name, got[name])
		}
	}
	want := []any{
		"illegal_content", "model.based_on", "model.license", "model.released", "provider", "reservation_of_rights", "sources.name", "sources.web.kind", "sources.wiki.kind",
	}
	if diff := cmp.Diff(want, got["unstated"]); diff != "" {
		t.Errorf("unstated (- want, + got):\n%s", diff)
	}
	if n := len(got["domains"].([]any)); n != 0 {
		t.Errorf("%d domains, though no source was stated to be crawled", n)
	}
	for _, file := range []string{trainingMDFile, trainingHTMLFile, modelCardFile, dataCardFile} {
		if !strings.Contains(reports[file], notStated) {
			t.Errorf("%s does not say %q", file, notStated)
		}
	}
	if card := reports[modelCardFile]; strings.Contains(card, "\nlicense") || strings.Contains(card, "\ndatasets") {
		t.Errorf("the model card makes up a licence or data sets:\n%s", card[:300])
	}
}

// TestWithoutTexts: where a text is not there its bytes are not known, and nothing is said of shares.
func TestWithoutTexts(t *testing.T) {
	x := newExample(t)
	x.without("data/documents/")
	got := x.object(x.write(), trainingJSONFile)
	if got["bytes"] != nil || got["documents"] != 14.0 || got["tokens"] != 163.0 {
		t.Errorf("bytes %v, documents %v, tokens %v", got["bytes"], got["documents"], got["tokens"])
	}
	if s := got["sources"].([]any)[0].(map[string]any); s["share"] != nil || s["large"] != nil || s["bytes"] != nil || s["name"] != "web" {
		t.Errorf("a source: %v", s)
	}
}

// TestTextsElsewhere: figures are of all that the model was trained on, also where the release
// has not got it.
func TestTextsElsewhere(t *testing.T) {
	whole := newExample(t)
	want := whole.write()[trainingJSONFile]
	x := newExample(t)
	other := newExample(t)
	x.in.Manifest, x.in.Documents = other.dir+"/data/manifest.jsonl.gz", []string{other.dir + "/data/documents/a.jsonl"}
	x.without("data/")
	reports := x.write()
	if diff := cmp.Diff(want, reports[trainingJSONFile]); diff != "" {
		t.Errorf("other figures:\n%s", diff)
	}
	if c := componentOf(t, x.object(reports, opennessFile), "datasets"); c["present"] != false {
		t.Errorf("datasets count although the release has none: %v", c)
	}
}

func TestTextSize(t *testing.T) {
	for _, c := range []struct {
		tokens int64
		want   string
	}{
		{0, "less than 1 billion tokens"},
		{999_999_999, "less than 1 billion tokens"},
		{1_000_000_000, "1 billion to 10 trillion tokens"},
		{10_000_000_000_000, "1 billion to 10 trillion tokens"},
		{10_000_000_000_001, "more than 10 trillion tokens"},
	} {
		if got := textSize(c.tokens); got != c.want {
			t.Errorf("textSize(%d) = %q, want %q", c.tokens, got, c.want)
		}
	}
}

func TestDomainOf(t *testing.T) {
	for _, c := range []struct{ address, want string }{
		{"https://www.Example.co.uk:8443/a?b#c", "example.co.uk"},
		{"http://user:secret@a.b.example.org/", "example.org"},
		{"example.org/page", "example.org"}, // as data/warc writes addresses
		{"https://name.github.io/x", "name.github.io"},
		{"http://192.0.2.7/x", "192.0.2.7"},
		{"http://[2001:db8::1]:80/x", "2001:db8::1"},
		{"http://localhost/x", "localhost"},
		{"", ""},
		{"://", ""},
		{"http://%zz/", ""},
	} {
		if got := domainOf(c.address); got != c.want {
			t.Errorf("domainOf(%q) = %q, want %q", c.address, got, c.want)
		}
	}
}

func TestDayOf(t *testing.T) {
	for _, c := range []struct{ created, want string }{
		{"2024-03-01T10:00:00.000Z", "2024-03-01"}, {"2024-03-01", "2024-03-01"}, {"2024-02-30", ""}, {"March 2024 or so", ""}, {"", ""}, {"2024", ""},
	} {
		if got := dayOf(c.created); got != c.want {
			t.Errorf("dayOf(%q) = %q, want %q", c.created, got, c.want)
		}
	}
}
