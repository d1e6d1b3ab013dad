package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"olmo/chat"
	"olmo/eval"
	"olmo/eval/endpoint"
	"olmo/eval/endpoint/endpointtest"
	"olmo/lm"
	"olmo/lm/lmtest"
)

// open opens the one model of a server, with pauses that a test can wait for.
func open(t *testing.T, s *endpointtest.Server, o endpoint.Options) *endpoint.Model {
	t.Helper()
	t.Cleanup(s.Close)
	o.Pause = time.Millisecond
	server, err := endpoint.New(s.URL+"/v1", o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := server.Model(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func answer(t *testing.T, m *endpoint.Model, requests []eval.Request, o eval.AnswerOptions) ([]eval.Answer, error) {
	t.Helper()
	if o.Boundary == "" {
		o.Boundary = eval.Together
	}
	answers := make([]eval.Answer, len(requests))
	var mutex sync.Mutex
	err := m.Answer(t.Context(), requests, o, func(i int, a eval.Answer) error {
		if !mutex.TryLock() {
			t.Error("two answers are told at once")
		}
		answers[i] = a
		mutex.Unlock()
		return nil
	})
	return answers, err
}

// want is the answer of the imitated model to a continuation.
func want(before, after string, begin bool) eval.Answer {
	tokens, n := endpointtest.Tokens(before+after), len(endpointtest.Tokens(before))
	if begin {
		tokens, n = append([]string{"<s>"}, tokens...), n+1
	}
	a := eval.Answer{Greedy: true, Tokens: len(tokens) - n}
	for i := n; i < len(tokens); i++ {
		nats, greedy := endpointtest.Logprob(tokens, i)
		a.Logprob += nats
		a.Each = append(a.Each, nats)
		a.Greedy = a.Greedy && greedy
	}
	return a
}

func same(a, b eval.Answer) bool {
	return a.Logprob == b.Logprob && a.Greedy == b.Greedy && a.Tokens == b.Tokens && slices.Equal(a.Each, b.Each)
}

// TestLikelihoods: the continuation's tokens, and they alone, are summed, wherever a server
// counts its begin of text and whatever characters are several tokens.
func TestLikelihoods(t *testing.T) {
	cases := []struct{ context, continuation, before, after string }{
		{"Two and two make", " four", "Two and two make", " four"},
		{"Two and two make ", "four", "Two and two make", " four"}, // white space moves
		{"A naïve café:", " déjà vu", "A naïve café:", " déjà vu"},
		{"A smile 😀:", " yes", "A smile 😀:", " yes"}, // offsets do not add up
		{"Yes:", " a smile 😀", "Yes:", " a smile 😀"},
		{"Q\n\nA:", "\n\n x", "Q\n\nA:", "\n\n x"},
		{"a b c", " d", "a b c", " d"}, // as many spaces as a begin of text has letters
		{"<s>a", " b", "<s>a", " b"},
	}
	for _, kind := range []endpointtest.Kind{endpointtest.VLLM, endpointtest.Plain, endpointtest.Bare, endpointtest.Piece} {
		s := endpointtest.Start(kind, "small")
		m := open(t, s, endpoint.Options{})
		var requests []eval.Request
		for _, c := range cases {
			requests = append(requests, eval.Request{Context: c.context, Continuation: c.continuation})
		}
		got, err := answer(t, m, requests, eval.AnswerOptions{Tokens: true})
		if err != nil {
			t.Fatal(kind, err)
		}
		if n := len(s.Asked("/v1/completions")); kind == endpointtest.Piece && n != 2*len(cases)-1 { // one context is there twice
			t.Errorf("%s: asked %d times of %d texts", kind, n, len(cases))
		}
		// Only texts whose tokens do not add up take a second request: two with a smile.
		if n := len(s.Asked("/v1/completions")); kind != endpointtest.Piece && n != len(cases)+2 {
			t.Errorf("%s: asked %d times of %d texts", kind, n, len(cases))
		}
		for i, c := range cases {
			if w := want(c.before, c.after, kind == endpointtest.VLLM || kind == endpointtest.Piece); !same(got[i], w) {
				t.Errorf("%s, %q after %q: %+v, want %+v", kind, c.continuation, c.context, got[i], w)
			}
		}
	}
}

// TestBegin: a text without context is charged from its first token on, or not at all.
func TestBegin(t *testing.T) {
	whole := []eval.Request{{Form: eval.Rolling, Continuation: "The cat sat."}, {Continuation: "The cat"}}
	m := open(t, endpointtest.Start(endpointtest.VLLM, "small"), endpoint.Options{})
	got, err := answer(t, m, whole, eval.AnswerOptions{Tokens: true})
	if err != nil || !same(got[0], want("", "The cat sat.", true)) || !same(got[1], want("", "The cat", true)) {
		t.Fatalf("%+v, %v", got, err)
	}
	m = open(t, endpointtest.Start(endpointtest.Plain, "small"), endpoint.Options{})
	if _, err = answer(t, m, whole, eval.AnswerOptions{}); err == nil || !strings.Contains(err.Error(), "--begin-text") {
		t.Fatalf("a first token that nothing stands before: %v", err)
	}
	m.Begin = "<|endoftext|>"
	got, err = answer(t, m, whole, eval.AnswerOptions{Tokens: true})
	if err != nil || !same(got[0], want("<|endoftext|>", "The cat sat.", false)) {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestNoEcho: a server that tells no probabilities of a prompt is refused at the first request.
func TestNoEcho(t *testing.T) {
	requests := slices.Repeat([]eval.Request{{Context: "a", Continuation: " b"}}, 50)
	refusing := endpointtest.Start(endpointtest.Plain, "small")
	refusing.Before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/completions" {
			endpointtest.Refuse(w, http.StatusBadRequest, "Setting 'echo' and 'logprobs' at the same time is not supported for this model.")
			return true
		}
		return false
	}
	for _, s := range []*endpointtest.Server{endpointtest.Start(endpointtest.Llama, "small"), refusing} {
		m := open(t, s, endpoint.Options{})
		_, err := answer(t, m, requests, eval.AnswerOptions{})
		if err == nil || !strings.Contains(err.Error(), "no probabilities of a prompt's own tokens") {
			t.Errorf("%s: %v", s.Kind, err)
		}
		if n := len(s.Asked("/v1/completions")); n != 1 {
			t.Errorf("%s: asked %d times, want once", s.Kind, n)
		}
	}
	// Texts can be asked of it all the same.
	m := open(t, endpointtest.Start(endpointtest.Llama, "small"), endpoint.Options{})
	got, err := answer(t, m, []eval.Request{{Form: eval.Text, Context: "Q"}}, eval.AnswerOptions{})
	if err != nil || got[0].Response() != endpointtest.Answer("Q", 0) {
		t.Errorf("%q, %v", got[0].Texts, err)
	}
}

func TestTexts(t *testing.T) {
	s := endpointtest.Start(endpointtest.VLLM, "small")
	m := open(t, s, endpoint.Options{})
	drawn := eval.Request{Form: eval.Text, Context: "Q", Responses: 3, MaxTokens: 9, Sampling: eval.Sampling{Temperature: 0.5, TopK: 5, TopP: 0.9, Seed: 7}, Until: []string{"", "a", "b", "c", "\n\n", "Question"}}
	got, err := answer(t, m, []eval.Request{drawn, {Form: eval.Text, Context: "R", Until: []string{"\n\n"}}}, eval.AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for k, text := range got[0].Texts {
		seed := drawn.Sampling.Response(k) >> 33
		w, _, _ := strings.Cut(endpointtest.Answer("Q", float64(seed)), "\n\n")
		if text != w {
			t.Errorf("response %d is %q, want %q", k, text, w)
		}
	}
	if w, _, _ := strings.Cut(endpointtest.Answer("R", 0), "\n\n"); got[1].Response() != w {
		t.Errorf("%q, want %q", got[1].Response(), w)
	}
	for _, body := range s.Asked("/v1/completions") {
		switch body["prompt"] {
		case "Q":
			if n := len(body["stop"].([]any)); n != 4 || body["top_k"] != 5.0 || body["top_p"] != 0.9 || body["max_tokens"] != 9.0 || body["model"] != "small" {
				t.Errorf("asked %v", body)
			}
		case "R":
			if body["temperature"] != 0.0 || body["seed"] != nil || body["top_p"] != nil || body["max_tokens"] != nil {
				t.Errorf("asked %v", body)
			}
		}
	}
}

func TestChat(t *testing.T) {
	s := endpointtest.Start(endpointtest.Chat, "large")
	m := open(t, s, endpoint.Options{})
	m.Chat = true
	turns := []chat.Message{{Role: chat.System, Content: "Be short."}, {Role: chat.User, Content: "Please think. Why?"}}
	got, err := answer(t, m, []eval.Request{{Form: eval.Text, Turns: turns, MaxTokens: 5}, {Form: eval.Text, Context: "Plain", MaxTokens: 5}}, eval.AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w := "<think>Let me see.</think>" + endpointtest.Answer("system: Be short.\nuser: Please think. Why?\n", 0); got[0].Response() != w {
		t.Errorf("%q, want %q", got[0].Response(), w)
	}
	if w := endpointtest.Answer("user: Plain\n", 0); got[1].Response() != w {
		t.Errorf("%q, want %q", got[1].Response(), w)
	}
	if _, err = answer(t, m, []eval.Request{{Context: "a", Continuation: " b"}}, eval.AnswerOptions{}); err == nil || !strings.Contains(err.Error(), "--chat") {
		t.Errorf("a likelihood of chat completions: %v", err)
	}
	// The beginning of an answer is one that the server goes on with, or refuses.
	begun := []eval.Request{{Form: eval.Text, Turns: append(turns, chat.Message{Role: chat.Assistant, Content: "So"})}}
	if _, err = answer(t, m, begun, eval.AnswerOptions{}); err == nil || !strings.Contains(err.Error(), "add_generation_prompt") {
		t.Errorf("the beginning of an answer: %v", err)
	}
}

// TestPasses: what may pass is tried again, and not for ever.
func TestPasses(t *testing.T) {
	cut := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	cases := []struct {
		name  string
		fail  func(w http.ResponseWriter)
		times int // that it fails
		asked int
		want  string // in the error; "" for none
	}{
		{"too many requests", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "0.01")
			endpointtest.Refuse(w, 429, "slow down")
		}, 3, 4, ""},
		{"an overloaded server", func(w http.ResponseWriter) { w.WriteHeader(503) }, 3, 4, ""},
		{"a proxy in between", func(w http.ResponseWriter) { w.WriteHeader(522); fmt.Fprint(w, "<html>Connection timed out</html>") }, 1, 2, ""},
		{"not implemented", func(w http.ResponseWriter) { w.WriteHeader(501) }, 99, 1, "501 Not Implemented"},
		{"a broken connection", cut, 3, 4, ""},
		{"half an answer", func(w http.ResponseWriter) { fmt.Fprint(w, `{"choices": [{"index"`) }, 2, 3, ""},
		{"for ever", func(w http.ResponseWriter) { endpointtest.Refuse(w, 500, "out of memory") }, 99, 8, "after 8 attempts: the server answers 500 Internal Server Error: out of memory"},
		{"broken for ever", cut, 99, 8, "the connection broke"},
		{"a wait of hours", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "7200")
			endpointtest.Refuse(w, 429, "come back later")
		}, 99, 1, "come back later"},
		{"no money", func(w http.ResponseWriter) {
			w.WriteHeader(429)
			fmt.Fprint(w, `{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}`)
		}, 99, 1, "exceeded your quota"},
		{"a mistake of ours", func(w http.ResponseWriter) { endpointtest.Refuse(w, 400, "maximum context length is 8") }, 99, 1, "maximum context length is 8"},
		{"a wrong key", func(w http.ResponseWriter) { endpointtest.Refuse(w, 401, "wrong") }, 99, 1, "OPENAI_API_KEY"},
		{"a page", func(w http.ResponseWriter) { fmt.Fprint(w, "<!doctype html><title>Welcome</title>") }, 99, 1, "answers with a page"},
		{"no JSON", func(w http.ResponseWriter) { fmt.Fprint(w, `{"choices": [{"index": 0, "logprobs": NaN}]}`) }, 99, 1, "no JSON object"},
		{"no choices", func(w http.ResponseWriter) { fmt.Fprint(w, `{"choices": []}`) }, 99, 1, "0 choices"},
		{"an error with 200", func(w http.ResponseWriter) { fmt.Fprint(w, `{"error": "no such model"}`) }, 99, 1, "no such model"},
		{"other forms", func(w http.ResponseWriter) { fmt.Fprint(w, `{"choices": "none"}`) }, 99, 1, "not as OpenAI's"},
		{"a redirect", func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://elsewhere.example/v1")
			w.WriteHeader(307)
		}, 99, 1, "elsewhere.example"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := endpointtest.Start(endpointtest.VLLM, "small")
			var failed atomic.Int64
			s.Before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/v1/completions" || failed.Add(1) > int64(c.times) {
					return false
				}
				c.fail(w)
				return true
			}
			m := open(t, s, endpoint.Options{})
			_, err := answer(t, m, []eval.Request{{Form: eval.Text, Context: "Q"}}, eval.AnswerOptions{})
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			}
			if n := len(s.Asked("/v1/completions")); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}

