package dedupe_test

import (
	"bytes"
	"fmt"
	"testing"

	"olmo/data/dedupe"
	"olmo/page/pagetest"
)

// TestContaminationLook looks at the page in a browser.
func TestContaminationLook(t *testing.T) {
	c := dedupe.Contamination{Documents: 40211, Contaminated: 10, Instances: 2376, TooShort: 12, Found: 12, NGrams: 13, Tasks: []dedupe.TaskFound{{Task: "arc_easy", Instances: 2376, TooShort: 12, Found: 12}, {Task: "hellaswag", Instances: 10042, Found: 401}}}
	for i := range 12 {
		c.Matches = append(c.Matches, dedupe.Match{
			Task: "arc_easy", Instance: fmt.Sprintf("Mercury_70%02d", i), Query: "Which of these do scientists offer as the most recent explanation as to why many plants and animals died out at the end of the Mesozoic era?", Label: "impact of an asteroid created dust that blocked the sunlight", Documents: 1 + i, Share: 1 - float64(i)/13,
			Places: []dedupe.MatchedPlace{{File: "documents/part-0000.jsonl.zst", Document: "cc-main-2019-<b>", Share: 0.9, Start: 1200, End: 1420, Before: "… and so it was asked ", Text: "Which of these do scientists offer as the most recent explanation", After: " for their end."}},
		})
	}
	var b bytes.Buffer
	if err := c.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	text := bytes.Replace(b.Bytes(), []byte(`<details class="match">`), []byte(`<details class="match" open>`), 1)
	pagetest.LookAt(t, "contamination", text)
}
