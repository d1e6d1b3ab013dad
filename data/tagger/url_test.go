package tagger_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/tagger"
)

func TestURLLists(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		w, err := data.CreateWriter(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("blocklist_hosts/blocklist_hosts-20240208/porn.txt", "# comment\n0.0.0.0 bad.example\n127.0.0.1 localhost\n192.0.2.7 worse.example\n||ads.example^\nwww.listed.example/path\n???\n")
	write("blocklist_phishing_db/blocklist_phishing_db-20240205/domains.txt.gz", "evil.example/login\n")
	for _, f := range []string{"periodical-Q1002697", "website-Q35127"} {
		write("wikidata/wikidata-20220208/"+f+"/response.json", `[{"url":"https://www.paper.example/","description":"a daily"},{"url":"http://jokes.example","description":"Humor"}]`)
	}
	for _, c := range []struct {
		tagger, url string
		dolma, want bool
	}{
		{"blocklist_hosts_porn_v1", "https://www.BAD.example:8080/x?y", false, true},
		{"blocklist_hosts_porn_v1", "http://user@worse.example#z", false, true},
		{"blocklist_hosts_porn_v1", "http://192.0.2.7/", false, true},
		{"blocklist_hosts_porn_v1", "listed.example", false, true},
		{"blocklist_hosts_porn_v1", "http://good.example/bad.example", false, false},
		{"blocklist_hosts_porn_v1", "http://0.0.0.0/", false, false},
		{"blocklist_hosts_porn_v1", "http://0.0.0.0/", true, true},
		// str.lstrip takes the w of worse, too, on both sides.
		{"blocklist_hosts_porn_v1", "http://orse.example/", true, true},
		{"blocklist_hosts_porn_v1", "http://orse.example/", false, false},
		{"blocklist_hosts_porn_v1", "", false, false},
		{"link_blocklist_phishing_v1", "https://evil.example/login/", false, true},
		{"link_blocklist_phishing_v1", "https://evil.example/", false, false},
		{"domain_blocklist_phishing_v1", "https://evil.example/", false, true},
		{"allowlist_wikidata_v1", "https://sub.of.paper.example/a", false, true},
		{"allowlist_wikidata_v1", "https://jokes.example", false, true},
		{"allowlist_wikidata_cleaned_v1", "https://jokes.example", false, false},
		{"allowlist_wikidata_cleaned_v1", "https://jokes.example", true, true},
	} {
		doc := data.Document{Text: "text", Metadata: []byte(`{"url":` + string(data.AppendString(nil, c.url)) + `}`)}
		got := tag(t, c.tagger, doc, tagger.Options{Compat: c.dolma, Models: []string{dir}})
		if want := map[bool]string{true: "url[0,4]1"}[c.want]; got != want {
			t.Errorf("%s (dolma %v): %q = %q, want %q", c.tagger, c.dolma, c.url, got, want)
		}
	}
	if _, err := tagger.Get("domain_blocklist_utp_v1", tagger.Options{Models: []string{dir}}); err == nil || !strings.Contains(err.Error(), "adult/domains") {
		t.Errorf("an absent list: error = %v", err)
	}
}
