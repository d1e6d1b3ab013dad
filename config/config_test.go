package config_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"olmo/config"
	"olmo/store"
)

// duration is a count of steps or tokens, as OLMo writes them: 739328, 2e12T.
type duration struct{ text string }

func (d *duration) UnmarshalText(text []byte) error {
	if strings.Trim(string(text), "0123456789.eTp") != "" {
		return fmt.Errorf("%q is no duration", text)
	}
	d.text = string(text)
	return nil
}

func (d duration) MarshalText() ([]byte, error) { return []byte(d.text), nil }

type optimizer struct {
	Name         string     `yaml:"name"`
	LearningRate float64    `yaml:"learning_rate"`
	Betas        [2]float64 `yaml:"betas"`
	Eps          float64
}

type evaluator struct {
	Label string
	Limit int
}

func (e *evaluator) SetDefaults() { e.Limit = -1 }

type common struct {
	Seed int
}

type run struct {
	common      `yaml:",inline"`
	RunName     string               `yaml:"run_name"`
	SaveFolder  string               `yaml:"save_folder"`
	LoadPath    string               `yaml:"load_path"`
	MaxDuration duration             `yaml:"max_duration"`
	Optimizer   optimizer            `yaml:"optimizer"`
	TimeLimit   *float64             `yaml:"time_limit"`
	Paths       []string             `yaml:"paths"`
	Evaluators  []evaluator          `yaml:"evaluators"`
	Datasets    map[string][]string  `yaml:"datasets"`
	ByName      map[string]evaluator `yaml:"by_name"`
	Compile     *evaluator           `yaml:"compile"`
	Wandb       any                  `yaml:"wandb"`
	Batch       int                  `yaml:"batch"`
	Micro       uint16               `yaml:"micro"`
	Fused       bool                 `yaml:"fused"`
	Internal    func()               `yaml:"-"`
}

func defaults() run {
	return run{Batch: 512, Optimizer: optimizer{Name: "adamw", Betas: [2]float64{0.9, 0.95}, Eps: 1e-8}}
}

const official = `
run_name: OLMo2-1B   # a comment
seed: 6198
save_folder: ${path.choose:${oc.env:OLMO_TEST_UNSET,no_exist}/checkpoints,https://example.org/x}/${run_name}
max_duration: 2e12T
optimizer:
  name: lionw
  learning_rate: 4e-4
  eps: 1e-8
time_limit: null
fused: yes
micro: ${batch}
wandb:
  project: ${run_name}-v1
  group: ${.project}
  rates: [1e-5, 1, on, "1"]
evaluators:
  - label: all
  - label: c4
    limit: 5
datasets:
  c4: [a.npy, 'b c.npy']
compile: {label: x}
`

func TestParse(t *testing.T) {
	got := defaults()
	overrides := []string{"--optimizer.betas=[0.8,0.9]", "evaluators[0].limit=7", "--save-folder=${path.choose:.}/${seed}", "--fused"}
	if err := config.Parse("x.yaml", []byte(official), overrides, &got); err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Seed = 6198
	want.RunName = "OLMo2-1B"
	want.SaveFolder = "./6198"
	want.MaxDuration = duration{"2e12T"}
	want.Optimizer = optimizer{"lionw", 4e-4, [2]float64{0.8, 0.9}, 1e-8}
	want.Fused = true
	want.Micro = 512
	want.Wandb = map[string]any{"project": "OLMo2-1B-v1", "group": "OLMo2-1B-v1", "rates": []any{1e-5, int64(1), true, "1"}}
	want.Evaluators = []evaluator{{"all", 7}, {"c4", 5}}
	want.Datasets = map[string][]string{"c4": {"a.npy", "b c.npy"}}
	want.Compile = &evaluator{"x", -1}
	compare(t, got, want)
}

