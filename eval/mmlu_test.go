package eval_test

import (
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
		got, err := task.Questions(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]eval.Question{want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
