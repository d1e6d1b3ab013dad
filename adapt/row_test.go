package adapt

import (
	"strings"
	"testing"

	"olmo/tokenizer"
)

// TestRowErrors: a row that is no conversation is refused, and its error names the member.
func TestRowErrors(t *testing.T) {
	for _, c := range []struct {
		kind       Kind
		line, want string // "": it is taken
	}{
		{SFT, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}`, ""},
		{SFT, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"type":"function"}]}]}`, ""},
		{SFT, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[]}]}`, "messages[1].content is missing or null"},
		{SFT, `{"text":"x"}`, "the row has no messages"},
		{SFT, `{"chosen":[]}`, "hint: it has chosen"},
		{SFT, `{"conversations":[]}`, "conversations is empty"},
		{SFT, `{"conversations":[{"from":"alien","value":"q"}]}`, `conversations[0].from is "alien", want human, gpt`},
		{SFT, `{"conversations":[{"from":"human","value":7}]}`, "conversations[0].value is the number 7"},
		{SFT, `{"conversations":[{"from":"human","value":"q"}]}`, "conversations[0], the last, is of role user"},
		{SFT, `{"instruction":"q","output":["a"]}`, "output is a list, want a string"},
		{SFT, `{"instruction":"q","output":""}`, "the last answer, is empty"},
		{SFT, `{"prompt":"q"}`, "the conversation ends without an answer"},
		{Prompt, `{"prompt":"q"}`, ""},
		{SFT, `{"messages":"x"}`, "messages is a string, want a list of messages"},
		{SFT, `{"messages":[]}`, "messages is empty"},
		{SFT, `{"messages":["x"]}`, "messages[0] is a string, want an object with role and content"},
		{SFT, `{"messages":[{"content":"q"}]}`, "messages[0].role is missing or null, want a string"},
		{SFT, `{"messages":[{"role":"human","content":"q"}]}`, `messages[0].role is "human", want one of system, developer, user, assistant`},
		{SFT, `{"messages":[{"role":"user","content":["q"]}]}`, "messages[0].content is a list, want a string"},
		{SFT, `{"messages":[{"role":"user","content":7}]}`, "messages[0].content is the number 7"},
		{SFT, `{"messages":[{"role":"user","content":"q"}]}`, "messages[0], the last, is of role user: the conversation ends without an answer"},
		{SFT, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":" \n"}]}`, "messages[1], the last answer, is empty"},
		{SFT, `{"messages":[{"role":"user","content":"\ud800"}]}`, `lone surrogate \ud800`},
		{SFT, "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", "not valid UTF-8"},
		{SFT, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"tools":"[{"}`, "tools: its text is no JSON"},
		{SFT, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"tools":["f"]}`, "tools[0] is a string, want an object that describes a tool"},
		{SFT, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"tools":3}`, "tools is the number 3"},

		{Preference, `{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"content":"q","role":"user"},{"role":"assistant","content":"b"}]}`, ""},
		{Preference, `{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}`, "the row has no rejected"},
		{Preference, `{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"p"},{"role":"assistant","content":"b"}]}`, "different prompts: they part at message 0"},
		{Preference, `{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"b"}]}`, "different prompts: they part at message 0"},
		{Preference, `{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"q"}]}`, "rejected[0], the last, is of role user"},

		{RLVR, `{"messages":[{"role":"user","content":"q"}],"ground_truth":"4","dataset":"gsm8k"}`, ""},
		{RLVR, `{"messages":[{"role":"user","content":"q"}],"ground_truth":["4","5"],"dataset":["gsm8k","math"]}`, ""},
		{RLVR, `{"messages":[{"role":"user","content":"q"}],"dataset":"gsm8k"}`, "the row has no ground_truth"},
		{RLVR, `{"messages":[{"role":"user","content":"q"}],"ground_truth":"4"}`, "the row has no dataset"},
		{RLVR, `{"messages":[{"role":"user","content":"q"}],"ground_truth":"4","dataset":7}`, "dataset is neither the name of a verifier nor a list"},
		{RLVR, `{"messages":[{"role":"user","content":"q"}],"ground_truth":["4"],"dataset":["gsm8k","math"]}`, "dataset names 2 verifiers, want a list of as many for ground_truth"},
		{Prompt, `{"messages":[{"role":"user","content":"q"}]}`, ""},
	} {
		_, err := ParseRow([]byte(c.line), c.kind)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s %s: %v", c.kind, c.line, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s %s: error %v, want %q", c.kind, c.line, err, c.want)
		}
	}
}

// TestDeepTools: a text of millions of brackets is refused; going down into it would end the
// process.
func TestDeepTools(t *testing.T) {
	deep := strings.Repeat("[", 5_000_000)
	if _, err := parseTools([]byte(`"` + deep + `"`)); err == nil || !strings.Contains(err.Error(), "no JSON") {
		t.Errorf("error %v", err)
	}
	for _, text := range []string{`"[{\"name\":\"f\"}] more"`, `"[{\"name\":\"f\"}]]"`, `"[{\"name\":\"f\"}"`} {
		if list, err := parseTools([]byte(text)); err == nil {
			t.Errorf("%s: %v", text, list)
		}
	}
}

// FuzzParseRow: whatever a line holds, it is a row or an error, and what is a row can be encoded
// or is refused.
func FuzzParseRow(f *testing.F) {
	for _, line := range []string{
		twoTurns,
		`{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"x":1}]}],"tools":"[{}]"}`,
		`{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}`,
		`{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"b"}]}`,
		`{"prompt":[{"role":"user","content":"q"}],"ground_truth":[1],"dataset":["x"]}`,
	} {
		f.Add([]byte(line))
	}
	tok, err := tokenizer.Load("testdata/tokenizer")
	if err != nil {
		f.Fatal(err)
	}
	tpl, err := Template("olmo", "testdata/tokenizer", false)
	if err != nil {
		f.Fatal(err)
	}
	e := &Encoder{Template: tpl, Tokenizer: tok, MaxLength: 64}
	f.Fuzz(func(t *testing.T, line []byte) {
		_, _ = ParseRender(line)
		_, _ = KindOf(line)
		for _, k := range Kinds {
			r, err := ParseRow(line, k)
			if err != nil {
				continue
			}
			if x, err := e.Encode(&r.Conversation); err == nil && (len(x.IDs) != len(x.Labels) || len(x.IDs) > 64) {
				t.Errorf("%s %s: %d ids, %d labels", k, line, len(x.IDs), len(x.Labels))
			}
		}
	})
}

// TestPromptRows: what is asked is what stands before the answer, and what judges comes as lists.
func TestPromptRows(t *testing.T) {
	r, err := ParseRow([]byte(`{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"ground_truth":{"x":1},"dataset":"ifeval"}`), RLVR)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Conversation.RawPrompt(); got != "system: s\nuser: q" {
		t.Errorf("RawPrompt = %q", got)
	}
	if len(r.Verifiers) != 1 || r.Verifiers[0] != "ifeval" || string(r.GroundTruths[0]) != `{"x":1}` {
		t.Errorf("judged by %v against %s", r.Verifiers, r.GroundTruths)
	}
}

// TestTools: a list, one object, or either as a text; nothing is none, whatever it looks like.
func TestTools(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "null": 0, `""`: 0, "[]": 0, `"[]"`: 0, `"null"`: 0, `"\"\""`: 0,
		`[{"name":"f"}]`: 1, `{"name":"f"}`: 1, `"[{\"name\":\"f\"},{\"name\":\"g\"}]"`: 2,
	} {
		list, err := parseTools([]byte(text))
		got := 0
		if list != nil {
			got = len(list.Items())
		}
		if err != nil || got != want || got == 0 && list != nil {
			t.Errorf("tools %s: %d, %v; want %d", text, got, err, want)
		}
	}
}

// TestForms: what other programs call messages is read as messages.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		line string
		form Form
		want string
	}{
		{`{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"prompt":"other"}`, "", "user: q\nassistant: a"},
		{`{"conversations":[{"from":"system","value":"s"},{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}`, ShareGPT, "system: s\nuser: q\nassistant: a"},
		{`{"system":"s","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"},{"from":"observation","value":"o"},{"role":"assistant","content":"b"}]}`, ShareGPT, "system: s\nuser: q\nassistant: a\ntool: o\nassistant: b"},
		{`{"instruction":"Add.","input":" 1 2\n","output":"3"}`, Alpaca, "user: Add.\n\n1 2\nassistant: 3"},
		{`{"instruction":"Say a.","input":"","output":"a"}`, Alpaca, "user: Say a.\nassistant: a"},
		{`{"prompt":"q","completion":"a"}`, Completion, "user: q\nassistant: a"},
		{`{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"q"}],"completion":[{"role":"assistant","content":"a"}]}`, Completion, "system: s\nuser: q\nassistant: a"},
	} {
		r, err := ParseRow([]byte(c.line), SFT)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if got := r.Conversation.RawPrompt(); got != c.want || r.Form != c.form {
			t.Errorf("%s: %q (%s), want %q (%s)", c.line, got, r.Form, c.want, c.form)
		}
	}
}
