package adapt

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/chat"
	"olmo/data"
	"olmo/tokenizer"
)

// encoderFor is an encoder with the tokenizer of testdata and a template: a name, or its text.
func encoderFor(t *testing.T, template string, on TrainOn) *Encoder {
	t.Helper()
	tok, err := tokenizer.Load("testdata/tokenizer")
	if err != nil {
		t.Fatal(err)
	}
	var tpl *chat.Template
	if strings.Contains(template, "{") {
		tpl, err = chat.ParseTemplate(template, map[string]string{"eos_token": "<|endoftext|>"})
	} else {
		tpl, err = Template(template, "testdata/tokenizer", false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Encoder{Template: tpl, Tokenizer: tok, TrainOn: on}
}

// brackets is a conversation's text with what trains in brackets.
func brackets(t *testing.T, e *Encoder, line string) (string, *Example) {
	t.Helper()
	r, err := ParseRow([]byte(line), SFT)
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.Encode(&r.Conversation)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	trains := false
	for i, id := range x.IDs {
		if now := x.Labels[i] != Masked; now != trains {
			b.WriteString(map[bool]string{true: "[", false: "]"}[now])
			trains = now
		}
		b.WriteString(e.Tokenizer.Decode([]int32{id}, false))
	}
	if trains {
		b.WriteString("]")
	}
	return b.String(), x
}

const twoTurns = `{"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"q"},{"role":"user","content":"r"},{"role":"assistant","content":"s"}]}`

// Templates of which a part is open-instruct's and a part our own: generation blocks, and what
// train_on chooses.
func TestTrainOn(t *testing.T) {
	const marked = `{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{{ eos_token }}{% else %}{{ m.content }}{% endif %}{% endfor %}`
	const tools = `{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}`
	const called = `{"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"f()"},{"role":"tool","content":"42"},{"role":"assistant","content":"s"}]}`
	const eos = "<|endoftext|>"
	for _, c := range []struct {
		name, template string
		on             TrainOn
		line, want     string
	}{
		{"every answer", "tulu", EveryAnswer, twoTurns, "<|user|>\np\n<|assistant|>\n[q" + eos + "]\n<|user|>\nr\n<|assistant|>\n[s" + eos + "]"},
		{"the last", "tulu", LastAnswer, twoTurns, "<|user|>\np\n<|assistant|>\nq" + eos + "\n<|user|>\nr\n<|assistant|>\n[s" + eos + "]"},
		{"all", "tulu", EveryTurn, twoTurns, "[<|user|>\np\n<|assistant|>\nq" + eos + "\n<|user|>\nr\n<|assistant|>\ns" + eos + "]"},
		{"generation", marked, EveryAnswer, twoTurns, "<user>p<assistant>[q]" + eos + "<user>r<assistant>[s]" + eos},
		{"the last generation", marked, LastAnswer, twoTurns, "<user>p<assistant>q" + eos + "<user>r<assistant>[s]" + eos},
		{"all with a tool", tools, EveryTurn, called, "[<user>p<assistant>f()]<tool>42[<assistant>s]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, x := brackets(t, encoderFor(t, c.template, c.on), c.line); got != c.want || x.Unclear != nil {
				t.Errorf("%q, %v\nwant %q", got, x.Unclear, c.want)
			}
		})
	}
}

// TestUnclear: where an answer cannot be found nothing trains, and the example says why.
func TestUnclear(t *testing.T) {
	for _, c := range []struct{ name, template, line, want string }{
		{
			"a template that wants a question first", `{% if messages[0].role == 'system' and messages|length == 1 %}{{ raise_exception('no question') }}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}`,
			`{"messages":[{"role":"system","content":"s"},{"role":"assistant","content":"a"}]}`, "the template refuses the first 1 messages alone",
		},
		{"no header", `{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ '!' if loop.last else '?' }}{% endfor %}`, twoTurns, "within the header of the answer"},
		{
			"a tool without a place", `{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}`,
			`{"messages":[{"role":"tool","content":"42"},{"role":"assistant","content":"s"}]}`, "the result of the tool has no place",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			on := EveryAnswer
			if strings.Contains(c.want, "tool") {
				on = EveryTurn
			}
			_, x := brackets(t, encoderFor(t, c.template, on), c.line)
			if x.Unclear == nil || !strings.Contains(x.Unclear.Error(), c.want) || x.Keep() {
				t.Errorf("%v, and %d tokens train; want %q, and none", x.Unclear, x.Trained(), c.want)
			}
		})
	}
}

