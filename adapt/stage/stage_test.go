package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/runlog"
	"olmo/train"
)

// chats writes conversations, one of them worthless, and a config over them.
func chats(t *testing.T, dir string, overrides ...string) (*SFTConfig, error) {
	t.Helper()
	if err := lmtest.Write(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, `{"messages":[{"role":"user","content":"What is %d + 1?"},{"role":"assistant","content":"%d"}]}`+"\n", i, i+1)
	}
	config := "model_name_or_path: model\nchat_template_name: tulu.jinja\ndataset_mixer_list: [chats.jsonl, \"1.0\"]\nlearning_rate: 1e-3\nper_device_train_batch_size: 3\n" +
		"output_dir: " + filepath.Join(dir, "out") + "\nmax_seq_length: 96\n"
	template := `{% for m in messages %}<|{{ m.role }}|>
{{ m.content }}{% if m.role == 'assistant' %}.{% endif %}
{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %}`
	for name, text := range map[string]string{"chats.jsonl": b.String(), "sft.yaml": config, "tulu.jinja": template} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return LoadSFT(filepath.Join(dir, "sft.yaml"), overrides)
}

// host is the program around a plan.
func host(t *testing.T) Host {
	return Host{Warn: func(s string) { t.Log(s) }, Device: func() (device.Device, error) { return cpu.New() }, See: func(string, int, int) {}}
}

func tuned(t *testing.T, c interface {
	Plan(context.Context, Host) (*Run, error)
},
) *Run {
	t.Helper()
	r, err := c.Plan(t.Context(), host(t))
	if err != nil {
		t.Fatal(err)
	}
	train1(t, r)
	if err := r.Finish(t.Context(), func(s string) { t.Log(s) }); err != nil {
		t.Fatal(err)
	}
	return r
}

