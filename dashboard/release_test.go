package dashboard_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/dashboard"
	"olmo/page/pagetest"
	"olmo/proof"
	"olmo/release"
)

// released is a release that is made for a test: of 25 steps, with checkpoints and models of some.
type released struct {
	name    string
	steps   []int           // of checkpoints and models
	from    *proof.Hash     // what the run grew out of
	first   int             // its step before the first one
	without map[string]bool // paths that are left out
	signed  bool
}

// write puts the release into dir, around the log of a run.
func (r released) write(t *testing.T, dir string) {
	t.Helper()
	h := func(s string) proof.Hash { return proof.Sum([]byte(s)) }
	documents := h("documents")
	m := &release.Manifest{
		Name: r.name, Program: "olmo 0.1.0",
		Run:  release.Run{Steps: 25, Tokens: 1600, ChainHead: h("head"), StepsRoot: h("steps")},
		Data: release.Data{DType: "uint16", Documents: 3, Tokens: 2000, DocumentsRoot: &documents},
	}
	one, null := 1, &proof.Nullable{}
	root, program := h("root"), "olmo 0.1.0"
	line := proof.Line{Step: r.first, Format: proof.ChainFormat, Recipe: &root, Documents: null, Tokenizer: null, Numerics: &one, Program: &program, Masks: null, From: r.from, Weights: &root, Optim: &root, State: &root}
	chain, err := line.Seal(proof.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"train/chain.jsonl": string(chain) + "\n", "data/tokens/part-0.npy": "1234", "data/documents/a.jsonl": "{}\n", "data/documents/b.jsonl": "{}\n"}
	for _, path := range []string{"config.yaml", "metrics.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, "train", path))
		if err != nil {
			t.Fatal(err)
		}
		paths["train/"+path] = string(text)
	}
	model := func(name string, step int) {
		m.Revisions = append(m.Revisions, release.Revision{Name: name, Step: step, Path: "model/" + name, WeightsRoot: h(fmt.Sprint("weights ", step))})
		paths["model/"+name+"/model.safetensors"] = fmt.Sprint("model ", step)
	}
	for _, n := range r.steps {
		model(fmt.Sprintf("step%d-tokens0B", n), n)
		paths[fmt.Sprintf("train/step%d/train.json", n)] = "{}"
		paths[fmt.Sprintf("train/step%d/optim.safetensors", n)] = fmt.Sprint("optim ", n)
	}
	model("main", 25)
	for path, text := range paths {
		f := release.File{Path: path, Size: int64(len(text)), SHA256: proof.Sum([]byte(text))}
		if r.without[path] {
			m.LeftOut = append(m.LeftOut, f)
			continue
		}
		m.Files = append(m.Files, f)
		put(t, filepath.Join(dir, filepath.FromSlash(path)), text)
	}
	m.Seal()
	var text strings.Builder
	if err := m.Write(&text); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "release.json"), text.String())
	if r.signed {
		put(t, filepath.Join(dir, "release.sig"), "{}")
	}
}

// make writes a run and the release around it, and returns the folder.
func (r released) make(t *testing.T, folder string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), folder)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(writeRun(t, "train", 25), filepath.Join(dir, "train")); err != nil {
		t.Fatal(err)
	}
	r.write(t, dir)
	return dir
}

type releaseAnswer struct {
	Name, Verify, Serve, Problem string
	CannotReplay                 string `json:"cannot_replay"`
	Run                          release.Run
	Data                         release.Data
	Signed                       bool
	Files                        int
	Steps                        []struct {
		Step              int
		Revisions         []string
		WeightsRoot       *proof.Hash `json:"weights_root"`
		Model, Checkpoint string
		Replay            string
	}
	LeftOut []absent `json:"left_out"`
	Missing []absent
}

type absent struct {
	Path         string
	Files, Bytes int
}