// TestCounts: what is most likely a mistake is said.
func TestCounts(t *testing.T) {
	count := func(template, line string, most int) *Counts {
		e := encoderFor(t, template, EveryAnswer)
		e.MaxLength = most
		c := NewCounts(e.Tokenizer)
		_, x := brackets(t, e, line)
		c.Add(x)
		return c
	}
	if c := count("tulu", twoTurns, 0); c.Turns != 2 || c.Ended != 2 || len(c.Warnings()) != 0 {
		t.Errorf("tulu: %s, %q", c, c.Warnings())
	}
	// A newline stands behind the end of a turn.
	if c := count("zephyr", twoTurns, 0); c.Turns != 2 || c.Ended != 2 {
		t.Errorf("zephyr: %s", c)
	}
	// An indent within a turn, which by this tokenizer has no place in the text.
	c := NewCounts(encoderFor(t, "tulu", EveryAnswer).Tokenizer)
	ids, err := c.tokenizer.AppendEncode(nil, "a b<|endoftext|>")
	if err != nil {
		t.Fatal(err)
	}
	space, err := c.tokenizer.AppendEncode(nil, " ")
	if err != nil {
		t.Fatal(err)
	}
	x := &Example{IDs: slices.Concat(ids[:1], space, ids[1:]), Labels: slices.Concat(ids[:1], []int32{Masked}, ids[1:])}
	if c.Add(x); c.Turns != 1 || c.Ended != 1 {
		t.Errorf("an indent: %s", c)
	}
	// Where a model that learns these turns is to stop.
	for template, ends := range map[string][]string{"tulu": {"<|endoftext|>"}, "olmo": {"<|im_end|>", "<|endoftext|>"}} {
		c := count(template, twoTurns, 0)
		var got []string
		for _, id := range c.Stops() {
			got = append(got, c.tokenizer.Decode([]int32{id}, false))
		}
		if slices.Sort(ends); !slices.Equal(slices.Sorted(slices.Values(got)), ends) {
			t.Errorf("%s: turns end with %q, want %q", template, got, ends)
		}
	}
	// The answer before the last one has nothing at its end.
	if c := count("simple_concat_with_space", twoTurns, 0); c.Ended == c.Turns || !strings.Contains(strings.Join(c.Warnings(), "\n"), "does not learn to stop") {
		t.Errorf("simple_concat_with_space: %s, %q", c, c.Warnings())
	}
	// What is cut off is not held against the template.
	if c := count("tulu", `{"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"a long answer to it"}]}`, 28); c.Cut != 1 || c.Turns != 0 || c.Trained == 0 || len(c.Warnings()) != 0 {
		t.Errorf("cut: %s, %q", c, c.Warnings())
	}
	if c := count("tulu", twoTurns, 3); c.Dropped != 1 || c.Tokens != 0 {
		t.Errorf("cut before the answer: %s", c)
	}
	c = count("olmo_thinker", `{"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"<think>hm</think>q"}]}`, 0)
	if c.Begun != 1 || c.BegunWith != "<think>" || !strings.Contains(strings.Join(c.Warnings(), "\n"), `ends with "<think>"`) {
		t.Errorf("olmo_thinker: %s, %q", c, c.Warnings())
	}
}

// TestTemplate: what is asked of a tokenizer's files is said where they lack it.
func TestTemplate(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := func(name string, addBOS bool, text string) {
		t.Helper()
		if _, err := Template(name, dir, addBOS); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("Template(%q, %v): %v, want %q", name, addBOS, err, text)
		}
	}
	want("tulu", false, "writes eos_token, and the files in "+dir+" name none")
	want("", false, "has no chat template of its own")
	want("tuluu", false, "did you mean tulu?")
	want("assistant_message_only", true, "wants a bos_token")
	write("tokenizer_config.json", `{"bos_token":"<s>","eos_token":"</s>","chat_template":"{{ bos_token }}{{ messages[0].content }}"}`)
	want("", true, "has one already")
	write("broken.jinja", "{% if %}")
	want(filepath.Join(dir, "broken.jinja"), false, "broken.jinja: chat template: line 1")
	tpl, err := Template("tulu", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := tpl.Prompt([]chat.Message{{Role: chat.User, Content: "q"}}); err != nil || text != "<s><|user|>\nq\n<|assistant|>\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := Template("", dir, false); err != nil {
		t.Errorf("the folder's own: %v", err)
	}
}

// TestEach: rows come in their order, from a Parquet file as they stand there, and an error names
// file and line.
func TestEach(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rows.parquet")
	w, err := data.CreateWriter(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if _, err := w.Write([]byte(`{"id":"` + id + `","text":"t"}` + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var rows []string
	see := func(row string) error {
		rows = append(rows, row)
		return nil
	}
	if err := Each(context.Background(), file, func(row []byte) (string, error) { return string(row), nil }, see); err != nil || len(rows) != 2 || !strings.Contains(rows[1], `"b"`) {
		t.Errorf("%q, %v", rows, err)
	}
	lines := filepath.Join(dir, "rows.jsonl")
	if err := os.WriteFile(lines, []byte("{}\n\n{\"messages\":[]}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	err = Each(context.Background(), lines, func(row []byte) (string, error) {
		if len(row) > 2 {
			_, err := ParseRow(row, SFT)
			return "", err
		}
		return "", nil
	}, see)
	if err == nil || !strings.Contains(err.Error(), "rows.jsonl:3: ") || !strings.Contains(err.Error(), "messages is empty") {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(lines, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Each(context.Background(), lines, func([]byte) (string, error) { return "", nil }, see); err == nil || !strings.Contains(err.Error(), "it has no rows") {
		t.Errorf("an empty file: %v", err)
	}
}

// TestDate: a template that writes the date makes the same rows tomorrow.
func TestDate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dated.jinja")
	if err := os.WriteFile(file, []byte("{{ strftime_now('%d %b %Y') }}"), 0o666); err != nil {
		t.Fatal(err)
	}
	template, err := Template(file, "testdata/tokenizer", false)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := template.Render(nil, nil, false); err != nil || text != "26 Jul 2024" {
		t.Errorf("%q, %v", text, err)
	}
}
