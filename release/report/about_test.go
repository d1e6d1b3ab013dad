package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadAboutErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key", "providr: A\n", "did you mean provider?"},
		{"an unknown kind", "sources: {web: {kind: crawl}}\n", `sources.web.kind is "crawl", want one of public, licensed, crawled, user, synthetic, other`},
		{"a misspelt name", "sources: {web: {descripton: x}}\n", "did you mean sources.web.description?"},
		{"British spelling", "model: {licence: MIT}\n", "did you mean model.license?"},
		{"a figure", "sources: {web: {documents: 5}}\n", "sources.web.documents cannot be stated: it is counted in the data"},
		{"the model's name", "model: {name: a/b}\n", "olmo release --name"},
		{"a list", "provider: [a, b]\n", "provider is a list, want a text or a mapping"},
		{"too deep", "model: {a: {b: c}}\n", "model.a is a mapping, want a text"},
		{"no mapping of sources", "sources: [web]\n", "sources"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "about.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := ReadAbout(file)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "about.yaml") {
				t.Errorf("error %v, want one with %q and the file's name", err, c.want)
			}
		})
	}
}

// TestAboutPapers: documents that the statements name become part of the release.
func TestAboutPapers(t *testing.T) {
	x := newExample(t)
	file := filepath.Join(t.TempDir(), "about.yaml")
	for name, text := range map[string]string{"about.yaml": "technical_report: texts/report.MD\n", "texts/report.MD": "# ours\n"} {
		path := filepath.Join(filepath.Dir(file), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if x.in.About, err = ReadAbout(file); err != nil {
		t.Fatal(err)
	}
	reports := x.write()
	if got := reports[technicalFile]; got != "# ours\n" {
		t.Errorf("the technical report is %q", got)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(file), "texts", "report.MD")); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(x.dir, x.in); err == nil || !strings.Contains(err.Error(), "technical_report") {
		t.Errorf("error %v, want one about technical_report", err)
	}
}
