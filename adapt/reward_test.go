package adapt_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/adapt"
	"olmo/lm/lmtest"
)

// TestRewardModel: conversations are judged alike alone, together and as rows of a file; one that has
// more tokens than there are positions is not cut.
func TestRewardModel(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.WriteReward(dir); err != nil {
		t.Fatal(err)
	}
	template := filepath.Join(dir, "t.jinja")
	if err := os.WriteFile(template, []byte("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"), 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := adapt.OpenRewardModel(dir, template)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	rows := []string{
		`{"messages":[{"role":"user","content":"cat?"},{"role":"assistant","content":"mat"}]}`,
		`{"messages":[{"role":"user","content":"dog?"},{"role":"assistant","content":"naïve dog"}]}`,
	}
	var all []*adapt.Conversation
	for _, text := range rows {
		r, err := adapt.ParseRow([]byte(text), adapt.SFT)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &r.Conversation)
	}
	together, err := m.Score(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		alone, err := m.Score(t.Context(), []*adapt.Conversation{c})
		if err != nil || alone[0] != together[i] {
			t.Errorf("conversation %d has %v alone (%v), %v together", i, alone, err, together[i])
		}
	}
	file := filepath.Join(dir, "rows.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(rows, "\n")), 0o666); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	j, err := m.Judge(t.Context(), file, &out)
	if err != nil {
		t.Fatal(err)
	}
	if want := (float64(together[0]) + float64(together[1])) / 2; j.Rows != 2 || j.Pairs != 0 || j.Mean != want {
		t.Errorf("%+v, want the mean %v of two conversations", j, want)
	}
}
