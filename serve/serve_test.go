package serve_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"olmo/generate"
	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/serve"
)

// asked is a server under test.
type asked struct {
	t    *testing.T
	m    *lm.Model
	url  string
	head http.Header
}

func server(t *testing.T, o serve.Options) *asked {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	m, err := lm.Open(dir, lm.Options{Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s := serve.New(o)
	if err := s.Add("org/tiny", m); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Ready()
	return &asked{t, m, h.URL, http.Header{}}
}

// do asks, and returns status and body.
func (a *asked) do(method, path, body string) (int, []byte) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header = a.head.Clone()
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer.StatusCode, text
}

// reply is what tests look at of any answer.
type reply struct {
	Fingerprint string `json:"system_fingerprint"`
	Choices     []struct {
		Index   int
		Text    string
		Message struct{ Role, Content string }
		Delta   struct{ Role, Content string }
		Reason  *string `json:"finish_reason"`
		IDs     []int32 `json:"token_ids"`
		Scores  struct {
			Tokens   []string
			Logprobs []*float64           `json:"token_logprobs"`
			Top      []map[string]float64 `json:"top_logprobs"`
			Offsets  []int                `json:"text_offset"`
			Content  []struct {
				Token   string
				Logprob float64
				Bytes   []byte
				Top     []struct{ Logprob float64 } `json:"top_logprobs"`
			}
		} `json:"logprobs"`
	}
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
		Details    struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	}
	Error struct{ Message, Type, Param, Code string }
}

func (a *asked) post(path, body string) reply {
	a.t.Helper()
	status, text := a.do("POST", path, body)
	var r reply
	if err := json.Unmarshal(text, &r); err != nil || status != http.StatusOK {
		a.t.Fatalf("%s %s: %d %s", path, body, status, text)
	}
	return r
}

// alone is what the model says without a server.
func (a *asked) alone(r lm.Request) lm.Answer {
	a.t.Helper()
	g, err := a.m.Generator()
	if err != nil {
		a.t.Fatal(err)
	}
	answer, err := g.Generate(a.t.Context(), r)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer
}

func (a *asked) encode(text string) []int32 {
	a.t.Helper()
	ids, err := a.m.Encode(text)
	if err != nil {
		a.t.Fatal(err)
	}
	return ids
}

