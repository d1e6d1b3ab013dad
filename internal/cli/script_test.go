package cli

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"olmo/data/store/storetest"
	"olmo/eval/endpoint/endpointtest"
	"olmo/hub/client/hubtest"
	"olmo/lm/lmtest"
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
	if err := lmtest.Write(tiny); err != nil {
		t.Fatal(err)
	}
	adapter := filepath.Join(models, "adapter")
	if err := lmtest.WriteAdapter(adapter, tiny, "../tiny"); err != nil {
		t.Fatal(err)
	}
	if err := copyWithout(tiny, filepath.Join(models, "untokenised"), "tokenizer"); err != nil {
		t.Fatal(err)
	}
	reward := filepath.Join(models, "reward")
	if err := lmtest.WriteReward(reward); err != nil {
		t.Fatal(err)
	}
	runs, err := filepath.Abs("../../runs")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := filepath.Abs("../../release/signature/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		// $TINY is a model of random weights, $ADAPTER an adapter of it, $UNTOKENISED the
		// same without its tokenizer, $REWARD a reward model, $RUNS the folder of configs to copy, $SIGNED has a folder that
		// model-signing signed, and the keys.
		Setup: func(e *testscript.Env) error {
			e.Setenv("TINY", tiny)
			e.Setenv("ADAPTER", adapter)
			e.Setenv("REWARD", reward)
			e.Setenv("RUNS", runs)
			e.Setenv("SIGNED", signed)
			e.Setenv("UNTOKENISED", filepath.Join(models, "untokenised"))
			return nil
		},
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": checkExit,
			"s3":    objectStore,
			"serve": serveModels,
			"hub":   hubOfScript,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// serveModels is the script command `serve KIND MODEL…`, which runs a server of OpenAI's API for
// the script. $SERVER is its address.
func serveModels(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: serve KIND MODEL…")
	}
	s := endpointtest.Start(endpointtest.Kind(args[0]), args[1:]...)
	ts.Defer(s.Close)
	ts.Setenv("SERVER", s.URL+"/v1")
}

// hubOfScript is the script command `hub start`, which runs a hub for the script and leads the command
// to it, with a cache below $WORK; `hub put ORG/NAME BRANCH FOLDER` makes a branch of a folder's
// files, `hub fail FAULT` makes it go wrong.
func hubOfScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: hub start|put|fail …")
	}
	if args[0] == "start" {
		s := hubtest.New()
		ts.Defer(s.Close)
		ts.Setenv("HF_ENDPOINT", s.URL)
		ts.Setenv("HF_HOME", ts.MkAbs("hf"))
		servers.Store(s.URL, s)
		return
	}
	v, ok := servers.Load(ts.Getenv("HF_ENDPOINT"))
	if !ok {
		ts.Fatalf("hub start comes first")
	}
	s := v.(*hubtest.Server)
	switch args[0] {
	case "put":
		files := map[string]hubtest.Entry{}
		entries, err := os.ReadDir(ts.MkAbs(args[3]))
		ts.Check(err)
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(ts.MkAbs(args[3]), e.Name()))
			ts.Check(err)
			files[e.Name()] = hubtest.Entry{Content: text, LFS: filepath.Ext(e.Name()) == ".safetensors"}
		}
		s.Put("models/"+args[1], args[2], files)
	case "fail":
		s.Fail(map[string]hubtest.Faults{"break": {Break: 10_000}, "wrong": {Wrong: "model.safetensors"}, "busy": {Busy: 1000, Status: 503, After: "86400"}, "no": {}}[args[1]])
	}
}

// objectStore is the script command `s3 start BUCKET…`, which runs a server for
// the script and leads the command to it; `s3 put FILE… BUCKET/FOLDER/` and `s3
// get BUCKET/KEY FILE` copy files. $S3 is the server's address.
func objectStore(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: s3 start|put|get …")
	}
	if args[0] == "start" {
		s := storetest.New(args[1:]...)
		ts.Defer(s.Close)
		for key, value := range s.Environ() {
			ts.Setenv(key, value)
		}
		ts.Setenv("S3", s.URL)
		servers.Store(s.URL, s)
		return
	}
	v, ok := servers.Load(ts.Getenv("S3"))
	if !ok {
		ts.Fatalf("s3 start comes first")
	}
	s, last := v.(*storetest.Server), args[len(args)-1]
	switch args[0] {
	case "put":
		for _, file := range args[1 : len(args)-1] {
			s.Put(last+filepath.Base(file), []byte(ts.ReadFile(file)))
		}
	case "get":
		b := s.Get(args[1])
		if b == nil {
			ts.Fatalf("there is no %s, only %v", args[1], s.Names())
		}
		ts.Check(os.WriteFile(ts.MkAbs(last), b, 0o666))
	}
}

// servers are the object stores of the scripts, by their addresses.
var servers sync.Map

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

// copyWithout copies a folder's files but those that contain a word.
func copyWithout(from, to, word string) error {
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), word) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}