// TestRelease: a release opens as the run in it, under its own name, and the page has what
// release.json says and the commands.
func TestRelease(t *testing.T) {
	dir := released{name: "lab/my-model", steps: []int{10, 20, 25}, signed: true, without: map[string]bool{"data/documents/a.jsonl": true, "data/documents/b.jsonl": true}}.make(t, "my-model")
	s := serve(t, dir)
	var list []struct {
		Name, State string
		Last        int
		Release     int64
		Checkpoints []int
	}
	get(t, s.URL+"/api/runs", &list)
	if len(list) != 1 || list[0].Name != "my-model" || list[0].State != "released" || list[0].Last != 25 || list[0].Release == 0 || fmt.Sprint(list[0].Checkpoints) != "[10 20 25]" {
		t.Fatalf("the release is the runs %+v", list)
	}
	var p series
	get(t, s.URL+"/api/runs/0/series", &p)
	if len(p.Steps) != 25 {
		t.Errorf("curves of %d steps", len(p.Steps))
	}
	var a releaseAnswer
	get(t, s.URL+"/api/runs/0/release", &a)
	if a.Name != "lab/my-model" || a.Run.ChainHead != proof.Sum([]byte("head")) || a.Run.StepsRoot != proof.Sum([]byte("steps")) || a.Run.Tokens != 1600 || a.Data.Documents != 3 || !a.Signed || a.Problem != "" || a.CannotReplay != "" || len(a.Missing) != 0 {
		t.Errorf("the release is %+v", a)
	}
	if want := "[{data/documents 2 6}]"; fmt.Sprint(a.LeftOut) != want {
		t.Errorf("left out: %v, want %s", a.LeftOut, want)
	}
	if a.Verify != "olmo verify "+dir || a.Serve != "olmo hub serve "+dir {
		t.Errorf("commands %q and %q", a.Verify, a.Serve)
	}
	var got []string
	for _, s := range a.Steps {
		if *s.WeightsRoot != proof.Sum([]byte(fmt.Sprint("weights ", s.Step))) {
			t.Errorf("the weights of step %d are %v", s.Step, s.WeightsRoot)
		}
		got = append(got, fmt.Sprintf("%d %v %s, %s, %s", s.Step, s.Revisions, s.Model, s.Checkpoint, strings.Replace(s.Replay, dir, "DIR", 1)))
	}
	want := `10 [step10-tokens0B] here, here, olmo replay DIR --step 1..10
20 [step20-tokens0B] here, here, olmo replay DIR --step 11..20
25 [step25-tokens0B main] here, here, olmo replay DIR --step 21..25`
	if strings.Join(got, "\n") != want {
		t.Errorf("steps\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	// A folder with releases below it, and with runs that are in none.
	root := filepath.Dir(dir)
	put(t, filepath.Join(root, "other", "train", "metrics.jsonl"), "{\"step\":1,\"train/CrossEntropyLoss\":2}\n")
	all := serve(t, root)
	list = nil
	get(t, all.URL+"/api/runs", &list)
	if len(list) != 2 || list[0].Name != "my-model" || list[1].Name != "train" || list[1].Release != 0 {
		t.Errorf("below the folder are %+v", list)
	}
	r, err := http.Get(all.URL + "/api/runs/1/release")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusNotFound {
		t.Errorf("the release of a run without one: %s", r.Status)
	}
}

// TestReleaseInPart: what is not there is said, and only steps that can be computed have a command.
func TestReleaseInPart(t *testing.T) {
	grown := proof.Sum([]byte("another run"))
	for _, c := range []struct {
		name     string
		r        released
		remove   []string // after the release was made
		cannot   string   // beginning of what it says
		segments string
		missing  string
	}{
		{name: "steps behind the last checkpoint", r: released{steps: []int{0, 10}}, segments: "1..10 11..25", missing: "[]"},
		{name: "a checkpoint is left out", r: released{steps: []int{10, 20}, without: map[string]bool{"train/step10/optim.safetensors": true}}, segments: "1..20 21..25", missing: "[]"},
		{name: "a checkpoint is not here", r: released{steps: []int{10, 20}}, remove: []string{"train/step20/train.json"}, segments: "1..10 11..25", missing: "[{train/step20 1 2}]"},
		{name: "the first state is not here", r: released{steps: []int{10, 20}, from: &grown}, cannot: "Steps up to 10 cannot", segments: "11..20 21..25", missing: "[]"},
		{name: "it grew out of another", r: released{steps: []int{5, 20}, from: &grown, first: 5}, segments: "6..20 21..25", missing: "[]"},
		{name: "without any state", r: released{from: &grown}, cannot: "Steps up to 25 cannot", missing: "[]"},
		{name: "without tokens", r: released{steps: []int{10}, without: map[string]bool{"data/tokens/part-0.npy": true}}, cannot: "No step can be computed again: the files of data/tokens are left out.", missing: "[]"},
		{name: "without a chain", r: released{steps: []int{10}, without: map[string]bool{"train/chain.jsonl": true}}, remove: []string{"train/chain.jsonl"}, cannot: "No step can be computed again: the record, train/chain.jsonl, is not here.", missing: "[]"},
		{name: "the branch release alone", r: released{}, remove: []string{"model"}, segments: "1..25", missing: "[{model/main 1 8}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.name = "m"
			dir := c.r.make(t, "it's here")
			for _, path := range c.remove {
				if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(path))); err != nil {
					t.Fatal(err)
				}
			}
			var a releaseAnswer
			get(t, serve(t, dir).URL+"/api/runs/0/release", &a)
			var segments []string
			for _, s := range a.Steps {
				before, steps, ok := strings.Cut(s.Replay, " --step ")
				if !ok {
					continue
				}
				if want := "olmo replay '" + strings.ReplaceAll(dir, "'", `'\''`) + "'"; before != want {
					t.Errorf("the command is %s, want %s", before, want)
				}
				segments = append(segments, steps)
			}
			if got := strings.Join(segments, " "); got != c.segments {
				t.Errorf("segments %s, want %s", got, c.segments)
			}
			if !strings.HasPrefix(a.CannotReplay, c.cannot) || (a.CannotReplay == "") != (c.cannot == "") {
				t.Errorf("it says %q, want %q", a.CannotReplay, c.cannot)
			}
			if got := fmt.Sprint(a.Missing); got != c.missing {
				t.Errorf("not here: %s, want %s", got, c.missing)
			}
			if n := len(a.Steps); n == 0 || a.Steps[n-1].Step != 25 {
				t.Errorf("steps %+v", a.Steps)
			}
		})
	}
}

