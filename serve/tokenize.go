package serve

import (
	"net/http"

	"olmo/chat"
)

// tokenize is POST /tokenize, as llama.cpp and as vLLM have it: of a content, a prompt, or messages.
func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) *failure {
	f, m, problem := s.begin(w, r)
	if problem != nil {
		return problem
	}
	if m.lm.Tokenizer == nil {
		return bad("model", "the model %s has no tokenizer", m.name)
	}
	var ids []int32
	var text string
	special, parse := f.has("prompt"), true // vLLM adds them unless told otherwise
	f.flag("add_special", &special)
	f.flag("add_special_tokens", &special)
	f.flag("parse_special", &parse)
	if !parse {
		f.fail(bad("parse_special", "parse_special is false: special tokens are always read here"))
	}
	pieces := false
	if f.flag("with_pieces", &pieces); pieces {
		f.fail(bad("with_pieces", "this server does not have it; /detokenize has the text of ids"))
	}
	given := 0
	for _, name := range []string{"content", "prompt", "messages"} {
		if f.has(name) {
			given++
		}
	}
	if given != 1 && f.failed == nil {
		f.fail(bad("prompt", "one of content, prompt and messages is due"))
	}
	var messages []chat.Message
	if f.has("messages") {
		messages = m.conversation(f)
	}
	f.text("content", &text)
	f.text("prompt", &text)
	f.accept("return_token_strs", "add_generation_prompt")
	if problem := s.finish(w, f); problem != nil {
		return problem
	}
	var err error
	switch {
	case messages != nil:
		ids, err = m.promptOf(messages)
	case special:
		ids, err = m.lm.Encode(text)
	default:
		ids, err = m.lm.Tokenizer.AppendEncode(nil, text)
	}
	if err != nil {
		return bad("prompt", "%v", err)
	}
	if ids == nil {
		ids = []int32{}
	}
	writeJSON(w, http.StatusOK, struct {
		Tokens []int32 `json:"tokens"`
		Count  int     `json:"count"`
		Most   int     `json:"max_model_len"`
	}{ids, len(ids), m.lm.Config.T})
	return nil
}

// detokenize is POST /detokenize: vLLM's answer has a prompt, llama.cpp's a content.
func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) *failure {
	f, m, problem := s.begin(w, r)
	if problem != nil {
		return problem
	}
	if m.lm.Tokenizer == nil {
		return bad("model", "the model %s has no tokenizer", m.name)
	}
	var ids []int32
	if !f.to("tokens", &ids, "a list of ids") {
		f.fail(bad("tokens", "the request has no tokens"))
	}
	for _, id := range ids {
		if id < 0 || int(id) >= m.lm.Config.V {
			f.fail(bad("tokens", "id %d is none of the model: they lie between 0 and %d", id, m.lm.Config.V-1))
		}
	}
	if problem := s.finish(w, f); problem != nil {
		return problem
	}
	text := m.lm.Tokenizer.Decode(ids, false)
	writeJSON(w, http.StatusOK, map[string]string{"content": text, "prompt": text})
	return nil
}

// applyTemplate is POST /apply-template.
func (s *Server) applyTemplate(w http.ResponseWriter, r *http.Request) *failure {
	f, m, problem := s.begin(w, r)
	if problem != nil {
		return problem
	}
	if m.format == nil {
		return bad("model", "the model %s has no tokenizer", m.name)
	}
	messages := m.conversation(f)
	if problem := s.finish(w, f); problem != nil {
		return problem
	}
	text, err := m.format.Prompt(messages)
	if err != nil {
		return bad("messages", "%v", err)
	}
	writeJSON(w, http.StatusOK, map[string]string{"prompt": text})
	return nil
}

// modelCard is what is known of a model.
type modelCard struct {
	ID      string    `json:"id"`
	Object  string    `json:"object"`
	Created int64     `json:"created"`
	OwnedBy string    `json:"owned_by"`
	Meta    modelMeta `json:"meta"`
}

type modelMeta struct {
	Parameters int    `json:"parameters"`
	Context    int    `json:"context"`
	Precision  string `json:"precision"`
	Digest     string `json:"weights_digest"`
	Loaded     bool   `json:"loaded"`
}

func (m *served) card() (modelCard, *failure) {
	digest, err := m.digest()
	if err != nil {
		return modelCard{}, &failure{status: http.StatusInternalServerError, kind: "server_error", message: err.Error()}
	}
	parameters, _ := m.lm.Config.NumParams()
	return modelCard{ID: m.name, Object: "model", Created: m.created.Unix(), OwnedBy: "olmo", Meta: modelMeta{
		Parameters: parameters, Context: m.lm.Config.T, Precision: m.lm.Precision().String(), Digest: digest, Loaded: true,
	}}, nil
}

// listModels is GET /models.
func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) *failure {
	list := struct {
		Object string      `json:"object"`
		Data   []modelCard `json:"data"`
	}{"list", []modelCard{}}
	for _, m := range s.models {
		c, problem := m.card()
		if problem != nil {
			return problem
		}
		list.Data = append(list.Data, c)
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// showModel is GET /models/{id}.
func (s *Server) showModel(w http.ResponseWriter, r *http.Request) *failure {
	m, problem := s.named(r.PathValue("id"))
	if problem != nil {
		return problem
	}
	c, problem := m.card()
	if problem == nil {
		writeJSON(w, http.StatusOK, c)
	}
	return problem
}