// TestOverrides: an override changes what it names and leaves what lies beside it.
func TestOverrides(t *testing.T) {
	const text = "evaluators: [{label: a, limit: 1}, {label: b, limit: 2}]\nwandb: {group: g, rates: [{x: 1, y: 2}]}\nby_name: {n: {label: l, limit: 3}}\npaths: [p, q]\n"
	got := func(r run) map[string]any {
		return map[string]any{"evaluators": r.Evaluators, "wandb": r.Wandb, "by_name": r.ByName, "paths": r.Paths, "compile": r.Compile}
	}
	whole := func(change func(*run)) map[string]any {
		r := run{
			Evaluators: []evaluator{{"a", 1}, {"b", 2}}, ByName: map[string]evaluator{"n": {"l", 3}}, Paths: []string{"p", "q"},
			Wandb: map[string]any{"group": "g", "rates": []any{map[string]any{"x": int64(1), "y": int64(2)}}},
		}
		change(&r)
		return got(r)
	}
	for _, c := range []struct {
		name, override string
		change         func(*run)
	}{
		{"a mapping into an element of a list", "evaluators[1]={limit: 9}", func(r *run) { r.Evaluators[1].Limit = 9 }},
		{"a mapping into an element of a free list", "wandb.rates[0]={y: 5, z: 6}", func(r *run) {
			r.Wandb.(map[string]any)["rates"] = []any{map[string]any{"x": int64(1), "y": int64(5), "z": int64(6)}}
		}},
		{"a mapping into a mapping", "by_name={n: {limit: 4}, m: {label: k}}", func(r *run) { r.ByName = map[string]evaluator{"n": {"l", 4}, "m": {"k", -1}} }},
		{"a key of an element", "evaluators.0.label=c", func(r *run) { r.Evaluators[0].Label = "c" }},
		{"an element", "paths[1]=z", func(r *run) { r.Paths[1] = "z" }},
		{"a list takes the place of a list", "paths=[x]", func(r *run) { r.Paths = []string{"x"} }},
		{"a list takes the place of the elements", "evaluators=[{label: c}]", func(r *run) { r.Evaluators = []evaluator{{"c", -1}} }},
		{"null takes the place of a free mapping", "wandb=null", func(r *run) { r.Wandb = nil }},
		{"null takes the place of a map", "by_name=null", func(r *run) { r.ByName = nil }},
		{"a key opens what was not there", "compile.label=x", func(r *run) { r.Compile = &evaluator{"x", -1} }},
		{"text that is no YAML", "wandb.group=@x: [", func(r *run) { r.Wandb.(map[string]any)["group"] = "@x: [" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r run
			if err := config.Parse("x.yaml", []byte(text), []string{c.override}, &r); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(whole(c.change), got(r)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestNull: null takes away what stood there before the file was read.
func TestNull(t *testing.T) {
	limit := 3.0
	r := run{TimeLimit: &limit, Wandb: map[string]any{"a": 1}, ByName: map[string]evaluator{"x": {}}, Paths: []string{"p"}, Compile: &evaluator{}}
	if err := config.Parse("x.yaml", []byte("time_limit: null\nwandb: null\nby_name: null\npaths: ~\ncompile:\n"), nil, &r); err != nil {
		t.Fatal(err)
	}
	compare(t, r, run{})
}

// TestFieldNames: a field without a tag has its name in lower case, its words apart.
func TestFieldNames(t *testing.T) {
	var got struct {
		GradNorm, MLPRatio, UseGPU, X, V2Name int
	}
	if err := config.Parse("x.yaml", []byte("grad_norm: 1\nmlp_ratio: 2\nuse_gpu: 3\nx: 4\nv2_name: 5\n"), nil, &got); err != nil {
		t.Fatal(err)
	}
	if got.GradNorm != 1 || got.MLPRatio != 2 || got.UseGPU != 3 || got.X != 4 || got.V2Name != 5 {
		t.Errorf("got %+v", got)
	}
}

func compare(t *testing.T, got, want run) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(duration{}, run{}), cmp.Comparer(func(a, b func()) bool { return true })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestInterpolation(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.npy", "a.npy", "step2", "step10", "step10-unsharded", "stepx", "step11.tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "step99"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OLMO_TEST_DIR", dir)
	t.Setenv("OLMO_TEST_BATCH", "8")
	cases := []struct {
		name, text string
		get        func(run) any
		want       any
	}{
		{"environment to integer", "batch: ${oc.env:OLMO_TEST_BATCH}", func(r run) any { return r.Batch }, 8},
		{"environment default", "batch: ${oc.env:OLMO_TEST_UNSET, 9}", func(r run) any { return r.Batch }, 9},
		{"environment default null", "time_limit: ${oc.env:OLMO_TEST_UNSET,null}", func(r run) any { return r.TimeLimit == nil }, true},
		{"quoted argument", `run_name: ${oc.env:OLMO_TEST_UNSET,"a, b"}`, func(r run) any { return r.RunName }, "a, b"},
		{"glob", "paths: ${path.glob:${oc.env:OLMO_TEST_DIR}/*.npy}", func(r run) any { return r.Paths }, []string{filepath.Join(dir, "a.npy"), filepath.Join(dir, "b.npy")}},
		{"last checkpoint", "load_path: ${path.last_checkpoint:${oc.env:OLMO_TEST_DIR}}", func(r run) any { return r.LoadPath }, filepath.Join(dir, "step10")},
		{"default of the struct", "batch: 3\nrun_name: b${batch}-${optimizer.name}", func(r run) any { return r.RunName }, "b3-adamw"},
		{"whole list", "paths: [x, y]\ndatasets: {a: '${paths}'}", func(r run) any { return r.Datasets["a"] }, []string{"x", "y"}},
		{"through a reference", "wandb: {a: {b: 5}, c: '${wandb.a}', d: '${wandb.c.b}'}", func(r run) any { return r.Wandb.(map[string]any)["d"] }, int64(5)},
		{"parent", "wandb: {a: {b: '${..c}'}, c: hi}", func(r run) any { return r.Wandb.(map[string]any)["a"].(map[string]any)["b"] }, "hi"},
		{"escaped", `run_name: '\${x} \\${batch}'`, func(r run) any { return r.RunName }, `${x} \512`},
		{
			"anchor", "wandb: {a: &x {b: 1}, c: *x, d: {<<: *x, e: 2}}", func(r run) any { return r.Wandb },
			map[string]any{"a": map[string]any{"b": int64(1)}, "c": map[string]any{"b": int64(1)}, "d": map[string]any{"b": int64(1), "e": int64(2)}},
		},
		{"block text", "run_name: |\n  a\n  b\n", func(r run) any { return r.RunName }, "a\nb\n"},
		{
			"numbers", "wandb: [1_000, 0x10, 1e-5, .5, -.inf, 1., 007, '5', 1.5e3, 2e12T]", func(r run) any { return r.Wandb },
			[]any{int64(1000), int64(16), 1e-5, .5, math.Inf(-1), 1., int64(7), "5", 1.5e3, "2e12T"},
		},
		{"one of several paths", "load_path: ${path.choose:/nope,${oc.env:OLMO_TEST_DIR}/step2,${oc.env:OLMO_TEST_DIR}/step10}", func(r run) any { return r.LoadPath }, filepath.Join(dir, "step2")},
		{"an address is taken as it is", "load_path: ${path.choose:/nope,s3://b/x}", func(r run) any { return r.LoadPath }, "s3://b/x"},
		{"empty file", "# nothing\n", func(r run) any { return r.Batch }, 512},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := defaults()
			if err := config.Parse("x.yaml", []byte(c.text), nil, &r); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, c.get(r)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	cases := []struct{ name, text, override, want string }{
		{"unknown key", "seed: 1\noptimizer:\n  learning_rte: 1\n", "", "x.yaml:3: optimizer.learning_rte: unknown key\nhint: did you mean optimizer.learning_rate?"},
		{"unknown override", "", "optimizer.lerning_rate=3", "override: optimizer.lerning_rate: unknown key\nhint: did you mean optimizer.learning_rate?"},
		{"unknown key, like none", "optimizer: {momentum_of_sgd: 1}", "", "x.yaml:1: optimizer.momentum_of_sgd: unknown key\nhint: known here are name, learning_rate, betas, eps"},
		{"unknown key, like none of many", "something_else: 1", "", "x.yaml:1: something_else: unknown key"},
		{"string for integer", "seed: abc", "", `x.yaml:1: seed: is the string "abc", want an integer`},
		{"float for integer", "seed: 1e3", "", "x.yaml:1: seed: is the float 1e3, want an integer"},
		{"null for integer", "batch:\n", "", "x.yaml:1: batch: is null, want an integer"},
		{"list for string", "run_name: [a]", "", "x.yaml:1: run_name: is a list, want a string"},
		{"scalar for mapping", "optimizer: adamw", "", `x.yaml:1: optimizer: is the string "adamw", want a mapping of keys`},
		{"bool for number", "", "optimizer.eps=true", "override: optimizer.eps: is the bool true, want a number"},
		{"too large", "micro: 70000", "", "x.yaml:1: micro: 70000 does not fit in uint16"},
		{"negative", "micro: -1", "", "x.yaml:1: micro: is the integer -1, want an integer from 0"},
		{"array length", "optimizer: {betas: [1]}", "", "x.yaml:1: optimizer.betas: has 1 elements, want 2"},
		{"in a list", "evaluators:\n- label: a\n- limit: b\n", "", `x.yaml:3: evaluators[1].limit: is the string "b", want an integer`},
		{"unmarshaler", "max_duration: soon", "", `x.yaml:1: max_duration: "soon" is no duration`},
		{"duplicate key", "seed: 1\nseed: 2\n", "", "x.yaml:2: "},
		{"two documents", "seed: 1\n---\nseed: 2\n", "", "x.yaml:3: a second YAML document; a config is one"},
		{"a list as config", "- a\n", "", "x.yaml:1: the config is a list, not a mapping of keys"},
		{"syntax", "a: [1\n", "", "x.yaml:1: "},
		{"cycle", "run_name: ${load_path}\nload_path: ${run_name}\n", "", "x.yaml:1: run_name: ${load_path} leads back to itself through load_path, run_name"},
		{"no such key", "run_name: ${nope.x}", "", "x.yaml:1: run_name: ${nope.x}: there is no key nope.x"},
		{"no such resolver", "run_name: ${env:HOME}", "", `x.yaml:1: run_name: unknown resolver "env" in ${env:HOME}` + "\nhint: known are oc.env, path.beside, path.choose, path.glob, path.last_checkpoint"},
		{"unset variable", "run_name: ${oc.env:OLMO_TEST_UNSET}", "", "x.yaml:1: run_name: ${oc.env:OLMO_TEST_UNSET}: the environment variable OLMO_TEST_UNSET is not set"},
		{"glob without match", "paths: ${path.glob:/nope/*}", "", "x.yaml:1: paths: ${path.glob:/nope/*}: /nope/* matches no file or folder"},
		{"open brace", "run_name: 'a${b'", "", "x.yaml:1: run_name: ${ without its closing brace in \"a${b\""},
		{"list within text", "paths: [a]\nrun_name: x${paths}", "", "x.yaml:2: run_name: ${paths} is a list, which cannot stand inside a text"},
		{"no override", "", "seed", `override: "seed" is not of the form key=value`},
		{"override out of range", "paths: [a]", "paths[3]=b", "override: paths[3]: there is no element 3 in a list of 1"},
		{"tag", "run_name: !!str 5", "", "x.yaml:1: tag !!str is not supported"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := defaults()
			var overrides []string
			if c.override != "" {
				overrides = []string{c.override}
			}
			err := config.Parse("x.yaml", []byte(c.text), overrides, &r)
			var e *config.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v (%T), want a *config.Error", err, err)
			}
			if got := err.Error(); got != c.want && (!strings.HasSuffix(c.want, ": ") || !strings.HasPrefix(got, c.want)) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("wandb:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "  a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	var r run
	if err := config.Parse("x.yaml", []byte(b.String()), nil, &r); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("error %v, want one about too many values", err)
	}
}

// TestDepth gives parsers what they would not come back from.
func TestDepth(t *testing.T) {
	deep := "a: 1\nwandb: " + strings.Repeat("[", 300_000)
	var r run
	err := config.Parse("x.yaml", []byte(deep), nil, &r)
	if err == nil || !strings.Contains(err.Error(), "x.yaml:2: it nests deeper than 1000 levels") {
		t.Errorf("error %v, want one about the nesting", err)
	}
	for text, bad := range map[string]bool{deep: true, strings.Repeat("- ", 2000) + "x": true, "a: " + strings.Repeat("[", 900) + strings.Repeat("]", 900): false, strings.Repeat("- [x]\n", 2000): false} {
		if err := config.CheckDepth([]byte(text)); (err != nil) != bad {
			t.Errorf("CheckDepth of %.20q…: %v", text, err)
		}
	}
}

func TestReferenceBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("wandb:\n  a0: [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "  a%d: [%s'${wandb.a%d}']\n", i, strings.Repeat(fmt.Sprintf("'${wandb.a%d}', ", i-1), 9), i-1)
	}
	var r run
	if err := config.Parse("x.yaml", []byte(b.String()), nil, &r); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("error %v, want one about too many values", err)
	}
}

func TestWrite(t *testing.T) {
	limit := 3e12
	want := defaults()
	want.Seed = -4
	want.RunName = "yes"
	want.SaveFolder = `a \${b} ${c}` + "\n\t\"x\" é "
	want.MaxDuration = duration{"2e12T"}
	want.Optimizer.LearningRate = 1e-5
	want.Optimizer.Eps = 1
	want.TimeLimit = &limit
	want.Paths = []string{"1e5", "null", "", "~", "a: b", "- x", "#c", "2024-01-02", "0x10", strings.Repeat("long/", 9)}
	want.Evaluators = []evaluator{{"a", 1}, {"b", 2}}
	want.Datasets = map[string][]string{"c 4": {"x"}, "a": {}, "${z}": nil}
	want.ByName = map[string]evaluator{"n": {"l", 3}}
	want.Compile = &evaluator{"deep", 0}
	want.Wandb = map[string]any{"m": []any{int64(1), 2.5, true, nil, "on", []any{map[string]any{"k": math.Inf(1)}}}, "e": map[string]any{}}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := config.Write(path, &want); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	for _, line := range []string{"seed: -4\n", "run_name: \"yes\"\n", "  learning_rate: 1.0e-05\n", "  betas: [0.9, 0.95]\n", "  eps: 1.0\n", "time_limit: 3.0e+12\n"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	// The defaults differ from want everywhere, so that Load must set all.
	got := run{Batch: 1, Fused: true, Compile: nil}
	if err := config.Load(path, nil, &got); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	compare(t, got, want)
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("%d files beside the config, want 1", len(entries))
	}
}

// A folder that is moved with its configs still means itself.
func TestWriteBeside(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	want := run{RunName: "q/data/a, b/*.zst", Paths: []string{"q/data", "q/database", "q/data/{x}", "q/data/x$"}}
	if err := config.WriteBeside("q/config/x.yaml", &want, "q/data"); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile("q/config/x.yaml")
	for _, line := range []string{`run_name: "${path.beside:'../data/a, b/*.zst'}"`, `"${path.beside:../data}"`, "q/database"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	var got run
	if err := config.Load("q/config/x.yaml", nil, &got); err != nil {
		t.Fatal(err)
	}
	compare(t, got, want)
	if err := os.Rename("q", "moved"); err != nil {
		t.Fatal(err)
	}
	if err := config.Load("moved/config/x.yaml", []string{"save_folder=${path.beside:here}"}, &got); err != nil {
		t.Fatal(err)
	}
	if got.RunName != "moved/data/a, b/*.zst" || got.Paths[0] != "moved/data" || got.SaveFolder != "here" {
		t.Errorf("moved: %q, %q, and %q of an override, which starts at the current folder", got.RunName, got.Paths, got.SaveFolder)
	}
}

// Whatever fails, the config that was there is still there, whole.
func TestWriteFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "config.yaml")
	if err := config.Load(path, nil, &run{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want one about a missing file", err)
	}
	if err := config.Write(path, defaults()); err != nil {
		t.Fatalf("the folder is to be made: %v", err)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	for _, op := range []store.Op{store.OpCreate, store.OpWrite, store.OpSync, store.OpRename} {
		undo := store.InjectFaults(func(o store.Op, _ string) error {
			if o == op {
				return full
			}
			return nil
		})
		err := config.Write(path, &run{Batch: 77})
		undo()
		got, _ := os.ReadFile(path)
		entries, _ := os.ReadDir(filepath.Dir(path))
		if !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "writing config: ") || string(got) != string(want) || len(entries) != 1 {
			t.Errorf("%s fails: error %v, %d files, the config is\n%s", op, err, len(entries), got)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"version", "verify", "train", "eval", "x"}
	for word, want := range map[string]string{"vresion": "version", "trian": "train", "evl": "eval", "evall": "eval", "vxrsion": "version", "verison": "version", "trainn": "train", "rtian": "train", "trian2": "train", "evla": "eval", "veal": "eval", "traxy": "train", "q": "", "something": "", "": ""} {
		if got, _ := config.Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(official, "seed=3")
	f.Add("a: &x [*x]\n", "wandb.a[0]=${..b}")
	f.Add("wandb: {<<: {a: 1}, b: '${.a}'}", "--fused")
	f.Fuzz(func(t *testing.T, text, override string) {
		if strings.Contains(text+override, "path.") {
			t.Skip("reads the file system")
		}
		r := defaults()
		if err := config.Parse("x.yaml", []byte(text), []string{override}, &r); err != nil {
			return
		}
		// What was read must survive being written.
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := config.Write(path, &r); err != nil {
			t.Fatal(err)
		}
		var again run
		if err := config.Load(path, nil, &again); err != nil {
			text, _ := os.ReadFile(path)
			t.Fatalf("%v in\n%s", err, text)
		}
	})
}

func ExampleParse() {
	type model struct {
		Width  int `yaml:"d_model"`
		Layers int `yaml:"n_layers"`
	}
	m := model{Layers: 4}
	err := config.Parse("tiny.yaml", []byte("d_model: 256\n"), []string{"n_layers=6"}, &m)
	fmt.Println(m, err)
	err = config.Parse("tiny.yaml", []byte("d_modl: 256\n"), nil, &m)
	fmt.Println(err)
	// Output:
	// {256 6} <nil>
	// tiny.yaml:1: d_modl: unknown key
	// hint: did you mean d_model?
}

// TestLoadWithoutPaths: a config whose files are on another machine can be looked at.
func TestLoadWithoutPaths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	text := "files: ${path.glob:/gone/*.npy}\nfolder: ${path.choose:/gone/a,/gone/b}/run\nlast: ${path.last_checkpoint:/gone}\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Files        []string
		Folder, Last string
	}
	if err := config.Load(path, nil, &got); err == nil {
		t.Error("Load found files that are not there")
	}
	if err := config.LoadWithoutPaths(path, nil, &got); err != nil || len(got.Files) != 0 || got.Folder != "/run" || got.Last != "" {
		t.Errorf("LoadWithoutPaths gives %+v, %v", got, err)
	}
}