// TestCompletion holds answers and scores against those of the engine itself, bit by bit.
func TestCompletion(t *testing.T) {
	a := server(t, serve.Options{})
	prompt := a.encode("The cat number 7")
	want := a.alone(lm.Request{Prompt: prompt, MaxTokens: 6, Stop: a.m.Stop, Sampling: generate.Sampling{Temperature: 1, Seed: 9}, Echo: true, TopLogprobs: 3})
	r := a.post("/v1/completions", `{"prompt": "The cat number 7", "max_tokens": 6, "seed": 9, "logprobs": 3, "echo": true, "return_token_ids": true}`)
	c := r.Choices[0]
	if c.Text != "The cat number 7"+want.Text || !slices.Equal(c.IDs, want.IDs) {
		t.Errorf("%q %v, want %q %v", c.Text, c.IDs, want.Text, want.IDs)
	}
	scores := slices.Concat(want.Prompt, want.Logprobs)
	if len(c.Scores.Logprobs) != len(scores)+1 || c.Scores.Logprobs[0] != nil || c.Scores.Top[0] != nil {
		t.Fatalf("scores %v, want null and %v", c.Scores.Logprobs, scores)
	}
	for i, s := range scores {
		if *c.Scores.Logprobs[i+1] != s {
			t.Errorf("token %d has %v, want %v", i+1, *c.Scores.Logprobs[i+1], s)
		}
		if n := len(c.Scores.Top[i+1]); n < 3 || n > 4 {
			t.Errorf("token %d has %d others, want 3 and itself", i+1, n)
		}
	}
	for i, token := range c.Scores.Tokens {
		if text := []rune(c.Text)[c.Scores.Offsets[i]:]; !strings.HasPrefix(string(text), strings.Trim(token, "\ufffd")) && !strings.HasPrefix(token, "bytes:") {
			t.Errorf("token %d, %q, is said to be at %q", i, token, string(text))
		}
	}
	if u := r.Usage; u.Prompt != len(prompt) || u.Completion != 6 || u.Total != len(prompt)+6 {
		t.Errorf("usage %+v", u)
	}
	if mark, _ := a.m.Fingerprint(); r.Fingerprint != mark {
		t.Errorf("fingerprint %s, want %s", r.Fingerprint, mark)
	}
	if again := a.post("/v1/completions", `{"prompt": "The cat number 7", "max_tokens": 6, "seed": 9}`); again.Usage.Prompt != len(prompt) || again.Usage.Details.Cached != len(prompt)-1 || again.Choices[0].Text != want.Text {
		t.Errorf("asked again: %+v", again)
	}
	// As evaluation harnesses score: nothing is written, several prompts of ids.
	ids, _ := json.Marshal([][]int32{prompt, prompt[:3]})
	scored := a.post("/completions", fmt.Sprintf(`{"prompt": %s, "max_tokens": 0, "logprobs": 1, "echo": true, "temperature": 0}`, ids))
	for i, n := range []int{len(prompt), 3} {
		got := scored.Choices[i].Scores.Logprobs
		if len(got) != n {
			t.Fatalf("prompt %d has %d scores, want %d", i, len(got), n)
		}
		for k := 1; k < n; k++ {
			if *got[k] != want.Prompt[k-1] {
				t.Errorf("prompt %d: token %d has %v, want %v", i, k, *got[k], want.Prompt[k-1])
			}
		}
	}
	// Choice i is the answer of seed + i.
	several := a.post("/v1/completions", `{"prompt": "The cat number 7", "max_tokens": 6, "seed": 8, "n": 2}`)
	if several.Choices[1].Text != want.Text || several.Choices[1].Index != 1 {
		t.Errorf("of two the second is %q, want %q", several.Choices[1].Text, want.Text)
	}
	if best := a.post("/v1/completions", `{"prompt": "The cat", "max_tokens": 4, "seed": 1, "n": 2, "best_of": 5}`); len(best.Choices) != 2 || best.Choices[1].Index != 1 {
		t.Errorf("best_of: %+v", best.Choices)
	}
}