// TestWrong: probabilities that cannot be are an error, never a score.
func TestWrong(t *testing.T) {
	for _, c := range []struct{ reply, want string }{
		{`{"choices":[{"index":0,"text":"a b So","logprobs":{"tokens":["a"," b"," So"],"token_logprobs":[null,null,-1],"top_logprobs":[null,null,{" So":-1}],"text_offset":[0,1,3]}}]}`, `no log-probability of the token " b"`},
		{`{"choices":[{"index":0,"text":"a b So","logprobs":{"tokens":["a"," b"," So"],"token_logprobs":[null,3.5,-1],"top_logprobs":[null,{" b":3.5},{" So":-1}],"text_offset":[0,1,3]}}]}`, `no log-probability of the token " b"`},
		{`{"choices":[{"index":0,"text":"a b So","logprobs":{"tokens":["a"," b"," So"],"token_logprobs":[null,-1,-1],"text_offset":[0,1,3]}}]}`, "top_logprobs"},
		{`{"choices":[{"index":0,"text":"x y So","logprobs":{"tokens":["x"," y"," So"],"token_logprobs":[null,-1,-1],"top_logprobs":[null,{" y":-1},{" So":-1}],"text_offset":[0,1,3]}}]}`, "another text"},
		{`{"choices":[{"index":0,"text":"a b So","logprobs":{"tokens":["a"," b"],"token_logprobs":[null,-1,-1],"top_logprobs":[null,{" b":-1},{" So":-1}],"text_offset":[0,1,3]}}]}`, "2 tokens, 3 log-probabilities"},
		{`{"choices":[{"index":0,"text":"a b So","logprobs":{"tokens":["a b"," So"],"token_logprobs":[null,-1],"top_logprobs":[null,{" So":-1}],"text_offset":[0,3]}}]}`, "no token of its own"},
		{`{"choices":[{"index":0,"text":"a b So","logprobs":{"tokens":["a"," b"," So"],"token_logprobs":[null,-1,-1],"top_logprobs":[null,{" b":-1},{" So":-1}],"text_offset":[0,1,3]}}],"usage":{"prompt_tokens":9}}`, "no probabilities of a prompt's own tokens"},
		{`{"choices":[{"index":0,"text":"So"},{"index":1,"text":"So"}]}`, "2 choices"},
	} {
		s := endpointtest.Start(endpointtest.Plain, "small")
		s.Before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v1/completions" {
				fmt.Fprint(w, c.reply)
			}
			return r.URL.Path == "/v1/completions"
		}
		m := open(t, s, endpoint.Options{})
		if _, err := answer(t, m, []eval.Request{{Context: "a", Continuation: " b"}}, eval.AnswerOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.reply, err, c.want)
		}
	}
}

