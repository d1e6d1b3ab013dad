package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"olmo/chat"
)

func user(s string) chat.Message      { return chat.Message{Role: chat.User, Content: s} }
func assistant(s string) chat.Message { return chat.Message{Role: chat.Assistant, Content: s} }

func TestTranscript(t *testing.T) {
	got, err := chat.Transcript{}.Prompt([]chat.Message{{Role: chat.System, Content: "Be brief.\n"}, user(" Hello. "), assistant("Hi!\n"), user("Why?")})
	want := "Be brief.\n\nUser: Hello.\nAssistant: Hi!\nUser: Why?\nAssistant:"
	if got != want || err != nil {
		t.Errorf("Prompt = %q, %v; want %q", got, err, want)
	}
}

// bytes encodes a text as its bytes.
func bytes(text string) ([]int32, error) {
	var ids []int32
	for _, b := range []byte(text) {
		ids = append(ids, int32(b))
	}
	return ids, nil
}

func transcript(t *testing.T, messages []chat.Message) string {
	t.Helper()
	text, err := chat.Transcript{}.Prompt(messages)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFit(t *testing.T) {
	system := chat.Message{Role: chat.System, Content: "S"}
	talk := []chat.Message{system, user("one"), assistant("two"), user("three"), assistant("four"), user("five")}
	whole := len(transcript(t, talk))
	cases := []struct {
		name    string
		talk    []chat.Message
		most    int
		keep    []chat.Message
		dropped int
	}{
		{"all of it", talk, whole, talk, 0},
		{"without the oldest turn", talk, whole - 1, append([]chat.Message{system}, talk[3:]...), 2},
		{"the last question alone", talk, 30, append([]chat.Message{system}, talk[5:]...), 4},
		{"no system message", talk[1:], 30, talk[5:], 4},
		{"the last turn alone, though no question", []chat.Message{user("one"), assistant("two"), assistant("three")}, 30, []chat.Message{assistant("three")}, 2},
		{"questions without answers", []chat.Message{user("a"), user("b"), user("c")}, 20, []chat.Message{user("c")}, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.talk)
			got, dropped, err := chat.Fit(chat.Transcript{}, c.talk, bytes, c.most)
			if err != nil {
				t.Fatal(err)
			}
			if want, _ := bytes(transcript(t, c.keep)); !slices.Equal(got, want) || dropped != c.dropped {
				t.Errorf("Fit gives %d ids without %d messages, want %d without %d", len(got), dropped, len(want), c.dropped)
			}
			if !slices.Equal(before, c.talk) {
				t.Error("Fit changed the conversation")
			}
		})
	}
	if _, _, err := chat.Fit(chat.Transcript{}, talk, bytes, 10); !errors.Is(err, chat.ErrTooLong) {
		t.Errorf("too little room: %v, want ErrTooLong", err)
	}
}

func TestCutter(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"no stop", "An answer.", "An answer."},
		{"a stop", "Yes.\nUser: and", "Yes."},
		{"the first of two", "Yes.\nAssistant: no\nUser: and", "Yes."},
		{"nearly a stop", "The\nUse of\nUserland", "The\nUse of\nUserland"},
		{"half a stop at the end", "Yes.\nUser", "Yes.\nUser"},
		{"a false start inside a stop", "a\n\nUser:", "a\n"},
		{"at once", "\nUser:", ""},
	}
	for _, c := range cases {
		for size := 1; size <= len(c.text); size++ {
			cut := chat.Cutter{Stops: chat.Transcript{}.Stops()}
			var got strings.Builder
			for i := 0; i < len(c.text); i += size {
				text, _ := cut.Next(c.text[i:min(len(c.text), i+size)])
				got.WriteString(text)
				if !strings.HasPrefix(c.want, got.String()) {
					t.Fatalf("%s, pieces of %d: %q was shown, want %q", c.name, size, got.String(), c.want)
				}
			}
			got.WriteString(cut.Flush())
			got.WriteString(cut.Flush()) // once is all
			if got.String() != c.want {
				t.Errorf("%s, pieces of %d: %q, want %q", c.name, size, got.String(), c.want)
			}
		}
	}
}

