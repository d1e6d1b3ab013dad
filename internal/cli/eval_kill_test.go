package cli

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/eval/endpoint/endpointtest"
	"olmo/lm/lmtest"
)

const killTask = `task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{q}} is"
doc_to_target: "{{a}}"
repeats: 2
generation_kwargs: {max_gen_toks: 16, temperature: 1.0}
`

// TestKillEval kills a run of choices and drawn texts six times at random moments, with a model
// that runs here and one of a server. The files are in the end those of a run that nobody
// disturbed, byte for byte but for times, nothing is left beside them, and no more is asked than
// was lost under way.
func TestKillEval(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: the run is killed six times")
	}
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kill-seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	var rows strings.Builder
	for i := range 60 {
		rows.WriteString(`{"q":"` + strings.Repeat("one and ", 1+i%5) + `","a":"` + string(rune('0'+i%10)) + `"}` + "\n")
	}
	for name, text := range map[string]string{"tasks/sums.yaml": killTask, "tasks/rows.jsonl": rows.String()} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := lmtest.Write(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	s := endpointtest.Start(endpointtest.VLLM, "small")
	defer s.Close()
	s.Before = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/completions" {
			time.Sleep(10 * time.Millisecond)
		}
		return false
	}
	for _, model := range []string{"model", s.URL + "/v1"} {
		command := "eval --model " + model + " --include tasks --tasks arc_easy,sums --limit 60 --out "
		name := regexp.MustCompile(`\W`).ReplaceAllString(model, "")
		began := time.Now()
		runStage(t, dir, command+name+"-whole")
		took := time.Since(began)
		whole := len(s.Asked("/v1/completions"))
		for range 6 {
			c := stageCommand(dir, command+name+"-killed")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.Int64N(int64(took)/3 + 1)))
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		killed := len(s.Asked("/v1/completions")) - whole
		runStage(t, dir, command+name+"-killed")
		last := len(s.Asked("/v1/completions")) - whole - killed
		if model != "model" {
			t.Logf("asked %d times in a whole run, %d in those that were killed, %d in the last", whole, killed, last)
			if lost := killed + last - whole; lost < 0 || lost > 6*8*2 {
				t.Errorf("%d answers were asked again", lost)
			}
			if killed > 6*8*2 && last >= whole {
				t.Errorf("the last run asked all %d answers", last)
			}
		}
		want, got := stageTree(t, filepath.Join(dir, name+"-whole")), stageTree(t, filepath.Join(dir, name+"-killed"))
		times := regexp.MustCompile(`(?s)"seconds": \{.*?\}`)
		for file := range want {
			a, b := times.ReplaceAll(want[file], nil), times.ReplaceAll(got[file], nil)
			if string(a) != string(b) {
				t.Errorf("%s of %s, killed, differs", file, model)
			}
		}
		for file := range got {
			if _, ok := want[file]; !ok && !slices.Contains([]string{".lock"}, filepath.Ext(file)) {
				t.Errorf("%s of %s is left", file, model)
			}
		}
	}
}