// TestIDs: with its tokenizer a server's model is asked as one that runs here, in either convention,
// and answers the same: the imitated server computes with the very model.
func TestIDs(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	here, err := lm.Open(dir, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	scorer, err := here.Scorer(64)
	if err != nil {
		t.Fatal(err)
	}
	s := endpointtest.Start(endpointtest.VLLM, "tiny")
	s.Positions = here.Config.T + 2 // the longest prompt has one behind the positions, and one is generated
	var mutex sync.Mutex
	s.Logprobs = func(ids []int32) (logprobs []float64) {
		mutex.Lock()
		defer mutex.Unlock()
		err := scorer.Score(t.Context(), []lm.Sequence{{IDs: ids[:len(ids)-1], Targets: ids[1:]}}, func(_ int, nats []float32) {
			for _, x := range nats {
				logprobs = append(logprobs, -float64(x))
			}
		})
		if err != nil {
			t.Error(err)
		}
		return logprobs
	}
	long := strings.Repeat("The cat sat on the mat. ", 40)
	requests := []eval.Request{
		{Context: "The cat", Continuation: " sat"},
		{Context: "The cat number 7 sat ", Continuation: "on the mat"},
		{Continuation: "Hello. Assistant"},
		{Context: long, Continuation: " and looked"},
		{Form: eval.Rolling, Continuation: long},
		{Form: eval.Rolling, Continuation: long, Overlap: true, Window: 20, EndOfText: true},
		{Form: eval.Rolling, Continuation: "naïve"},
	}
	m := open(t, s, endpoint.Options{})
	m.Tokenizer, m.Begin = here.Tokenizer, "<|endoftext|>"
	for _, b := range []eval.Boundary{eval.Apart, eval.Together} {
		want := make([]eval.Answer, len(requests))
		local := &eval.Local{Model: here}
		if err := local.Answer(t.Context(), requests, eval.AnswerOptions{Boundary: b, Tokens: true}, func(i int, a eval.Answer) error { want[i] = a; return nil }); err != nil {
			t.Fatal(err)
		}
		got, err := answer(t, m, requests, eval.AnswerOptions{Boundary: b, Tokens: true})
		if err != nil {
			t.Fatal(b, err)
		}
		for i := range requests {
			if g, w := got[i], want[i]; math.Abs(g.Logprob-w.Logprob) > 1e-9*math.Abs(w.Logprob) || g.Tokens != w.Tokens || g.Truncated != w.Truncated || !slices.Equal(g.Each, w.Each) {
				t.Errorf("%s, request %d: %v of %d tokens, cut %v; want %v of %d, %v", b, i, g.Logprob, g.Tokens, g.Truncated, w.Logprob, w.Tokens, w.Truncated)
			}
		}
	}
	// A prompt is cut, and an answer that leaves no room refused.
	texts, err := answer(t, m, []eval.Request{{Form: eval.Text, Context: long, MaxTokens: 10}}, eval.AnswerOptions{})
	if err != nil || !texts[0].Truncated {
		t.Errorf("%+v, %v", texts, err)
	}
	if _, err := answer(t, m, []eval.Request{{Form: eval.Text, Context: long, MaxTokens: s.Positions}}, eval.AnswerOptions{}); err == nil || !strings.Contains(err.Error(), "leaves no room") {
		t.Error(err)
	}
	// What stands before a text is not guessed, and other numbers of tokens are no answer.
	m = open(t, s, endpoint.Options{})
	m.Tokenizer = here.Tokenizer
	if _, err := answer(t, m, requests[4:5], eval.AnswerOptions{}); err == nil || !strings.Contains(err.Error(), "--begin-text") {
		t.Error(err)
	}
	s.Before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/completions" {
			fmt.Fprint(w, `{"choices":[{"index":0,"text":"a b So","logprobs":{"tokens":["a"," b"," So"],"token_logprobs":[null,-1,-2],"top_logprobs":[null,{" b":-1},{" So":-1}],"text_offset":[0,1,3]}}],"usage":{"prompt_tokens":2}}`)
		}
		return r.URL.Path == "/v1/completions"
	}
	if _, err := answer(t, m, requests[1:2], eval.AnswerOptions{}); err == nil || !strings.Contains(err.Error(), "and counts 2, of a prompt of") {
		t.Error(err)
	}
}

