package eval_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/eval"
)

// TestMMLU: free continuations, and letters after at most five examples of the subject;
// a subject of another category is left out.
func TestMMLU(t *testing.T) {
	dir := t.TempDir()
	row := func(subject, question string, answer string) string {
		return `{"question":"` + question + `","subject":"` + subject + `","choices":["w","x","y","z"],"answer":` + answer + "}\n"
	}
	examples := ""
	for _, q := range []string{"E1", "E2", "E3", "E4", "E5", "E6"} {
		examples += row("abstract_algebra", q, "1")
	}
	for name, text := range map[string]string{
		"mmlu_validation.jsonl": row("abstract_algebra", "Q", "2") + row("world_religions", "R", "0"),
		"mmlu_dev.jsonl":        examples + row("world_religions", "E7", "0"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	shots := "The following are multiple choice questions (with answers) about abstract algebra:\n\n"
	for _, q := range []string{"E1", "E2", "E3", "E4", "E5"} {
		shots += q + "\nA. w\nB. x\nC. y\nD. z\nAnswer: B\n\n"
	}
	for name, want := range map[string]eval.Question{
		"mmlu_stem":          {ID: "abstract_algebra/0", Context: "Question: Q\nAnswer:", Choices: []string{" w", " x", " y", " z"}, Gold: 2},
		"mmlu_stem_mc_5shot": {ID: "abstract_algebra/0", Context: shots + "Q\nA. w\nB. x\nC. y\nD. z\nAnswer:", Choices: []string{" A", " B", " C", " D"}, Gold: 2},
	} {
		task, err := eval.LookupTask(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := questions(task, dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]eval.Question{spread(want)}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestMMLUSubjects: a category's subjects in the reference's order; free continuations, letters after
// five examples of the same subject, or the right answers alone.
func TestMMLUSubjects(t *testing.T) {
	dir := t.TempDir()
	row := func(subject, question string, answer int) string {
		return fmt.Sprintf(`{"subject":%q,"question":%q,"choices":["w","x","y","z"],"answer":%d}`, subject, question, answer) + "\n"
	}
	dev := ""
	for i := range 7 {
		dev += row("college_physics", fmt.Sprintf("E%d", i), i%4)
	}
	files := map[string]string{
		"mmlu_validation": row("college_physics", "P", 2) + row("astronomy", "A", 1) + row("philosophy", "H", 0) + row("astronomy", "B", 3),
		"mmlu_test":       row("astronomy", "T", 0),
		"mmlu_dev":        dev,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name+".jsonl"), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(name string) []eval.Question {
		t.Helper()
		task, err := eval.LookupTask(name)
		if err != nil {
			t.Fatal(err)
		}
		q, err := questions(task, dir)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	four := []string{" w", " x", " y", " z"}
	want := []eval.Question{
		{ID: "astronomy/0", Context: "Question: A\nAnswer:", Choices: four, Gold: 1},
		{ID: "astronomy/1", Context: "Question: B\nAnswer:", Choices: four, Gold: 3},
		{ID: "college_physics/0", Context: "Question: P\nAnswer:", Choices: four, Gold: 2},
	}
	for i := range want {
		want[i] = spread(want[i])
	}
	if diff := cmp.Diff(want, asked("mmlu_stem")); diff != "" {
		t.Errorf("mmlu_stem (-want +got):\n%s", diff)
	}
	for i := range want {
		g := want[i].Gold
		want[i].Choices, want[i].Contexts, want[i].Gold = want[i].Choices[g:g+1], want[i].Contexts[g:g+1], 0
	}
	if diff := cmp.Diff(want, asked("mmlu_stem_bpb")); diff != "" {
		t.Errorf("mmlu_stem_bpb (-want +got):\n%s", diff)
	}
	letters := asked("mmlu_stem_mc_5shot")
	lettered := func(question string) string { return question + "\nA. w\nB. x\nC. y\nD. z\nAnswer:" }
	about := "The following are multiple choice questions (with answers) about college physics:\n\n"
	for i := range 5 {
		about += lettered(fmt.Sprintf("E%d", i)) + " " + string(rune('A'+i%4)) + "\n\n"
	}
	if diff := cmp.Diff(spread(eval.Question{ID: "college_physics/0", Context: about + lettered("P"), Choices: []string{" A", " B", " C", " D"}, Gold: 2}), letters[2]); diff != "" {
		t.Errorf("with letters (-want +got):\n%s", diff)
	}
	// A subject without examples is asked without any.
	if want := "The following are multiple choice questions (with answers) about astronomy:\n\n" + lettered("A"); letters[0].Contexts[0] != want {
		t.Errorf("without examples %q, want %q", letters[0].Contexts[0], want)
	}
	if q := asked("mmlu_stem_test"); len(q) != 1 || q[0].Contexts[0] != "Question: T\nAnswer:" {
		t.Errorf("mmlu_stem_test asks %+v", q)
	}
	if q := asked("mmlu_humanities"); len(q) != 1 || q[0].ID != "philosophy/0" {
		t.Errorf("mmlu_humanities asks %+v", q)
	}
}
