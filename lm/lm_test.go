package lm_test

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"olmo/chat"
	"olmo/device/cpu"
	"olmo/generate"
	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/tensor"
	"olmo/tokenizer"
	"olmo/train"
	"olmo/weights"
)

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, text, 0o666)); err != nil {
		t.Fatal(err)
	}
}

// models writes one model in every layout that can be opened, and returns the paths by
// what they are. A GGUF file has its tokenizer inside.
func models(t testing.TB) map[string]string {
	t.Helper()
	dir := t.TempDir()
	paths := map[string]string{
		"a Hugging Face folder": filepath.Join(dir, "hf"),
		"a checkpoint":          filepath.Join(dir, "q", "run", "step7"),
		"a run":                 filepath.Join(dir, "q", "run"),
		"a quickstart folder":   filepath.Join(dir, "q"),
		"a GGUF file":           filepath.Join(dir, "gguf", "model.gguf"),
		"a folder of one GGUF":  filepath.Join(dir, "gguf"),
	}
	hf := paths["a Hugging Face folder"]
	if err := lmtest.Write(hf); err != nil {
		t.Fatal(err)
	}
	l, err := model.Open(hf)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tok, err := os.ReadFile(l.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(paths["a checkpoint"], "tokenizer.json"), tok)
	v, err := tokenizer.GGUFOf(tok, l.Config.V)
	if err != nil {
		t.Fatal(err)
	}
	vocabulary := []weights.KV{
		{Key: "tokenizer.ggml.model", Value: v.Model},
		{Key: "tokenizer.ggml.pre", Value: v.Pre},
		{Key: "tokenizer.ggml.tokens", Value: v.Tokens},
		{Key: "tokenizer.ggml.token_type", Value: v.Types},
		{Key: "tokenizer.ggml.merges", Value: v.Merges},
		{Key: "tokenizer.ggml.eos_token_id", Value: uint32(0)},
	}
	err = errors.Join(
		os.Mkdir(paths["a folder of one GGUF"], 0o777),
		model.SaveAI2(paths["a checkpoint"], l.Config, l.Param, tensor.F32, nil),
		model.SaveGGUF(paths["a GGUF file"], l.Config, l.Param, tensor.F32, vocabulary, nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func openModel(t testing.TB, path string, o lm.Options) *lm.Model {
	t.Helper()
	m, err := lm.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func generator(t testing.TB, m *lm.Model) *lm.Generator {
	t.Helper()
	g, err := m.Generator()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func answer(t testing.TB, g *lm.Generator, r lm.Request) lm.Answer {
	t.Helper()
	a, err := g.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestOpen opens one model in each of its layouts: all continue a text alike.
func TestOpen(t *testing.T) {
	paths := models(t)
	var want lm.Answer
	for _, kind := range slices.Sorted(maps.Keys(paths)) {
		m := openModel(t, paths[kind], lm.Options{})
		if m.Tokenizer == nil || !slices.Equal(m.Stop, []int32{0}) || m.Path != paths[kind] || m.Files == nil {
			t.Errorf("%s: a tokenizer %v, stops %v, path %s", kind, m.Tokenizer != nil, m.Stop, m.Path)
			continue
		}
		prompt, err := m.Encode("The cat")
		if err != nil {
			t.Fatal(err)
		}
		got := answer(t, generator(t, m), lm.Request{Prompt: prompt, MaxTokens: 12})
		if want.IDs == nil {
			want = got
		}
		if got.Text != want.Text || !slices.Equal(got.Logprobs, want.Logprobs) || len(got.IDs) != 12 {
			t.Errorf("%s writes %q %v, want %q %v", kind, got.Text, got.Logprobs, want.Text, want.Logprobs)
		}
	}
	hf := paths["a Hugging Face folder"]
	write(t, filepath.Join(hf, "generation_config.json"), []byte(`{"eos_token_id":[0,7]}`))
	if m := openModel(t, hf, lm.Options{}); !slices.Equal(m.Stop, []int32{0, 7}) {
		t.Errorf("stops are %v, want those of generation_config.json too", m.Stop)
	}
	if _, err := lm.Open(t.TempDir(), lm.Options{}); err == nil || !strings.Contains(err.Error(), "holds no model") {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestNoTokenizer: a model without a tokenizer works on ids, and says so where it cannot.
func TestNoTokenizer(t *testing.T) {
	path := models(t)["a Hugging Face folder"]
	own := openModel(t, path, lm.Options{}).Tokenizer
	file := filepath.Join(path, "tokenizer.json")
	write(t, file, []byte("{"))
	if _, err := lm.Open(path, lm.Options{}); err == nil {
		t.Error("a damaged tokenizer.json: no error")
	}
	if got := openModel(t, path, lm.Options{Tokenizer: own}).Tokenizer; got != own {
		t.Errorf("with another tokenizer the model has %v", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	m := openModel(t, path, lm.Options{})
	if a := answer(t, generator(t, m), lm.Request{Prompt: []int32{5, 6}, MaxTokens: 4}); len(a.IDs) != 4 || a.Text != "" {
		t.Errorf("from ids: %+v", a)
	}
	if _, err := m.Encode("text"); err == nil {
		t.Error("encoding a text: no error")
	}
	if _, err := m.Chat(chat.Transcript{}); err == nil {
		t.Error("chatting: no error")
	}
}

// TestDigest: the digest is that of the files, also when their weights are on the device.
func TestDigest(t *testing.T) {
	m := openModel(t, models(t)["a checkpoint"], lm.Options{})
	before, err := m.Digest()
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Files.Set.Digest()
	if err != nil {
		t.Fatal(err)
	}
	generator(t, m)
	after, err := m.Digest()
	if err != nil || before != after || before != hex.EncodeToString(want[:]) {
		t.Errorf("digest %s, with the weights on the device %s (%v), want %x", before, after, err, want)
	}
	unopened, err := lm.New(m.Config, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unopened.Digest(); err == nil {
		t.Error("a model without files: no error")
	}
}

// TestSpecialIDs: a prompt has the ids that the tokenizer puts around a text.
func TestSpecialIDs(t *testing.T) {
	path := models(t)["a Hugging Face folder"]
	file := filepath.Join(path, "tokenizer.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	all["post_processor"] = json.RawMessage(`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|padding|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],` +
		`"pair":[],"special_tokens":{"<|padding|>":{"id":"<|padding|>","ids":[1],"tokens":["<|padding|>"]}}}`)
	if text, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	write(t, file, text)
	m := openModel(t, path, lm.Options{})
	got, err := m.Encode("cat")
	if want := must(m.Tokenizer.AppendEncode([]int32{1}, "cat")); err != nil || !slices.Equal(got, want) {
		t.Errorf("the prompt is %v (%v), want %v", got, err, want)
	}
}

// TestStops: a model that was not opened stops at its config's end of text, if that has one.
func TestStops(t *testing.T) {
	for _, c := range []struct {
		eos  int32
		want []int32
	}{{0, []int32{0}}, {7, []int32{7}}, {-1, nil}} {
		m, err := lm.New(&model.Config{EOS: c.eos}, lm.Options{})
		if err != nil || !slices.Equal(m.Stop, c.want) {
			t.Errorf("end of text %d: stops %v (%v), want %v", c.eos, m.Stop, err, c.want)
		}
	}
}

// TestText holds the pieces of an answer against the whole, and ends it at a text.
func TestText(t *testing.T) {
	m := openModel(t, models(t)["a Hugging Face folder"], lm.Options{})
	g := generator(t, m)
	prompt, err := m.Encode("The dog")
	if err != nil {
		t.Fatal(err)
	}
	r := lm.Request{Prompt: prompt, MaxTokens: 30, Sampling: generate.Sampling{Temperature: 1, Seed: 3}}
	whole := answer(t, g, r)
	var told strings.Builder
	tell := func(piece string) bool {
		told.WriteString(piece)
		return true
	}
	r.Text = tell
	if again := answer(t, g, r); again.Text != whole.Text || told.String() != whole.Text || whole.Text == "" {
		t.Errorf("the pieces are %q, the answer %q and %q", told.String(), again.Text, whole.Text)
	}
	middle := len(whole.Text) / 2
	for !utf8.RuneStart(whole.Text[middle]) {
		middle++
	}
	stop := whole.Text[middle:min(len(whole.Text), middle+5)]
	want, _, _ := strings.Cut(whole.Text, stop)
	told.Reset()
	r.StopTexts = []string{"not there", stop}
	if a := answer(t, g, r); a.Text != want || told.String() != want || a.Reason != "stop" {
		t.Errorf("stopped before %q: %q, told %q, %s; want %q", stop, a.Text, told.String(), a.Reason, want)
	}
	calls := 0
	r.StopTexts, r.Text = nil, func(string) bool { calls++; return calls < 3 }
	if a := answer(t, g, r); calls != 3 || len(a.IDs) != 3 {
		t.Errorf("ended by the listener after %d pieces and %d ids, want 3", calls, len(a.IDs))
	}
}

// TestChat asks twice in one conversation; the second answer takes over what the first one
// computed, to the same bits.
func TestChat(t *testing.T) {
	path := models(t)["a Hugging Face folder"]
	ask := func(c *lm.Chat, messages ...string) (texts []string) {
		t.Helper()
		var all []chat.Message
		for _, text := range messages {
			all = append(all, chat.Message{Role: chat.User, Content: text})
			prompt, _, err := c.Prompt(all, 40)
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Answer(t.Context(), lm.Request{Prompt: prompt, MaxTokens: 6})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, chat.Message{Role: chat.Assistant, Content: a.Text})
			texts = append(texts, a.Text)
		}
		return texts
	}
	open := func() *lm.Chat {
		t.Helper()
		m := openModel(t, path, lm.Options{})
		f, err := m.ChatFormat()
		if err != nil {
			t.Fatal(err)
		}
		c, err := m.Chat(f)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open()
	if _, ok := c.Format.(chat.Transcript); !ok {
		t.Errorf("a model without a template has the form %T, want the transcript", c.Format)
	}
	one := ask(c, "cat", "mat")
	if two := ask(open(), "cat", "mat"); !slices.Equal(one, two) {
		t.Errorf("the same conversation gives %q and %q", one, two)
	}
	long := []chat.Message{{Role: chat.User, Content: "a"}, {Role: chat.Assistant, Content: "b"}, {Role: chat.User, Content: "c"}}
	whole, dropped, err := c.Prompt(long, 64)
	if err != nil || dropped != 0 {
		t.Fatal(dropped, err)
	}
	if part, dropped, err := c.Prompt(long, len(whole)-1); err != nil || dropped != 2 || len(part) >= len(whole) {
		t.Errorf("a conversation that has one token too many loses %d messages (%v), want 2", dropped, err)
	}

	write(t, filepath.Join(path, "tokenizer_config.json"), []byte(`{"eos_token":{"content":"<|endoftext|>"},"chat_template":[{"name":"other","template":"-"},{"name":"default","template":"{{ messages[0]['content'] }}{{ eos_token }}"}]}`))
	tok := openModel(t, path, lm.Options{}).Tokenizer
	c = open()
	if _, ok := c.Format.(*chat.Template); !ok {
		t.Fatalf("a model with a template has the form %T", c.Format)
	}
	prompt, _, err := c.Prompt([]chat.Message{{Role: chat.User, Content: " cat"}}, 40)
	if want := append(must(tok.AppendEncode(nil, " cat")), 0); err != nil || !slices.Equal(prompt, want) {
		t.Errorf("the template makes %v (%v), want %v", prompt, err, want)
	}
	// special_tokens_map.json counts before tokenizer_config.json, unless that has an
	// added_tokens_decoder.
	write(t, filepath.Join(path, "chat_template.jinja"), []byte("{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}"))
	cat := must(tok.AppendEncode(nil, " cat"))
	for _, c := range []struct {
		older, config string
		want          []int32
	}{
		{`{"bos_token":"<|padding|>"}`, `{"eos_token":{"content":"<|endoftext|>"}}`, slices.Concat([]int32{1}, cat, []int32{0})},
		{`{"bos_token":"<|padding|>","eos_token":"<|padding|>"}`, `{"eos_token":"<|endoftext|>"}`, slices.Concat([]int32{1}, cat, []int32{1})},
		{`{"bos_token":"<|padding|>","eos_token":"<|padding|>"}`, `{"eos_token":"<|endoftext|>","added_tokens_decoder":{}}`, slices.Concat(cat, []int32{0})},
	} {
		write(t, filepath.Join(path, "special_tokens_map.json"), []byte(c.older))
		write(t, filepath.Join(path, "tokenizer_config.json"), []byte(c.config))
		prompt, _, err := open().Prompt([]chat.Message{{Role: chat.User, Content: " cat"}}, 40)
		if err != nil || !slices.Equal(prompt, c.want) {
			t.Errorf("with %s and %s the template makes %v (%v), want %v", c.older, c.config, prompt, err, c.want)
		}
	}
	write(t, filepath.Join(path, "chat_template.jinja"), []byte("{{ bos_token"))
	if _, err := openModel(t, path, lm.Options{}).ChatFormat(); err == nil {
		t.Error("a template with a mistake: no error")
	}
}

// TestChatTemplates wants the template and the names that Transformers 5.23 finds in such files.
func TestChatTemplates(t *testing.T) {
	path := models(t)["a Hugging Face folder"]
	const names = `{{ bos_token }}|{{ sep_token }}|{{ image_token }}|{{ foo_token }}|{{ x }}|{{ add_bos_token }}`
	cases := []struct{ name, settings, specials, want, fail string }{
		{"any token by name", `{"chat_template":"` + names + `","bos_token":"<s>","image_token":"<img>","add_bos_token":true,"extra_special_tokens":{"foo_token":"<foo>","x":"y"}}`, "", "<s>||<img>|<foo>|y|", ""},
		{"of special_tokens_map.json", `{"chat_template":"` + names + `","extra_special_tokens":["<a>"]}`, `{"bos_token":{"content":"<s>"},"sep_token":"S","image_token":"II","extra_special_tokens":{"foo_token":"<foo>"}}`, "<s>|S|II|<foo>||", ""},
		{"none is no token", `{"chat_template":"` + names + `","bos_token":null,"model_specific_special_tokens":{"foo_token":"<foo>"}}`, `{"bos_token":"<s>"}`, "<s>|||<foo>||", ""},
		{"an object of templates", `{"chat_template":{"default":"d","b":"x"}}`, "", "d", ""},
		{"a list without a default", `{"chat_template":[{"name":"tool_use","template":"x"},{"name":"rag","template":"y"}]}`, "", "", "several templates by name (rag, tool_use) and none is the default"},
		{"an object without a default", `{"chat_template":{"b":"x"}}`, "", "", "(b) and none is the default"},
		{"no template", `{"chat_template":5}`, "", "", "neither a text nor several by name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			write(t, filepath.Join(path, "tokenizer_config.json"), []byte(c.settings))
			write(t, filepath.Join(path, "special_tokens_map.json"), []byte(cmp.Or(c.specials, "{}")))
			f, err := openModel(t, path, lm.Options{}).ChatFormat()
			if err != nil || c.fail != "" {
				if err == nil || c.fail == "" || !strings.Contains(err.Error(), c.fail) {
					t.Fatalf("error %v, want %q", err, c.fail)
				}
				return
			}
			if got, err := f.Prompt(nil); got != c.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// trainer begins the training of package train's tiny model.
func trainer(t testing.TB, overrides ...string) *train.Trainer {
	t.Helper()
	cfg, err := train.LoadConfig("../train/testdata/tiny.yaml", append([]string{"save_folder=" + t.TempDir()}, overrides...))
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(cfg, dev, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// copied is a model of its own with the weights that a trainer holds now.
func copied(t testing.TB, tr *train.Trainer) *lm.Model {
	t.Helper()
	m, err := lm.New(tr.Model(), lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Room for the weights is made by the first program.
	if _, err := m.Scorer(8); err != nil {
		t.Fatal(err)
	}
	for _, p := range tr.Model().Params() {
		w, err := tr.Device().Read(p.Name)
		if err == nil {
			err = m.Device.Write(p.Name, w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestTrainersWeights trains under a generator and a scorer that are kept: after each step
// they answer as those that are made of the new weights.
func TestTrainersWeights(t *testing.T) {
	tr := trainer(t)
	m, err := lm.OfTrainer(tr, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := generator(t, m)
	s, err := m.Scorer(8)
	if err != nil {
		t.Fatal(err)
	}
	r := lm.Request{Prompt: []int32("Once upon"), MaxTokens: 8}
	unit := []lm.Sequence{{IDs: []int32("cat"), Targets: []int32("ats")}, {IDs: []int32("car"), Targets: []int32("arm")}}
	sums := func(s *lm.Scorer) []float64 {
		t.Helper()
		var nats []float64
		for _, l := range likelihoods(t, s, unit, lm.ScoreOptions{}) {
			for _, v := range l.Nats {
				nats = append(nats, float64(v))
			}
		}
		return append(nats, float64(score(t, s, unit[0])[0][2]))
	}
	var last []float64
	for step := range 3 {
		got, nats := answer(t, g, r), sums(s)
		if slices.Equal(got.Logprobs, last) {
			t.Errorf("after %d steps the answer is that of the weights before", step)
		}
		last = got.Logprobs
		fresh := copied(t, tr)
		if want := answer(t, generator(t, fresh), r); !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Logprobs, want.Logprobs) {
			t.Errorf("after %d steps %v %v, want %v %v", step, got.IDs, got.Logprobs, want.IDs, want.Logprobs)
		}
		scorer, err := fresh.Scorer(8)
		if err != nil {
			t.Fatal(err)
		}
		if want := sums(scorer); !slices.Equal(nats, want) {
			t.Errorf("after %d steps scores are %v, want %v", step, nats, want)
		}
		if _, err := tr.Step(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogits holds the logits of sequences against the log-probabilities of a scorer.
func TestLogits(t *testing.T) {
	m := openModel(t, models(t)["a checkpoint"], lm.Options{})
	rows := [][]int32{{2, 3, 4, 5}, {9, 8, 7, 6}}
	done := 0
	logits, hidden, err := m.Logits(t.Context(), rows, lm.LogitsOptions{Hidden: true, Each: func(n int) { done = n }})
	if err != nil {
		t.Fatal(err)
	}
	c := m.Config
	if !slices.Equal(logits.Shape, []int{2, 4, c.V}) || !slices.Equal(hidden.Shape, []int{3, 2, 4, 32}) || done != 2 {
		t.Fatalf("logits %v, hidden states %v, %d sequences", logits.Shape, hidden.Shape, done)
	}
	x, err := logits.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Scorer(8)
	if err != nil {
		t.Fatal(err)
	}
	for i, ids := range rows {
		nats := score(t, s, lm.Sequence{IDs: ids[:3], Targets: ids[1:]})[0]
		for j, n := range nats {
			row := x[(i*4+j)*c.V:][:c.V]
			if want := cpu.LSE(row) - row[ids[j+1]]; n != want {
				t.Errorf("sequence %d, token %d: %v nats, want %v of the logits", i, j+1, n, want)
			}
		}
	}
}

// TestHiddenStates: the states of each sequence are those of the sequence alone, from the rows
// of the embedding to what the head reads; nobody who does not ask gets them.
func TestHiddenStates(t *testing.T) {
	path := models(t)["a Hugging Face folder"]
	files, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	table, err := files.Param("transformer.wte.weight")
	if err != nil {
		t.Fatal(err)
	}
	head, err := files.Param("transformer.ff_out.weight")
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]int32{{2, 3, 4, 5}, {9, 8, 7, 6}, {11, 2, 30, 1}}
	ask := func(rows [][]int32, o lm.LogitsOptions) (logits, hidden []float32) {
		t.Helper()
		l, h, err := openModel(t, path, lm.Options{}).Logits(t.Context(), rows, o)
		if err != nil {
			t.Fatal(err)
		}
		if logits, err = l.Float32s(); err == nil && o.Hidden {
			hidden, err = h.Float32s()
		} else if h.Shape != nil {
			t.Errorf("hidden states of shape %v without being asked for", h.Shape)
		}
		if err != nil {
			t.Fatal(err)
		}
		return logits, hidden
	}
	logits, hidden := ask(rows, lm.LogitsOptions{Hidden: true})
	if plain, _ := ask(rows, lm.LogitsOptions{}); !slices.Equal(plain, logits) {
		t.Error("the logits are others when the hidden states are asked for")
	}
	c := files.Config
	const B, T = 3, 4
	for i, ids := range rows {
		_, alone := ask(rows[i:i+1], lm.LogitsOptions{Hidden: true})
		for l := range c.Layers + 1 {
			for j := range T {
				state := hidden[((l*B+i)*T+j)*c.C:][:c.C]
				if !slices.Equal(state, alone[(l*T+j)*c.C:][:c.C]) {
					t.Errorf("state %d of sequence %d, token %d is another one than that of the sequence alone", l, i, j)
				}
				if want := table[int(ids[j])*c.C:][:c.C]; l == 0 && !slices.Equal(state, want) {
					t.Errorf("sequence %d, token %d begins with another row than that of id %d", i, j, ids[j])
				}
				if l == c.Layers {
					var want float64
					for k, x := range state {
						want += float64(x) * float64(head[5*c.C+k])
					}
					if got := float64(logits[(i*T+j)*c.V+5]); got-want > 1e-4 || want-got > 1e-4 {
						t.Errorf("sequence %d, token %d: logit %v, the last state's is %v", i, j, got, want)
					}
				}
			}
		}
	}
}

// TestGGUFChat: a GGUF file has the template and the special tokens in its metadata.
func TestGGUFChat(t *testing.T) {
	from := models(t)["a GGUF file"]
	g, err := weights.OpenGGUF(from)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	path := filepath.Join(t.TempDir(), "model.gguf")
	kv := append(slices.Clone(g.KV), weights.KV{Key: "tokenizer.chat_template", Value: "{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}"}, weights.KV{Key: "tokenizer.ggml.bos_token_id", Value: uint32(1)})
	if err := weights.WriteGGUF(path, kv, g.All()); err != nil {
		t.Fatal(err)
	}
	m := openModel(t, path, lm.Options{})
	f, err := m.ChatFormat()
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Chat(f)
	if err != nil {
		t.Fatal(err)
	}
	prompt, _, err := c.Prompt([]chat.Message{{Role: chat.User, Content: " cat"}}, 40)
	if want := append(must(m.Tokenizer.AppendEncode([]int32{1}, " cat")), 0); err != nil || !slices.Equal(prompt, want) {
		t.Errorf("the template makes %v (%v), want %v", prompt, err, want)
	}
	if f, err := openModel(t, from, lm.Options{}).ChatFormat(); err != nil || f != (chat.Transcript{}) {
		t.Errorf("a file without a template has the form %T (%v)", f, err)
	}
}

// TestOpenNothing: the error names what could not be opened.
func TestOpenNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if _, err := lm.Open(path, lm.Options{}); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "opening the model "+path+": ") {
		t.Errorf("error %v", err)
	}
}

func ExampleOpen() {
	// A model of random weights; it could be a quickstart folder, a run, one of Hugging Face's.
	dir, err := os.MkdirTemp("", "olmo-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := lmtest.Write(dir); err != nil {
		log.Fatal(err)
	}
	m, err := lm.Open(dir, lm.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	g, err := m.Generator()
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := m.Encode("Package json implements")
	if err != nil {
		log.Fatal(err)
	}
	a, err := g.Generate(context.Background(), lm.Request{Prompt: prompt, MaxTokens: 8})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(a.IDs), "new ids")
	// Output: 8 new ids
}

func ExampleNew() {
	// Random weights; they could be those of a run: lm.OfTrainer.
	c := &model.Config{Family: "olmo2", Layers: 1, C: 16, H: 2, KV: 2, D: 8, F: 16, VocabSize: 32, V: 32, T: 24, NormEps: 1e-6, RopeTheta: 10000}
	m, err := lm.New(c, lm.Options{})
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.Scorer(c.T)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range c.Params() {
		w, err := model.Init{Fn: "normal", Std: 0.5}.Weights(c, p, 1)
		if err != nil {
			log.Fatal(err)
		}
		if err := m.Device.Write(p.Name, w); err != nil {
			log.Fatal(err)
		}
	}
	err = s.Score(context.Background(), []lm.Sequence{{IDs: []int32{1, 2, 3}, Targets: []int32{2, 3, 4}}}, func(i int, nats []float32) {
		fmt.Println("sequence", i, "has", len(nats), "scores")
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: sequence 0 has 3 scores
}

// must returns what a call gives that has no reason to fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