// TestCutterThinking: what ends an answer does not end the thinking before it.
func TestCutterThinking(t *testing.T) {
	usual := chat.Thinking{}
	cases := []struct {
		name       string
		thinking   chat.Thinking
		text, want string
	}{
		{"thinking", usual, "<think>a.b\n\nc</think>\nYes.\n\nNo", "<think>a.b\n\nc</think>\nYes."},
		{"after white space", usual, " <think>a\n\nb</think>Yes\n\nNo", " <think>a\n\nb</think>Yes"},
		{"unclosed", usual, "<think>a\n\nb</thin", "<think>a\n\nb</thin"},
		{"none", usual, "<thin\n\nb", "<thin"},
		{"none at once", usual, "\n\nb", ""},
		{"a mark later", usual, "So\n\n<think>", "So"},
		{"begun by the prompt", chat.Thinking{Begun: true}, "a\n\nb</think>Yes\n\nNo", "a\n\nb</think>Yes"},
		{"another end", chat.Thinking{End: "final"}, "a\n\nb final Yes\n\nNo", "a\n\nb final Yes"},
	}
	for _, c := range cases {
		for size := 1; size <= len(c.text); size++ {
			cut := chat.Cutter{Stops: []string{"\n\n"}, Thinking: &c.thinking}
			got := ""
			for i := 0; i < len(c.text); i += size {
				text, _ := cut.Next(c.text[i:min(len(c.text), i+size)])
				got += text
			}
			if got += cut.Flush(); got != c.want {
				t.Errorf("%s, pieces of %d: %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

func TestThinkingAnswer(t *testing.T) {
	cases := []struct {
		name       string
		thinking   chat.Thinking
		text, want string
		closed     bool
	}{
		{"no thinking", chat.Thinking{}, " Yes. ", " Yes. ", true},
		{"thinking", chat.Thinking{}, "<think>\nNo?\n</think>\n\nYes.", "Yes.", true},
		{"the last end counts", chat.Thinking{}, "<think>a</think>b</think> Yes.", "Yes.", true},
		{"an end alone", chat.Thinking{}, "No? </think>Yes.", "Yes.", true},
		{"unclosed", chat.Thinking{}, " <think>No?", "", false},
		{"begun by the prompt, unclosed", chat.Thinking{Begun: true}, "No?", "", false},
		{"a mark in the middle", chat.Thinking{}, "He said <think>", "He said <think>", true},
		{"another end", chat.Thinking{End: "[/T]"}, "</think> no [/T] Yes.", "Yes.", true},
		{"another end, unclosed", chat.Thinking{End: "[/T]"}, "Yes.", "", false},
	}
	for _, c := range cases {
		if got, closed := c.thinking.Answer(c.text); got != c.want || closed != c.closed {
			t.Errorf("%s: %q, %v, want %q, %v", c.name, got, closed, c.want, c.closed)
		}
	}
}

func ExampleCutter() {
	// A model that goes on with the user's next turn.
	cut := chat.Cutter{Stops: chat.Transcript{}.Stops()}
	for _, piece := range []string{"It prints", " text.\n", "Us", "er: Thank you"} {
		text, done := cut.Next(piece)
		fmt.Printf("%q %v\n", text, done)
	}
	// Output:
	// "It prints" false
	// " text." false
	// "" false
	// "" true
}

func ExampleTemplate() {
	t, err := chat.ParseTemplate("{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}<|assistant|>\n", map[string]string{"eos_token": "<|endoftext|>"})
	if err != nil {
		panic(err)
	}
	text, err := t.Prompt([]chat.Message{{Role: chat.User, Content: "Hello"}})
	if err != nil {
		panic(err)
	}
	fmt.Print(text)
	// Output:
	// <|user|>
	// Hello<|endoftext|>
	// <|assistant|>
}