// TestForms: what servers leave out, or have too much of, changes no sum.
func TestForms(t *testing.T) {
	const top = `"top_logprobs":[null,{" b":-1},{" So":-1},{" c":-1},{" d":-1}]`
	for name, replies := range map[string][2]string{ // to the whole, and to the context
		"no token behind the prompt, no usage": {`{"index":0,"text":"a b","logprobs":{"tokens":["a"," b"],"token_logprobs":[null,-1],` + top + `,"text_offset":[0,1]}}]`},
		"no usage":                             {`{"index":0,"text":"a b So","logprobs":{"tokens":["a"," b"," So"],"token_logprobs":[null,-1,-2],` + top + `,"text_offset":[0,1,3]}}]`},
		"more tokens than were asked for":      {`{"index":0,"text":"a b So c","logprobs":{"tokens":["a"," b"," So"," c"],"token_logprobs":[null,-1,-2,-3],` + top + `,"text_offset":[0,1,3,6]}}],"usage":{"prompt_tokens":2}`},
		"cached tokens are not counted":        {`{"index":0,"text":"a b So","logprobs":{"tokens":["a"," b"," So"],"token_logprobs":[null,-1,-2],` + top + `,"text_offset":[0,1,3]}}],"usage":{"prompt_tokens":1,"completion_tokens":1}`},
		"an end of text behind the prompt":     {`{"index":0,"text":"a b","logprobs":{"tokens":["a"," b","</s>"],"token_logprobs":[null,-1,-2],` + top + `,"text_offset":[0,1,3]}}],"usage":{"prompt_tokens":2,"completion_tokens":1}`},
		"tokens as a vocabulary has them": {
			`{"index":0,"text":"a b So","logprobs":{"tokens":["a","Ġb","ĠSo"],"token_logprobs":[null,-1,-2],` + top + `,"text_offset":[0,1,3]}}],"usage":{"prompt_tokens":2,"completion_tokens":1}`,
			`{"index":0,"text":"a So","logprobs":{"tokens":["a","ĠSo"],"token_logprobs":[null,-2],"top_logprobs":[null,{" So":-1}],"text_offset":[0,1]}}],"usage":{"prompt_tokens":1,"completion_tokens":1}`,
		},
	} {
		s := endpointtest.Start(endpointtest.Plain, "small")
		n := 0
		s.Before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v1/completions" {
				fmt.Fprint(w, `{"choices":[`+replies[n]+`}`)
				n++
			}
			return r.URL.Path == "/v1/completions"
		}
		got, err := answer(t, open(t, s, endpoint.Options{}), []eval.Request{{Context: "a", Continuation: " b"}}, eval.AnswerOptions{})
		if err != nil || got[0].Logprob != -1 || got[0].Tokens != 1 || !got[0].Greedy {
			t.Errorf("%s: %+v, %v", name, got[0], err)
		}
	}
}