// events reads a stream.
func (a *asked) events(path, body string) (all []reply, ended bool) {
	a.t.Helper()
	status, text := a.do("POST", path, body)
	if status != http.StatusOK {
		a.t.Fatalf("%d %s", status, text)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return all, true
		}
		var r reply
		if err := json.Unmarshal([]byte(data), &r); err != nil {
			a.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all, false
}

// TestStream: the pieces of a stream make the answer that comes without one.
func TestStream(t *testing.T) {
	a := server(t, serve.Options{})
	const body = `"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 12, "seed": 4, "n": 2, "logprobs": true, "top_logprobs": 2, "stop": ["q"]`
	whole := a.post("/v1/chat/completions", "{"+body+"}")
	pieces, ended := a.events("/v1/chat/completions", "{"+body+`, "stream": true, "stream_options": {"include_usage": true}}`)
	texts, reasons, tokens := [2]string{}, [2]string{}, [2]int{}
	for i, p := range pieces {
		if i < 2 && (p.Choices[0].Delta.Role != "assistant" || p.Choices[0].Index != i) {
			t.Errorf("piece %d: %+v, want the role", i, p)
		}
		for _, c := range p.Choices {
			texts[c.Index] += c.Delta.Content
			tokens[c.Index] += len(c.Scores.Content)
			if c.Reason != nil {
				reasons[c.Index] += *c.Reason
			}
		}
	}
	last := pieces[len(pieces)-1]
	if !ended || len(last.Choices) != 0 || last.Usage.Total != whole.Usage.Total {
		t.Errorf("it ends with %+v (%v), want the usage %+v", last, ended, whole.Usage)
	}
	for i, c := range whole.Choices {
		if texts[i] != c.Message.Content || reasons[i] != *c.Reason || tokens[i] != len(c.Scores.Content) || strings.Contains(texts[i], "q") {
			t.Errorf("choice %d: %q, %q, %d tokens; want %q, %q, %d", i, texts[i], reasons[i], tokens[i], c.Message.Content, *c.Reason, len(c.Scores.Content))
		}
		for _, x := range c.Scores.Content {
			if len(x.Top) != 2 || x.Top[0].Logprob < x.Top[1].Logprob || len(x.Bytes) == 0 {
				t.Errorf("token %+v", x)
			}
		}
	}
	const text = `"prompt": "The cat", "max_tokens": 9, "seed": 4, "echo": true`
	want := a.post("/v1/completions", "{"+text+"}").Choices[0].Text
	got := ""
	pieces, _ = a.events("/v1/completions", "{"+text+`, "stream": true}`)
	for _, p := range pieces {
		got += p.Choices[0].Text
	}
	if got != want {
		t.Errorf("streamed %q, want %q", got, want)
	}
	// Without likeliest tokens to tell there is no list of them, streamed or not.
	const scored = `"prompt": "The cat", "max_tokens": 3, "logprobs": 0`
	pieces, _ = a.events("/v1/completions", "{"+scored+`, "stream": true}`)
	for _, p := range append(pieces, a.post("/v1/completions", "{"+scored+"}")) {
		if s := p.Choices[0].Scores; s.Top != nil {
			t.Errorf("logprobs 0: %+v", s)
		}
	}
}

// TestMany: who asks at the same time changes no answer.
func TestMany(t *testing.T) {
	a := server(t, serve.Options{Parallel: 5})
	body := func(i int) string {
		form := []string{"", `, "structured_outputs": {"regex": "[a-c]{3}"}`}[i/4%2]
		return fmt.Sprintf(`{"prompt": "The cat number %d", "max_tokens": %d, "seed": %d, "temperature": %d, "logprobs": 2, "echo": %v%s}`, i%5, 3+i, i, i%2, i%3 == 0, form)
	}
	const n = 24
	var want [n]string
	for i := range want {
		text, _ := json.Marshal(a.post("/v1/completions", body(i)).Choices)
		want[i] = string(text)
	}
	var group sync.WaitGroup
	for i := range want {
		group.Go(func() {
			status, text := a.do("POST", "/v1/completions", body(i))
			var r reply
			if err := json.Unmarshal(text, &r); err != nil || status != 200 {
				t.Errorf("%d %s", status, text)
				return
			}
			if got, _ := json.Marshal(r.Choices); string(got) != want[i] {
				t.Errorf("request %d: %s, want %s", i, got, want[i])
			}
		})
	}
	group.Wait()
	if _, text := a.do("GET", "/metrics", ""); !strings.Contains(string(text), "olmo_requests_running 0\n") || !strings.Contains(string(text), "olmo_requests_waiting 0\n") {
		t.Errorf("metrics: %s", text)
	}
}

// TestEmbeddings: vectors are the engine's, as numbers and as bytes.
func TestEmbeddings(t *testing.T) {
	a := server(t, serve.Options{})
	prompts := [][]int32{a.encode("The cat"), a.encode("sat on the mat")}
	var want [][]float32
	if err := a.m.Embed(t.Context(), prompts, generate.Mean, func(_ int, v []float32) error {
		want = append(want, v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ask := func(more string, to any) {
		t.Helper()
		status, text := a.do("POST", "/v1/embeddings", `{"input": ["The cat", "sat on the mat"]`+more+`}`)
		if err := json.Unmarshal(text, to); err != nil || status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	var numbers, short struct {
		Data []struct{ Embedding []float32 }
	}
	var bytes struct{ Data []struct{ Embedding []byte } }
	ask("", &numbers)
	ask(`, "encoding_format": "base64"`, &bytes)
	ask(`, "dimensions": 3`, &short)
	for i, v := range want {
		if !slices.Equal(numbers.Data[i].Embedding, v) {
			t.Errorf("text %d: %v, want %v", i, numbers.Data[i].Embedding, v)
		}
		for k, x := range v {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(bytes.Data[i].Embedding[4*k:])); got != x {
				t.Errorf("text %d: number %d is %v, want %v", i, k, got, x)
			}
		}
		sum := 0.0
		for _, x := range short.Data[i].Embedding {
			sum += float64(x) * float64(x)
		}
		if len(short.Data[i].Embedding) != 3 || math.Abs(sum-1) > 1e-6 {
			t.Errorf("text %d: %v, want 3 numbers of length 1", i, short.Data[i].Embedding)
		}
	}
}

// TestForms: an answer that is held to a form has it.
func TestForms(t *testing.T) {
	a := server(t, serve.Options{})
	for _, c := range []struct{ form, want string }{
		{`"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["b"]}}}`, `"b"`},
		{`"structured_outputs": {"choice": ["sat"]}`, "sat"},
		{`"structured_outputs": {"regex": "[4]{2}"}`, "44"},
		{`"grammar": "root ::= \"ab\""`, "ab"},
	} {
		r := a.post("/v1/chat/completions", `{"messages": [{"role": "user", "content": "x"}], `+c.form+`}`)
		if got := r.Choices[0].Message.Content; got != c.want || *r.Choices[0].Reason != "stop" {
			t.Errorf("%s: %q, want %q", c.form, got, c.want)
		}
	}
}

// TestRefused: what cannot be honoured is refused with the field's name.
func TestRefused(t *testing.T) {
	a := server(t, serve.Options{Local: true, MaxBody: 4096})
	chat := func(more string) string { return `{"messages": [{"role": "user", "content": "x"}]` + more + `}` }
	for _, c := range []struct {
		path, body string
		status     int
		param      string
	}{
		{"/v1/chat/completions", `{x`, 400, ""},
		{"/v1/chat/completions", `[]`, 400, ""},
		{"/v1/chat/completions", `null`, 400, ""},
		{"/v1/chat/completions", `{}`, 400, "messages"},
		{"/v1/chat/completions", `{"messages": []}`, 400, "messages"},
		{"/v1/chat/completions", `{"messages": [{"role": "bot", "content": "x"}]}`, 400, "messages.0.role"},
		{"/v1/chat/completions", `{"messages": [{"role": "user"}]}`, 400, "messages.0.content"},
		{"/v1/chat/completions", `{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}`, 400, "messages.0.content.0"},
		{"/v1/chat/completions", chat(`, "temperature": -1`), 400, "temperature"},
		{"/v1/chat/completions", chat(`, "temperature": "hot"`), 400, "temperature"},
		{"/v1/chat/completions", chat(`, "top_p": 1.5`), 400, "top_p"},
		{"/v1/chat/completions", chat(`, "n": 1000`), 400, "n"},
		{"/v1/chat/completions", chat(`, "max_tokens": 1.5`), 400, "max_tokens"},
		{"/v1/chat/completions", chat(`, "max_tokens": 3, "max_completion_tokens": 4`), 400, "max_completion_tokens"},
		{"/v1/chat/completions", chat(`, "max_tokens": 100`), 400, "max_tokens"},
		{"/v1/chat/completions", chat(`, "top_logprobs": 2`), 400, "top_logprobs"},
		{"/v1/chat/completions", chat(`, "logit_bias": {"320": 1}`), 400, "logit_bias"},
		{"/v1/chat/completions", chat(`, "stop": ""`), 400, "stop"},
		{"/v1/chat/completions", chat(`, "chat_template": "x"`), 400, "chat_template"},
		{"/v1/chat/completions", chat(`, "tools": [{"type": "function"}]`), 400, "tools"},
		{"/v1/chat/completions", chat(`, "response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}`), 400, "response_format"},
		{"/v1/chat/completions", chat(`, "response_format": {"type": "json_object"}, "grammar": "root ::= \"a\""`), 400, "grammar"},
		{"/v1/chat/completions", chat(`, "structured_outputs": {"structural_tag": {}}`), 400, "structured_outputs.structural_tag"},
		{"/v1/chat/completions", chat(`, "model": "other"`), 404, "model"},
		{"/v1/completions", `{"prompt": "a", "bad_words": [""]}`, 400, "bad_words"},
		{"/v1/completions", `{"prompt": "a", "structured_outputs": {"choice": ["a"]}, "stop": "a"}`, 400, "stop"},
		{"/v1/completions", `{"prompt": []}`, 400, "prompt"},
		{"/v1/completions", `{"prompt": ""}`, 400, "prompt"},
		{"/v1/completions", `{"prompt": [320]}`, 400, "prompt"},
		{"/v1/completions", `{"prompt": "a", "suffix": "b"}`, 400, "suffix"},
		{"/v1/completions", `{"prompt": "a", "best_of": 2, "stream": true}`, 400, "best_of"},
		{"/v1/completions", `{"prompt": "` + strings.Repeat("number ", 100) + `"}`, 400, "prompt"},
		{"/v1/completions", `{"prompt": "` + strings.Repeat("a", 5000) + `"}`, 413, ""},
		{"/v1/embeddings", `{"input": []}`, 400, "input"},
		{"/v1/embeddings", `{"input": "a", "dimensions": 33}`, 400, "dimensions"},
		{"/v1/embeddings", `{"input": "a", "pooling": "max"}`, 400, "pooling"},
		{"/v1/embeddings", `{"input": "a", "encoding_format": "hex"}`, 400, "encoding_format"},
		{"/v1/detokenize", `{"tokens": [-1]}`, 400, "tokens"},
		{"/v1/tokenize", `{}`, 400, "prompt"},
		{"/v1/nowhere", `{}`, 404, ""},
	} {
		status, text := a.do("POST", c.path, c.body)
		var r reply
		if err := json.Unmarshal(text, &r); err != nil || status != c.status || r.Error.Param != c.param || r.Error.Message == "" || r.Error.Type == "" {
			t.Errorf("%s %.80s: %d %s, want %d and %q", c.path, c.body, status, text, c.status, c.param)
		}
	}
	if status, _ := a.do("GET", "/v1/completions", ""); status != 405 {
		t.Errorf("GET of completions: %d, want 405", status)
	}
	for name, value := range map[string]string{"Host": "evil.example", "Origin": "http://evil.example", "origin": "null"} {
		a.head = http.Header{http.CanonicalHeaderKey(name): {value}}
		if status, _ := a.do("GET", "/v1/models", ""); status != 403 {
			t.Errorf("%s %s: %d, want 403", name, value, status)
		}
	}
	a.head = http.Header{"Origin": {"http://localhost:3000"}}
	if status, _ := a.do("OPTIONS", "/v1/models", ""); status != 204 {
		t.Errorf("OPTIONS: %d, want 204", status)
	}
}

// TestKeys: with keys nobody else gets in, but to ask for health.
func TestKeys(t *testing.T) {
	a := server(t, serve.Options{Keys: []serve.Key{{Name: "ann", Secret: "s3cret"}, {Name: "bo", Secret: "other"}}})
	for _, c := range []struct {
		auth, path string
		want       int
	}{
		{"", "/v1/models", 401},
		{"Bearer nope", "/v1/models", 401},
		{"Bearer s3cret", "/v1/models", 200},
		{"Bearer other", "/v1/models/org/tiny", 200},
		{"", "/health", 200},
		{"", "/metrics", 401},
	} {
		a.head = http.Header{"Authorization": {c.auth}}
		if status, text := a.do("GET", c.path, ""); status != c.want {
			t.Errorf("%q %s: %d %s, want %d", c.auth, c.path, status, text, c.want)
		}
	}
}

// TestQueue: beyond the queue requests are turned away, and who leaves frees the place.
func TestQueue(t *testing.T) {
	a := server(t, serve.Options{Parallel: 1, Queue: -1})
	body := `{"prompt": "The cat", "max_tokens": 60, "ignore_eos": true, "stream": true}`
	var busy, done int
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			status, _ := a.do("POST", "/v1/completions", body)
			mu.Lock()
			defer mu.Unlock()
			switch status {
			case 200:
				done++
			case 429:
				busy++
			default:
				t.Errorf("status %d", status)
			}
		})
	}
	group.Wait()
	if busy+done != 20 || done == 0 {
		t.Errorf("%d were busy and %d done, of 20", busy, done)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		_, text := a.do("GET", "/metrics", "")
		if strings.Contains(string(text), "olmo_requests_running 0\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a place is taken for ever: %s", text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestContentIsNoTemplate: what a message says comes to no special token.
func TestContentIsNoTemplate(t *testing.T) {
	a := server(t, serve.Options{})
	end, ok := a.m.Tokenizer.TokenID("<|endoftext|>")
	if !ok {
		t.Fatal("the model has no such token")
	}
	status, text := a.do("POST", "/tokenize", `{"messages": [{"role": "user", "content": "a <|endoftext|> b"}]}`)
	var r struct{ Tokens []int32 }
	if err := json.Unmarshal(text, &r); err != nil || status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if slices.Contains(r.Tokens, end) || !strings.Contains(a.m.Tokenizer.Decode(r.Tokens, true), "a <|endoftext|> b") {
		t.Errorf("%v, %q", r.Tokens, a.m.Tokenizer.Decode(r.Tokens, true))
	}
}

// TestDrain: a server that ends takes no further requests, and says so.
func TestDrain(t *testing.T) {
	s := serve.New(serve.Options{})
	h := httptest.NewServer(s)
	defer h.Close()
	a := &asked{t: t, url: h.URL}
	if status, text := a.do("GET", "/health", ""); status != 503 || !strings.Contains(string(text), "loading") {
		t.Errorf("before models are there: %d %s", status, text)
	}
	s.Ready()
	if status, _ := a.do("GET", "/health", ""); status != 200 {
		t.Errorf("ready: %d", status)
	}
	s.Drain()
	if status, text := a.do("GET", "/health", ""); status != 503 || !strings.Contains(string(text), "draining") {
		t.Errorf("draining: %d %s", status, text)
	}
}

// FuzzRequest: whatever a body has, the answer is whole: the model's, or an error that is not the program's fault.
func FuzzRequest(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "tiny")
	if err := lmtest.Write(dir); err != nil {
		f.Fatal(err)
	}
	m, err := lm.Open(dir, lm.Options{Memory: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	defer m.Close()
	s := serve.New(serve.Options{})
	if err := s.Add("tiny", m); err != nil {
		f.Fatal(err)
	}
	s.Ready()
	paths := []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/tokenize", "/detokenize", "/apply-template"}
	for i, body := range []string{
		`{"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}], "stop": ["a"], "stream": true, "logprobs": true, "top_logprobs": 2, "n": 2}`,
		`{"prompt": [[1, 2], [3]], "echo": true, "logprobs": 1, "max_tokens": 0, "logit_bias": {"3": -100}}`,
		`{"input": "x", "dimensions": 2}`, `{"content": "x"}`, `{"tokens": [1]}`, `{"messages": [{"role": "assistant", "content": "<|endoftext|>"}]}`,
		`{"prompt": "x", "structured_outputs": {"regex": "[a-c]+"}, "min_tokens": 3, "samplers": ["top_k"], "temperature": 1}`,
	} {
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, path uint8, body string) {
		r := httptest.NewRequest("POST", paths[int(path)%len(paths)], strings.NewReader(body))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
		if w.Code != 200 {
			var e reply
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error.Message == "" {
				t.Errorf("%s: %d %s", body, w.Code, w.Body)
			}
		}
	})
}
