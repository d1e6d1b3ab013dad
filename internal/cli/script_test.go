package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"olmo": func() { os.Exit(Main(os.Args[1:])) },
	})
}

// TestScript runs the command as a user would; the scripts are in
// testdata/script. `exec`'s exit codes are checked with `exits CODE WORDS…`.
func TestScript(t *testing.T) {
	models := t.TempDir()
	tiny := filepath.Join(models, "tiny")
	if err := writeTinyModel(tiny); err != nil {
		t.Fatal(err)
	}
	if err := copyWithout(tiny, filepath.Join(models, "untokenised"), "tokenizer"); err != nil {
		t.Fatal(err)
	}
	runs, err := filepath.Abs("../../runs")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		// $TINY is a model of random weights, $UNTOKENISED the same without its
		// tokenizer, $RUNS the folder of configs to copy.
		Setup: func(e *testscript.Env) error {
			e.Setenv("TINY", tiny)
			e.Setenv("RUNS", runs)
			e.Setenv("UNTOKENISED", filepath.Join(models, "untokenised"))
			return nil
		},
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": checkExit,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// checkExit is the script command `exits CODE PROGRAM ARGUMENT…`.
func checkExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		got = string(rune('0' + exit.ExitCode()))
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("%v exited with %s, want %s", args[1:], got, args[0])
	}
}