func TestSlow(t *testing.T) {
	s := endpointtest.Start(endpointtest.VLLM, "small")
	s.Before = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/completions" {
			<-r.Context().Done()
		}
		return false
	}
	m := open(t, s, endpoint.Options{Timeout: 200 * time.Millisecond})
	_, err := answer(t, m, []eval.Request{{Form: eval.Text, Context: "Q"}}, eval.AnswerOptions{})
	if err == nil || !strings.Contains(err.Error(), "--timeout") || len(s.Asked("/v1/completions")) != 2 {
		t.Errorf("%v after %d attempts", err, len(s.Asked("/v1/completions")))
	}
}

// TestConcurrency: so many requests are under way, and no more; an error ends them all.
func TestConcurrency(t *testing.T) {
	s := endpointtest.Start(endpointtest.VLLM, "small")
	var now, most atomic.Int64
	s.Before = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/completions" {
			n := now.Add(1)
			defer now.Add(-1)
			for {
				m := most.Load()
				if n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		return false
	}
	m := open(t, s, endpoint.Options{Concurrency: 3})
	requests := make([]eval.Request, 12)
	for i := range requests {
		requests[i] = eval.Request{Form: eval.Text, Context: fmt.Sprint("Q", i)}
	}
	if _, err := answer(t, m, requests, eval.AnswerOptions{}); err != nil || most.Load() != 3 {
		t.Errorf("%d requests at a time, want 3 (%v)", most.Load(), err)
	}
	full := errors.New("the disk is full")
	told := 0
	err := m.Answer(t.Context(), requests, eval.AnswerOptions{}, func(int, eval.Answer) error { told++; return full })
	if !errors.Is(err, full) || told != 1 {
		t.Errorf("%v, told %d times", err, told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Answer(ctx, requests, eval.AnswerOptions{}, func(int, eval.Answer) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that is stopped: %v", err)
	}
}

// TestKey: the key goes to the server and nowhere else.
func TestKey(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	s := endpointtest.Start(endpointtest.VLLM, "small")
	var keys []string
	s.Before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		keys = append(keys, r.Header.Get("Authorization"))
		if r.URL.Path == "/v1/completions" {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	m := open(t, s, endpoint.Options{Key: "secret"})
	_, err := answer(t, m, []eval.Request{{Form: eval.Text, Context: "Q"}}, eval.AnswerOptions{})
	if err == nil || elsewhere != 0 || !slices.Equal(keys, []string{"Bearer secret", "Bearer secret"}) {
		t.Errorf("keys %q, %d requests elsewhere, %v", keys, elsewhere, err)
	}
	s.Before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		endpointtest.Refuse(w, 401, "Incorrect API key provided: "+r.Header.Get("Authorization"))
		return true
	}
	_, err = answer(t, m, []eval.Request{{Form: eval.Text, Context: "Q"}}, eval.AnswerOptions{})
	if err == nil || !strings.Contains(err.Error(), "Incorrect API key provided: Bearer …") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a server that repeats the key: %v", err)
	}
}

func TestAddress(t *testing.T) {
	for _, c := range []struct{ address, want, said string }{
		{"http://localhost:1/v1/", "", ""},
		{"http://127.0.0.1:1/v1", "", ""},
		{"http://[::1]:1/v1", "", ""},
		{"https://models.example/v1", "", ""},
		{"http://models.example/v1", "", "models.example is not encrypted: who sits on the way can read the key"},
		{"http://", "no host", ""},
		{"http://me:secret@models.example/v1", "OPENAI_API_KEY", ""},
		{"https://models.example/v1?key=3", "behind its path", ""},
		{"http://a b/v1", "invalid character", ""},
	} {
		said := ""
		_, err := endpoint.New(c.address, endpoint.Options{Key: "k", Warn: func(s string) { said += s }})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v, want %q", c.address, err, c.want)
		}
		if said != "" != (c.said != "") || !strings.HasPrefix(said, c.said) {
			t.Errorf("%s: said %q, want %q", c.address, said, c.said)
		}
	}
}