// TestReleaseWithFaults: of a release.json that contradicts itself only that is said, and the
// command that says all; without train/ it is a release all the same.
func TestReleaseWithFaults(t *testing.T) {
	dir := released{name: "m"}.make(t, "m")
	text, err := os.ReadFile(filepath.Join(dir, "release.json"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "release.json"), strings.Replace(string(text), `"path":"train/chain.jsonl"`, `"path":"../chain.jsonl"`, 1))
	if err := os.RemoveAll(filepath.Join(dir, "train")); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir)
	var list []about
	get(t, s.URL+"/api/runs", &list)
	if len(list) != 1 || list[0].Name != "m" || list[0].State != "released" || list[0].Says != "without its log" {
		t.Fatalf("the release is the runs %+v", list)
	}
	var a releaseAnswer
	get(t, s.URL+"/api/runs/0/release", &a)
	if !strings.Contains(a.Problem, `"../chain.jsonl" is no path of a release`) || a.Verify == "" || len(a.Steps) != 0 {
		t.Errorf("the release is %+v", a)
	}
}

// TestReleaseLook looks at a release's page, and takes a command along.
func TestReleaseLook(t *testing.T) {
	b := pagetest.Open(t)
	root := t.TempDir()
	dir := filepath.Join(root, "my-model")
	lifelike(t, filepath.Join(dir, "train"), "quickstart", 25, 25, 3e-3, 1)
	released{name: "lab/my-model", steps: []int{0, 10, 20, 25}, signed: true, without: map[string]bool{"data/documents/a.jsonl": true, "train/step20/optim.safetensors": true}}.write(t, dir)
	t.Chdir(root)
	h, err := dashboard.Handler([]string{"my-model"}, source{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	s := server.URL
	ready := `document.body.dataset.ready && document.querySelectorAll("#releases .steps tbody tr").length === 4`
	b.Look("release", s+"/", ready)
	text := func(selector string) string {
		s, _ := b.Eval(fmt.Sprintf("document.querySelector(%q)?.textContent ?? 'nothing'", selector)).(string)
		return s
	}
	b.Theme("light")
	b.Size(1440, 900)
	b.Go(s+"/", ready)
	if n := b.Eval(`document.querySelectorAll("#charts figure").length > 5`); n != true {
		t.Error("the run of the release has no curves")
	}
	if got := text("#releases .facts"); !strings.Contains(got, "lab/my-model") || !strings.Contains(got, proof.Sum([]byte("head")).String()) || !strings.Contains(got, "data/documents: 1 file, 3 B") {
		t.Errorf("of the release it says %q", got)
	}
	const last = "#releases .steps tbody tr:last-child"
	if got := text(last + " code:not(.hash)"); got != "olmo replay my-model --step 11..25" {
		t.Errorf("the command of the last segment is %q", got)
	}
	b.Eval(fmt.Sprintf("document.querySelector(%q).click()", last+" button"))
	b.Until(fmt.Sprintf(`document.querySelector(%q).textContent !== "copy"`, last+" button"))
	if got := text(last + " button"); got == "chosen" && b.Eval(`getSelection().toString()`) != "olmo replay my-model --step 11..25" {
		t.Errorf("the button has chosen %q", b.Eval(`getSelection().toString()`))
	}
	for _, s := range b.Said() {
		t.Errorf("the page complains: %s", s)
	}
}
