package tagger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/tagger"
)

// tag runs one tagger on one document and writes its spans as text.
func tag(t *testing.T, name string, doc data.Document, o tagger.Options) string {
	t.Helper()
	tg, err := tagger.Get(name, o)
	if err != nil {
		t.Fatal(err)
	}
	var text tagger.Text
	var out tagger.Spans
	text.Reset(&doc)
	if err := tg.Tag(&text, &out); err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	for _, kind := range out.Types() {
		for _, s := range out.Of(kind) {
			fmt.Fprintf(&b, "%s[%d,%d]%.3g ", kind, s.Start, s.End, s.Score)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestTaggers(t *testing.T) {
	html := func(s string) data.Document {
		return data.Document{Text: "text", Metadata: []byte(`{"html":` + string(data.AppendString(nil, s)) + `}`)}
	}
	text := func(s string) data.Document { return data.Document{ID: "x", Text: s} }
	models := t.TempDir()
	for _, name := range []string{
		"openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin", "jigsaw_fasttext_bigrams_nsfw_final.bin", "code-comment-prose-model.bin",
		"cc_wiki_wikiref_sw_pes2o_adult_fakenews_math_books_openhermes.bin",
	} {
		// A model of four languages stands for the real ones.
		b, err := os.ReadFile("../fasttext/testdata/softmax.bin")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(models, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		tagger string
		doc    data.Document
		dolma  bool
		want   string
	}{
		{
			"cc_re", html(`<a href="https://creativecommons.org/licenses/by-sa/4.0/deed.en">x</a> <a href="http://creativecommons.org/publicdomain/zero/1.0/">`), false,
			"cc_by-sa_4.0_en[0,4]1 cc_publicdomain/zero_1.0[0,4]0.75",
		},
		{"cc_re", html("no licence"), false, ""},
		{"cc_re", text("no metadata"), false, "error: metadata has no html, which this tagger reads"},
		{"cc_re_fast", html(`see http://creativecommons.org/licenses/by-nc/ and https://creativecommons.org/licenses/by>`), false, "cc_by-nc[0,4]1 cc_by[0,4]0.75"},
		{"code_copyright_comments_v1", text("# a\n\n# é\nx"), false, "comment_block[0,9]1 doc[0,10]0.9"},
		{"code_copyright_comments_v1", text("# a\n\n# é\nx"), true, "comment_block[0,7]1 doc[0,10]0.8"},
		{"code_copyright_comments_v1", text("é/* COPYRIGHT */"), false, "copyright_notice[1,16]1 doc[0,16]0.938"},
		{"code_copyright_comments_v1", text("x /* other */"), false, "doc[0,13]0"},
		{"code_redpajama_taggers_v1", text("ab1\r\nc\n\nd²"), false, "max_line_length_doc[0,10]3 avg_line_length_doc[0,10]1.5 alnum_prop_doc[0,10]0.6 alpha_token_prop_doc[0,10]0.8"},
		{"code_redpajama_taggers_v1", text("a\r\n\nbc"), false, "max_line_length_doc[0,6]2 avg_line_length_doc[0,6]1 alnum_prop_doc[0,6]0.5 alpha_token_prop_doc[0,6]1"},
		{"not_alphanum_paragraph_v1", text("=+ €\n🇩🇪 ☃\nⒶ\né\n\n"), false, "all_punct[0,5]1 all_punct[5,10]1"},
		{
			"fineweb_v1", text("A sentence that is longer than thirty.\nshort\n \nshort\nEnde。"), false,
			"line_punct_ratio[0,58]0.5 short_line_ratio[0,58]0.75 char_dup_ratio[0,58]0.0926 list_ratio[0,58]0.333",
		},
		{"random_number_v1", text("a"), false, "random[0,1]0.678"},
		{"pii_regex_v1", text("  "), false, "doc[0,2]-1"},
		{"pii_regex_with_counts_v2", text("to a@b.org now\n"), false, "EMAIL_ADDRESS[2,11]1 doc[0,15]0.333 doc_count[0,15]1"},
		// Dolma drops a phone number where a URL follows a backspace
		// character, for want of a raw string.
		{"pii_regex_v2", text("a 555 123 4567 \bhttp://x.y/z."), false, "PHONE_NUMBER[1,14]1 doc[0,29]0.2"},
		{"pii_regex_v2", text("a 555 123 4567 \bhttp://x.y/z."), true, "doc[0,29]0"},
		{"lang_id_doc_v1", text("Le droit de chacun à la vie et à la liberté doit être protégé par la loi."), false, "fr[0,73]1"},
		{"lang_id_en_doc_v1", text("Everyone has the right to be heard before a decision is made about their work."), false, "en[0,78]0.998 not_en[0,78]0.00198"},
		{"dclm-oh-eli5", text("la rivière\nverte"), false, "fr[0,16]0.993"},
		{"jigsaw_nsfw_document_v1", text("das haus"), false, "__label__de[0,8]1 __label__ru[0,8]0.000248 __label__fr[0,8]0.000175 __label__en[0,8]5.04e-05"},
		{"code_composition", text("das haus\n\nab\n"), false, "boundaries[0,13]0 de_pct[0,13]0.5 de[0,13]1 de_entropy[0,13]0.0065 other_pct[0,13]0.5 other[0,13]1 other_entropy[0,13]0"},
		{"dolma17-quality", text(" "), false, ""},
	} {
		got := tag(t, c.tagger, c.doc, tagger.Options{Compat: c.dolma, Models: []string{models}})
		if got != c.want {
			t.Errorf("%s on %q:\n got %s\nwant %s", c.tagger, c.doc.Text, got, c.want)
		}
	}
}

// The output is the same for any number of workers and of files at once, and
// a tagger's failure on one document leaves its row in place.
func TestRunIsDeterministic(t *testing.T) {
	base := t.TempDir()
	docs := filepath.Join(base, "documents")
	os.MkdirAll(docs, 0o777)
	for f := range 3 {
		var b strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&b, `{"id":"%d-%d","text":"%s","metadata":{"html":"x"}}`+"\n", f, i, strings.Repeat("some words. ", i%50))
			if i%1000 == 5 {
				b.WriteString("{\"id\":\"no html\",\"text\":\"x\"}\n")
				b.WriteString("{bad\n")
			}
		}
		os.WriteFile(filepath.Join(docs, fmt.Sprintf("%d.jsonl", f)), []byte(b.String()), 0o666)
	}
	var first string
	for _, workers := range []int{1, 2, 7} {
		report, err := tagger.Run(context.Background(), tagger.Config{
			Documents: []string{docs}, Taggers: []string{"gopher_v2", "cc_re"}, Experiment: "x", IgnoreExisting: true, Execution: data.Execution{Processes: workers},
		})
		if err != nil {
			t.Fatal(err)
		}
		if report.Documents != 9009 || report.Rejected != 18 || len(report.Files) != 3 {
			t.Errorf("report %+v", report)
		}
		var all strings.Builder
		for f := range 3 {
			for _, name := range []string{"attributes/x/%d.jsonl", "rejects/x/%d.jsonl.rejects.jsonl"} {
				b, err := os.ReadFile(filepath.Join(base, fmt.Sprintf(name, f)))
				if err != nil {
					t.Fatal(err)
				}
				all.Write(b)
			}
		}
		if first == "" {
			first = all.String()
		}
		if all.String() != first {
			t.Errorf("the output of %d workers differs", workers)
		}
	}
	if !strings.Contains(first, "tagger cc_re: metadata has no html") || strings.Count(first, `{"id":"no html"`) != 9 {
		t.Error("a document that a tagger cannot read lacks its row or its reject")
	}
}

func TestRunErrors(t *testing.T) {
	base := t.TempDir()
	doc := filepath.Join(base, "documents", "a.jsonl")
	os.MkdirAll(filepath.Dir(doc), 0o777)
	os.WriteFile(doc, []byte(`{"id":"1","text":"x"}`), 0o666)
	for _, c := range []struct {
		name string
		cfg  tagger.Config
		want string
	}{
		{"no tagger", tagger.Config{Documents: []string{doc}}, "no taggers"},
		{"unknown tagger", tagger.Config{Documents: []string{doc}, Taggers: []string{"c4_v3"}}, "did you mean c4_v"},
		{"absent library", tagger.Config{Documents: []string{doc}, Taggers: []string{"lingua_doc_v1"}}, "needs the library lingua"},
		{"absent model", tagger.Config{Documents: []string{doc}, Taggers: []string{"dclm-oh-eli5"}}, "set OLMO_MODELS"},
		{"no file", tagger.Config{Documents: []string{filepath.Join(base, "none")}, Taggers: []string{"c4_v1"}}, "no documents match"},
		{"empty pattern", tagger.Config{Documents: []string{""}, Taggers: []string{"c4_v1"}}, "no documents match"},
		{"bad experiment", tagger.Config{Documents: []string{doc}, Taggers: []string{"c4_v1"}, Experiment: "1st"}, "begin it with a letter"},
		{"two destinations", tagger.Config{Documents: []string{doc}, Taggers: []string{"c4_v1"}, Destination: []string{"a", "b"}}, "2 destinations"},
	} {
		_, err := tagger.Run(context.Background(), c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want %q in it", c.name, err, c.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(base, "*", "*", "*")); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// A destination takes all taggers' attributes in one file.
func TestDestination(t *testing.T) {
	base := t.TempDir()
	doc := filepath.Join(base, "raw", "sub", "a.jsonl")
	os.MkdirAll(filepath.Dir(doc), 0o777)
	os.WriteFile(doc, []byte(`{"id":"1","text":"x"}`), 0o666)
	_, err := tagger.Run(context.Background(), tagger.Config{
		Documents: []string{filepath.Join(base, "raw/**/*.jsonl")}, Destination: []string{filepath.Join(base, "out")},
		Taggers: []string{"char_length_v1", "bytes_length_v1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(base, "out/sub/a.jsonl"))
	want := `{"id":"1","attributes":{"char_length_v1__char_length_v1__length":[[0,1,1.0]],"bytes_length_v1__bytes_length_v1__bytes":[[0,1,1.0]]},"source":""}` + "\n"
	if err != nil || string(b) != want {
		t.Errorf("got %s %v\nwant %s", b, err, want)
	}
}

func TestList(t *testing.T) {
	if n := len(tagger.List()); n < 70 {
		t.Errorf("%d taggers are listed", n)
	}
	for _, i := range tagger.List() {
		if i.About == "" || !i.Available && i.Needs == "" {
			t.Errorf("%+v says too little", i)
		}
	}
}

func ExampleGet() {
	tg, err := tagger.Get("c4_v2", tagger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var text tagger.Text
	var spans tagger.Spans
	text.Reset(&data.Document{ID: "1", Text: "A whole sentence here.\nmenu"})
	if err := tg.Tag(&text, &spans); err != nil {
		fmt.Println(err)
		return
	}
	for _, kind := range spans.Types() {
		fmt.Println(kind, spans.Of(kind))
	}
	// Output:
	// lines_with_no_ending_punctuation [{23 27 1}]
	// lines_with_too_few_words [{23 27 1}]
	// line_count [{0 27 2}]
}

// A second run repeats nothing; with other taggers in the same experiment it
// does.
func TestRunAgain(t *testing.T) {
	base := t.TempDir()
	doc := filepath.Join(base, "documents", "a.jsonl.gz")
	w, err := data.CreateWriter(doc)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w, `{"id":"1","text":"x"}`)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		taggers []string
		dolma   bool
		skipped int64
	}{
		{[]string{"c4_v2"}, false, 0},
		{[]string{"c4_v2"}, false, 1},
		{[]string{"c4_v2", "doc_count_v1"}, false, 0},
		{[]string{"c4_v2", "doc_count_v1"}, true, 0},
		{[]string{"c4_v2", "doc_count_v1"}, true, 1},
	} {
		report, err := tagger.Run(context.Background(), tagger.Config{
			Documents: []string{doc}, Taggers: c.taggers, Experiment: "e", Execution: data.Execution{Compat: c.dolma},
		})
		if err != nil || report.Skipped != c.skipped {
			t.Errorf("run %d: skipped %d, %v, want %d", i, report.Skipped, err, c.skipped)
		}
	}
}