func TestModelName(t *testing.T) {
	s := endpointtest.Start(endpointtest.VLLM, "b", "a")
	defer s.Close()
	server, err := endpoint.New(s.URL+"/v1", endpoint.Options{Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Model(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "2 models: a, b\nhint: --model-name") {
		t.Errorf("of two models: %v", err)
	}
	m, err := server.Model(t.Context(), "b")
	if err != nil || m.Name() != "b" {
		t.Fatal(err)
	}
	one, _ := m.Identity()
	m, _ = server.Model(t.Context(), "b")
	if two, _ := m.Identity(); fmt.Sprint(one) != fmt.Sprint(two) || !strings.Contains(one["served"], "2048") || strings.Contains(fmt.Sprint(one), s.URL) {
		t.Errorf("identities %v and %v of one model", one, two)
	}
	s.Before = func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true }
	if m, err = server.Model(t.Context(), "c"); err != nil || m.Name() != "c" {
		t.Errorf("a server without a list of models: %v", err)
	}
	if _, err = server.Model(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "--model-name") {
		t.Errorf("the same without a name: %v", err)
	}
	s.Close()
	if _, err = server.Model(t.Context(), "c"); err == nil || !strings.Contains(err.Error(), "the connection broke") {
		t.Errorf("a server that is gone: %v", err)
	}
}