// train1 runs a plan to its end.
func train1(t *testing.T, r *Run) {
	t.Helper()
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(r.Train, dev, train.Options{Files: r.Files, Record: Record})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := tr.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestSFT: a stage leaves a model that opens, with its template; stopped and continued, packed or not,
// it has the same bits.
func TestSFT(t *testing.T) {
	dir := t.TempDir()
	c, err := chats(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	r := tuned(t, c)
	if r.Rows.Count != 20 || r.Train.MaxDuration.Steps != 14 || r.Train.GlobalTrainBatchSize != 3 {
		t.Errorf("%d rows, %+v steps, batches of %d", r.Rows.Count, r.Train.MaxDuration, r.Train.GlobalTrainBatchSize)
	}
	l, err := model.Open(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	from, err := model.Open(filepath.Join(dir, "model"))
	if err != nil {
		t.Fatal(err)
	}
	if l.Config.T != from.Config.T || l.Config.V != from.Config.V {
		t.Errorf("the model has %d positions and %d ids, it began with %d and %d", l.Config.T, l.Config.V, from.Config.T, from.Config.V)
	}
	l.Close()
	from.Close()
	template, err := os.ReadFile(filepath.Join(c.OutputDir, "chat_template.jinja"))
	if err != nil {
		t.Fatal(err)
	}
	var settings struct {
		Template string `json:"chat_template"`
	}
	text, err := os.ReadFile(filepath.Join(c.OutputDir, "tokenizer_config.json"))
	if err != nil || json.Unmarshal(text, &settings) != nil || settings.Template != string(template) || !strings.Contains(settings.Template, "<|assistant|>") {
		t.Errorf("tokenizer_config.json has the template %q, chat_template.jinja %q (%v)", settings.Template, template, err)
	}
	log, err := os.ReadFile(filepath.Join(c.OutputDir, "metrics.jsonl"))
	if err != nil || !strings.Contains(string(log), `"train_loss":`) || !strings.Contains(string(log), `"learning_rate":`) || !strings.Contains(string(log), `"train/target_tokens":`) {
		t.Errorf("metrics.jsonl: %s (%v)", log, err)
	}
	chain, err := os.ReadFile(filepath.Join(c.OutputDir, "chain.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for name, overrides := range map[string][]string{
		"packing":          {"packing=true"},
		"in micro-batches": {"gradient_accumulation_steps=3", "per_device_train_batch_size=1"},
		"without noise":    {"neftune_noise_alpha=0"},
		"in two processes": {"per_device_train_batch_size=1", "num_processes=3"},
	} {
		c, err := chats(t, t.TempDir(), overrides...)
		if err != nil {
			t.Fatal(err)
		}
		tuned(t, c)
		got, err := os.ReadFile(filepath.Join(c.OutputDir, "chain.jsonl"))
		if err != nil || string(members(got, "loss")) != string(members(chain, "loss")) {
			t.Errorf("%s: another run (%v)", name, err)
		}
	}
	// Once more does nothing, and takes the rows that are there.
	again, err := chats(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(r.Rows.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	tuned(t, again)
	if after, err := os.Stat(r.Rows.Tokens); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the rows were made again (%v)", err)
	}
}

// members are the values of a member in the lines of a chain.
func members(chain []byte, name string) (values []byte) {
	for line := range strings.Lines(string(chain)) {
		if _, after, ok := strings.Cut(line, `"`+name+`":"`); ok {
			values = append(append(values, after[:16]...), '\n')
		}
	}
	return values
}

// TestRefused: what cannot be, or is not here, is an error before anything is computed.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		overrides []string
		want      string
	}{
		{[]string{"dataset_transform_fn=[sft_tulu_tokenise_v1]"}, "dataset_transform_fn names"},
		{[]string{"dataset_transform_fn=[sft_filter_v1]"}, "tokenises nothing"},
		{[]string{"dataset_transform_fn=[sft_tokenize_v1]", "train_on=last"}, "train_on is last"},
		{[]string{"reduction=means"}, "did you mean mean?"},
		{[]string{"learning_rat=1"}, "learning_rat"},
		{[]string{"per_device_train_batch_size=0"}, "must be positive"},
		{[]string{"clip_grad_norm=1", "max_grad_norm=2"}, "are both set, to different values"},
		{[]string{"transform_fn=[sft_tokenize_v1]", "dataset_transform_fn=[sft_tulu_filter_v1]"}, "transform_fn and dataset_transform_fn are both set"},
		{[]string{"optimizer_type=muon"}, "optimizer_type muon is set, and this program does not do that"},
		{[]string{"clip_grad_norm=0"}, "clip_grad_norm is 0, it must be above 0"},
		{[]string{"output_dir="}, "output_dir is not set"},
		{[]string{"dataset_name=more.jsonl"}, "dataset_name and dataset_mixer_list are both set"},
		{[]string{"final_lr_ratio=0.1", "lr_scheduler_type=cosine"}, "final_lr_ratio"},
		{[]string{"neftune_noise_alpha=-1"}, "neftune_noise_alpha is -1"},
		{[]string{"chat_template_name=tulo"}, "did you mean tulu"},
		{[]string{"dataset_mixer_list=[gone.jsonl, \"1.0\"]"}, "gone.jsonl"},
		{[]string{"model_name_or_path=nowhere"}, "nowhere"},
		{[]string{"max_seq_length=4"}, "no row is left"},
		{[]string{"checkpointing_steps=often"}, "checkpointing_steps"},
	} {
		cfg, err := chats(t, t.TempDir(), c.overrides...)
		if err == nil {
			_, err = cfg.Plan(t.Context(), host(t))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.overrides, err, c.want)
		}
	}
}

// TestMixture: shares count the rows of a file, other programs' forms are said, and a row that is
// none ends it with its line, or is kept with it where it is left out.
func TestMixture(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.jsonl")
	text := `{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}` + "\n" + `{"messages":[{"role":"human","content":"q"}]}` + "\n"
	if err := os.WriteFile(bad, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	list := "dataset_mixer_list=[" + filepath.Join(dir, "chats.jsonl") + ", '0.25', " + bad + ", '1.0']"
	rows := func(overrides ...string) (*Rows, error) {
		t.Helper()
		c, err := chats(t, dir, append(overrides, list)...)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Plan(t.Context(), host(t))
		if err != nil {
			return nil, err
		}
		return r.Rows, nil
	}
	if _, err := rows(); err == nil || !strings.Contains(err.Error(), "bad.jsonl:2: (byte 76): messages[0].role is \"human\"") {
		t.Errorf("a row that is none: %v", err)
	}
	r, err := rows("skip_bad_rows=true")
	if err != nil {
		t.Fatal(err)
	}
	if r.Count != 6 || r.Skipped != 1 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "ShareGPT") {
		t.Errorf("%+v", r)
	}
	kept, err := os.ReadFile(r.Rejects)
	if err != nil || !strings.Contains(string(kept), `"line":2`) || !strings.Contains(string(kept), `bad.jsonl"`) {
		t.Errorf("rejects: %s, %v", kept, err)
	}
	if _, err := rows("seed=4294967296"); err == nil || !strings.Contains(err.Error(), "seed is 4294967296") {
		t.Errorf("a seed of 33 bits: %v", err)
	}
}

// pairs writes chosen and rejected answers, and a config over them.
func pairs(t *testing.T, dir string, overrides ...string) *DPOConfig {
	t.Helper()
	if _, err := chats(t, dir); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range 12 {
		turn := fmt.Sprintf(`{"role":"user","content":"What is %d + 1?"},{"role":"assistant","content":`, i)
		fmt.Fprintf(&b, `{"chosen":[%s"%d"}],"rejected":[%s"I do not know."}]}`+"\n", turn, i+1, turn)
	}
	config := "model_name_or_path: model\nchat_template_name: tulu.jinja\ndataset_mixer_list: [pairs.jsonl, \"1.0\"]\nlearning_rate: 1e-3\nlr_scheduler_type: constant\nper_device_train_batch_size: 4\n" +
		"num_train_epochs: 3\nloss_type: dpo\nbeta: 0.1\noutput_dir: " + filepath.Join(dir, "out") + "\n"
	for name, text := range map[string]string{"pairs.jsonl": b.String(), "dpo.yaml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c, err := LoadDPO(filepath.Join(dir, "dpo.yaml"), overrides)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDPO: pairs make the chosen answers more probable; in other micro-batches and stopped in between the
// bits are the same, and what the reference says is computed once.
func TestDPO(t *testing.T) {
	read := func(c *DPOConfig, name string) []byte {
		text, err := os.ReadFile(filepath.Join(c.OutputDir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	c := pairs(t, t.TempDir())
	tuned(t, c)
	records, err := runlog.Read(filepath.Join(c.OutputDir, "metrics.jsonl"))
	if err != nil || len(records) != 9 {
		t.Fatalf("%d steps, %v", len(records), err)
	}
	first, last := records[0], records[8]
	if got := first["train_loss"]; got != 0.6931471805599453 || first["rewards/margin"] != 0.0 {
		t.Errorf("before the first update the loss is %v and the margin %v, want log 2 and 0", got, first["rewards/margin"])
	}
	if last["rewards/accuracy"] != 1.0 || last["train_loss"].(float64) >= 0.69 {
		t.Errorf("in the end %v", last)
	}
	l, err := model.Open(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	chain := read(c, "chain.jsonl")

	// In parts, and stopped after the second step.
	again := pairs(t, t.TempDir(), "per_device_train_batch_size=1", "gradient_accumulation_steps=4")
	r, err := again.Plan(t.Context(), host(t))
	if err != nil {
		t.Fatal(err)
	}
	r.Train.DeviceTrainMicrobatchSize = 1
	two := 2
	r.Train.StopAt = &two
	train1(t, r)
	r, err = again.Plan(t.Context(), Host{Warn: func(string) {}, Device: func() (device.Device, error) {
		t.Error("the reference's log-probabilities are computed twice")
		return cpu.New()
	}})
	if err != nil {
		t.Fatal(err)
	}
	train1(t, r)
	if got := read(again, "chain.jsonl"); string(members(got, "loss")) != string(members(chain, "loss")) || string(members(got, "weights")) != string(members(chain, "weights")) {
		t.Errorf("another run:\n%s\n%s", got, chain)
	}
}

// TestBeyondPositions: a row that has more tokens than the model has positions is cut there, and counted,
// whatever max_seq_length says.
func TestBeyondPositions(t *testing.T) {
	dir := t.TempDir()
	c, err := chats(t, dir, "max_seq_length=1000", "train_on=all")
	if err != nil {
		t.Fatal(err)
	}
	long := `{"messages":[{"role":"user","content":"` + strings.Repeat("what? ", 100) + `"},{"role":"assistant","content":"4"}]}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "chats.jsonl"), []byte(long), 0o666); err != nil {
		t.Fatal(err)
	}
	var warned []string
	h := host(t)
	h.Warn = func(s string) { warned = append(warned, s) }
	r, err := c.Plan(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.Rows.Counts, "cut 1;") || r.Rows.Longest != 64 || r.Train.Data.RowLength != 64 {
		t.Errorf("%s; the longest row has %d tokens, and is cut at %d", r.Rows.Counts, r.Rows.Longest, r.Train.Data.RowLength)
	}
	if !strings.Contains(strings.Join(warned, "\n"), "the model has 64 positions") {
		t.Errorf("warned of %v", warned)
	}
}
