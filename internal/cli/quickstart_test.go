package cli

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"olmo/eval"
	"olmo/quickstart"
)

// TestReportCommands runs every command that a report card prints, in a folder whose name
// wants to be quoted: each does what it says, and those that evaluate give the report's
// figures to the last digit.
func TestReportCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole chain")
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("the commands are for a shell:", err)
	}
	dir := t.TempDir()
	program, err := os.Executable()
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "bin"), 0o777)
	}
	if err == nil {
		err = os.Symlink(program, filepath.Join(dir, "bin", "olmo")) // TestMain goes by the name
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
	}
	writeNotes(t, filepath.Join(dir, "my notes"))
	const folder = "it's a model"
	run(filepath.Join(dir, "bin", "olmo"), "quickstart", "--docs", "my notes", "--steps", "2", "--depth", "1", "--out", folder)
	var report quickstart.Report
	readJSON(t, filepath.Join(dir, folder, "report.json"), &report)
	file := filepath.Join(dir, folder, "tokenizer", "tokenizer.json")
	tokenizer, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Commands {
		run(shell, "-c", c.Line)
	}
	if again, err := os.ReadFile(file); err != nil || string(again) != string(tokenizer) {
		t.Errorf("the tokenizer's command makes another tokenizer (%v)", err)
	}
	var bpb, arc eval.Results
	readJSON(t, filepath.Join(dir, "eval-bpb", "results.json"), &bpb)
	readJSON(t, filepath.Join(dir, "eval-arc", "results.json"), &arc)
	if got := bpb.Results["bpb"]["bits_per_byte"]; got != report.BitsPerByte {
		t.Errorf("the command gives %v bits per byte, the report %v", got, report.BitsPerByte)
	}
	if got := arc.Results["arc_easy"]["acc"]; got != report.Choices[0].Accuracy {
		t.Errorf("the command gives an accuracy of %v, the report %v", got, report.Choices[0].Accuracy)
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// writeNotes writes a folder of made-up text, enough for a tokenizer.
func writeNotes(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var words []string
	for range 9000 {
		var w strings.Builder
		for range 2 + r.IntN(3) {
			w.WriteByte("bdfghklmnprst"[r.IntN(13)])
			w.WriteByte("aeiou"[r.IntN(5)])
		}
		words = append(words, w.String())
	}
	for i := range 60 {
		var text strings.Builder
		for range 90 {
			for range 6 + r.IntN(6) {
				fmt.Fprintf(&text, "the %s and %s ", words[r.IntN(len(words))], words[r.IntN(len(words))])
			}
			text.WriteString("rest.\n\n")
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("note%02d.txt", i)), []byte(text.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
