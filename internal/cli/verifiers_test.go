package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"olmo/eval/score"
)

// TestJudge: what a judge is asked and what its words are worth; a server that dies, hangs or babbles costs
// the answer, and the key is sent but never said.
func TestJudge(t *testing.T) {
	t.Setenv("JUDGE_KEY", " sesame ")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sesame" {
			http.Error(w, `{"error": {"message": "the key is `+r.Header.Get("Authorization")+`"}}`, http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/v1/models" {
			fmt.Fprint(w, `{"data": [{"id": "m"}]}`)
			return
		}
		text, _ := io.ReadAll(r.Body)
		var asked struct {
			Model       string
			Messages    []struct{ Role, Content string }
			Temperature float64
			MaxTokens   int `json:"max_tokens"`
		}
		if err := json.Unmarshal(text, &asked); err != nil || asked.Model != "m" || len(asked.Messages) != 1 || asked.Messages[0].Role != "user" || asked.MaxTokens != 2048 || asked.Temperature != 0 {
			t.Errorf("the judge is asked %s", text)
		}
		said := asked.Messages[0].Content
		switch {
		case strings.Contains(said, "HANG"):
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
			return
		case strings.Contains(said, "REFUSE"):
			http.Error(w, `{"error": {"message": "sesame is blocked"}}`, http.StatusForbidden)
			return
		}
		if !strings.Contains(said, "user: 2+2?") || !strings.Contains(said, "the truth") || strings.Contains(said, "thought") {
			t.Errorf("the judge is told %s", said)
		}
		_, answer, _ := strings.Cut(said, "<assistant_answer>\n")
		answer, _, _ = strings.Cut(answer, "\n</assistant_answer>")
		reply, _ := json.Marshal(answer) // says what the answer says
		fmt.Fprintf(w, `{"choices": [{"index": 0, "message": {"role": "assistant", "content": %s}, "finish_reason": "stop"}]}`, reply)
	}))
	defer s.Close()
	open := func(key string) (*score.Rewards, error) {
		d := score.DeclaredVerifier{Weight: 1, Judge: &score.JudgeConfig{}}
		d.Judge.SetDefaults()
		d.Judge.Endpoint, d.Judge.Model, d.Judge.APIKeyEnv, d.Judge.Timeout = s.URL+"/v1", "m", key, 1
		c := score.VerifierConfig{Verifiers: map[string]score.DeclaredVerifier{"good": d}}
		set, err := openVerifiers(t.Context(), &c, &programFlags{}, func(text string) { t.Errorf("warning: %s", text) })
		if err != nil {
			t.Fatal(err)
		}
		return set.Rewards([]string{"good"}, []json.RawMessage{json.RawMessage(`"the truth"`)})
	}
	r, err := open("JUDGE_KEY")
	if err != nil {
		t.Fatal(err)
	}
	var tries []score.Try
	cases := []struct {
		says string
		want float64
		none string
	}{
		{`Right. {"score": 7}`, 0.7, ""},
		{`{"REASONING": "a score of 3 would do", "SCORE": "8"}`, 0.8, ""},
		{"Score: 4/5", 0.8, ""},
		{"**Score:** 10 ", 1, ""},
		{"9", 0.9, ""},
		{"3/4.", 0.75, ""},
		{"Yes.", 1, ""},
		{"False", 0, ""},
		{"score: 40", 1, ""},
		{"score: 4/0", 0, "gives no score"},
		{"I like it, 7 times", 0, "gives no score"},
		{"HANG", 0, "longer than 1s"},
		{"REFUSE", 0, "403 Forbidden: … is blocked\nhint: the key is read from the variable that api_key_env names, JUDGE_KEY"},
	}
	for _, c := range cases {
		tries = append(tries, score.Try{Rewards: r, Answer: score.Attempted{Text: "thought</think>" + c.says, Prompt: "user: 2+2?"}})
	}
	all, err := score.ScoreAll(t.Context(), tries)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		none := ""
		for _, n := range all[i].Failed {
			none = n.Error()
		}
		if all[i].Sum != c.want || !strings.Contains(none, c.none) || none != "" && c.none == "" {
			t.Errorf("%s: %v, %q, want %v, %q", c.says, all[i].Sum, none, c.want, c.none)
		}
	}
	for key, want := range map[string]string{"NO_SUCH_KEY": "the environment has no NO_SUCH_KEY", "": "401"} {
		if _, err := open(key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with the key in %q: %v", key, err)
		}
	}
}
