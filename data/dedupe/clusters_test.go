package dedupe_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"olmo/data/dedupe"
	"olmo/page/pagetest"
)

// similarDocuments writes a corpus with a cluster of three, one of two, and documents that
// are like no other.
func similarDocuments(t *testing.T) dedupe.Config {
	t.Helper()
	t.Chdir(t.TempDir())
	long := func(word string) string {
		var b strings.Builder
		for i := range 60 {
			fmt.Fprintf(&b, "%s%c%c%c stands here. ", word, 'a'+i%26, 'a'+i/26, 'a'+i%7)
		}
		return b.String()
	}
	var lines strings.Builder
	line := func(id, text string) { fmt.Fprintf(&lines, "{\"id\":%q,\"text\":%q}\n", id, text) }
	line("a", long("one"))
	line("x", long("alone"))
	line("b", long("two"))
	line("a2", strings.Replace(long("one"), "onebab stands here", "<b>another</b> word stands there", 1))
	line("b2", long("two"))
	line("a3", long("one")+"And an end of its own.")
	writeFile(t, "c/documents/a.jsonl", lines.String())
	cfg := dedupe.Config{Documents: []string{"c/documents/*.jsonl"}}
	cfg.SetDefaults()
	cfg.Dedupe.MinHash = &dedupe.MinHash{AttributeName: "near"}
	cfg.Dedupe.MinHash.SetDefaults()
	return cfg
}

// TestClusters: the largest cluster comes first, with what its documents do not share; a
// finished run tells the same, and texts stay texts in the page.
func TestClusters(t *testing.T) {
	cfg := similarDocuments(t)
	report, err := dedupe.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if report.Duplicates != 3 || len(report.Clusters) != 2 || report.Clusters[0].Documents != 3 || report.Clusters[1].Documents != 2 {
		t.Fatalf("%d duplicates in %+v", report.Duplicates, report.Clusters)
	}
	var ids []string
	for _, c := range report.Clusters {
		for _, m := range c.Members {
			ids = append(ids, m.ID)
		}
	}
	if fmt.Sprint(ids) != "[a a2 a3 b b2]" {
		t.Errorf("members %v", ids)
	}
	second := report.Clusters[0].Members[1]
	own := ""
	for _, p := range second.Text {
		if p.Own {
			own += p.Text + "|"
		}
	}
	if !strings.Contains(own, "another") || strings.Contains(own, "onecbd") || second.Share < 0.5 || second.Share >= 1 {
		t.Errorf("of the second document %q is its own, with a share of %g", own, second.Share)
	}
	if m := report.Clusters[1].Members[1]; m.Share != 1 || len(m.Text) != 1 || m.Text[0].Own || m.File != "c/documents/a.jsonl" {
		t.Errorf("of equal documents: %+v", m)
	}
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if s := page.String(); !strings.Contains(s, "3 of 6 documents resemble") || strings.Contains(s, "<b>another") || strings.Contains(s, "ZgotmplZ") {
		t.Errorf("the page is\n%s", s)
	}
	again, err := dedupe.Run(context.Background(), cfg)
	if err != nil || !again.AlreadyDone || len(again.Clusters) != 2 {
		t.Errorf("again: %+v, %v", again, err)
	}
	if err := (&dedupe.Report{}).WriteHTML(&page); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

// TestClustersLook looks at the page in a browser.
func TestClustersLook(t *testing.T) {
	report, err := dedupe.Run(context.Background(), similarDocuments(t))
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	pagetest.LookAt(t, "clusters", page.Bytes())
}
