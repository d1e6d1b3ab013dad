package serve

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"olmo/constrain"
	"olmo/generate"
	"olmo/lm"
)

const (
	mostChoices = 128 // of n and best_of
	mostStops   = 16
	mostTop     = 20 // of log-probabilities
)

// settings are what completions and chats share.
type settings struct {
	request   lm.Request // all of a choice but its prompt
	choices   int
	maxTokens int // −1: not given
	stream    bool
	usage     bool // at the end of a stream
	ids       bool // return_token_ids
}

// settings reads the fields that say how an answer is written.
func (m *served) settings(f *fields) *settings {
	s := &settings{choices: 1, maxTokens: -1}
	q := &s.request
	to := &q.Sampling
	to.Temperature = 1
	f.number("temperature", &to.Temperature, 0, 2)
	if f.number("top_p", &to.TopP, 0, 1) && to.TopP == 0 {
		to.TopK = 1 // the most probable one reaches it
	}
	if k := 0; f.whole("top_k", &k, -1, math.MaxInt) && k > 0 {
		to.TopK = k
	}
	f.number("min_p", &to.MinP, 0, 1)
	f.number("typical_p", &to.Typical, 0, 1)
	f.number("top_n_sigma", &to.TopNSigma, 0, 1000)
	f.number("xtc_probability", &to.XTC.Probability, 0, 1)
	f.number("xtc_threshold", &to.XTC.Threshold, 0, 0.5)
	f.number("presence_penalty", &to.Penalties.Presence, -2, 2)
	f.number("frequency_penalty", &to.Penalties.Frequency, -2, 2)
	if f.has("repeat_penalty") && f.has("repetition_penalty") {
		f.fail(bad("repeat_penalty", "repeat_penalty and repetition_penalty are the same setting"))
	}
	f.number("repetition_penalty", &to.Penalties.Repetition, 0.001, 1000)
	f.number("repeat_penalty", &to.Penalties.Repetition, 0.001, 1000)
	f.whole("repeat_last_n", &to.Penalties.LastN, -1, math.MaxInt32)
	f.number("dry_multiplier", &to.DRY.Multiplier, 0, 1000)
	f.number("dry_base", &to.DRY.Base, 1, 1000)
	f.whole("dry_allowed_length", &to.DRY.AllowedLength, 1, math.MaxInt32)
	f.whole("dry_penalty_last_n", &to.DRY.LastN, 0, math.MaxInt32)
	f.whole("no_repeat_ngram_size", &to.NoRepeatNGram, 0, math.MaxInt32)
	f.whole("min_tokens", &to.MinTokens, 0, math.MaxInt32)
	f.to("samplers", &to.Order, "a list of names of samplers")
	f.to("allowed_token_ids", &to.Allowed, "a list of ids")
	m.seed(f, to)
	m.bias(f, to)
	m.words(f, to)
	m.ends(f, q)
	f.whole("n", &s.choices, 1, mostChoices)
	f.whole("max_tokens", &s.maxTokens, 0, math.MaxInt32)
	f.flag("stream", &s.stream)
	f.flag("return_token_ids", &s.ids)
	if text := f.get("stream_options"); text != nil {
		var o struct {
			IncludeUsage bool `json:"include_usage"`
		}
		if f.to("stream_options", &o, "an object such as {\"include_usage\": true}") {
			s.usage = o.IncludeUsage
		}
		if f.failed == nil && !s.stream {
			f.fail(bad("stream_options", "stream_options has no effect without stream"))
		}
	}
	f.accept("user", "metadata", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier", "verbosity", "parallel_tool_calls", "cache_prompt")
	for _, name := range []string{"use_beam_search", "mirostat", "dynatemp_range", "lora", "truncate_prompt_tokens", "prompt_logprobs", "post_sampling_probs", "prediction", "priority", "cache_salt"} {
		f.refuse(name, "this server does not have it yet")
	}
	if q.Form = m.form(f); q.Form != nil && (len(q.StopTexts) > 0 || f.has("stop_token_ids") || f.has("ignore_eos")) {
		f.fail(bad("stop", "the answer is held to a form, and a stop would end it elsewhere"))
	}
	if f.failed == nil {
		if err := to.Check(); err != nil {
			f.fail(bad("", "%v", err))
		}
	}
	return s
}

// seed reads the seed, or draws one.
func (m *served) seed(f *fields, to *generate.Sampling) {
	to.Seed = rand.Uint64() >> 1
	var seed int64
	if f.to("seed", &seed, "a whole number") {
		to.Seed = uint64(seed)
	}
}

// bias reads logit_bias: ids as names, or a list of pairs as llama.cpp has it.
func (m *served) bias(f *fields, to *generate.Sampling) {
	var of map[string]float64
	if !f.to("logit_bias", &of, "an object of ids and numbers") {
		return
	}
	to.Bias = map[int32]float64{}
	for name, b := range of {
		id, err := strconv.Atoi(name)
		switch {
		case err != nil || id < 0 || id >= m.lm.Config.V:
			f.fail(bad("logit_bias", "logit_bias has %.40q, which is no id of the model: they lie between 0 and %d", name, m.lm.Config.V-1))
		case b < -100 || b > 100:
			f.fail(bad("logit_bias", "logit_bias of id %d is %v, it must lie between -100 and 100", id, b))
		default:
			to.Bias[int32(id)] = b
		}
	}
}

// words reads the settings that name texts.
func (m *served) words(f *fields, to *generate.Sampling) {
	var w lm.Words
	read := func(name string, to *[]string) {
		if f.to(name, to, "a list of texts"); slices.Contains(*to, "") {
			f.fail(bad(name, "%s has an empty text", name))
		}
	}
	read("bad_words", &w.BadWords)
	read("dry_sequence_breakers", &w.Breakers)
	if f.failed == nil {
		if err := w.AddTo(to, m.lm); err != nil {
			f.fail(bad("", "%v", err))
		}
	}
}

// ends reads where an answer ends.
func (m *served) ends(f *fields, q *lm.Request) {
	q.Stop = m.lm.Stop
	ignore := false
	if f.flag("ignore_eos", &ignore); ignore {
		q.Stop = nil
	}
	var ids []int32
	f.to("stop_token_ids", &ids, "a list of ids")
	for _, id := range slices.Concat(ids, q.Sampling.Allowed) {
		if id < 0 || int(id) >= m.lm.Config.V {
			f.fail(bad("stop_token_ids", "id %d is none of the model: they lie between 0 and %d", id, m.lm.Config.V-1))
		}
	}
	q.Stop = slices.Concat(q.Stop, ids)
	f.texts("stop", &q.StopTexts, mostStops)
	if slices.Contains(q.StopTexts, "") {
		f.fail(bad("stop", "stop has an empty text, which would end every answer before it begins"))
	}
	if len(q.StopTexts) > 0 && m.lm.Tokenizer == nil {
		f.fail(bad("stop", "stop wants a tokenizer, and the model has none"))
	}
}

// form reads what an answer is held to: response_format, structured_outputs or grammar.
func (m *served) form(f *fields) *lm.Form {
	name, key, make := "", "", (func() (*constrain.Grammar, error))(nil)
	is := func(field, of string, g func() (*constrain.Grammar, error)) {
		if name != "" {
			f.fail(bad(field, "%s and %s both say what the answer is held to", name, field))
		}
		name, key, make = field, field+" "+of, g
	}
	schema := func(field string, text json.RawMessage) {
		is(field, "schema "+string(text), func() (*constrain.Grammar, error) { return constrain.Schema(text) })
	}
	var format struct {
		Type   string          `json:"type"`
		Schema json.RawMessage `json:"schema"` // as llama.cpp has it
		JSON   *struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if f.to("response_format", &format, "an object with a type") {
		switch {
		case format.Type == "text":
		case format.Type == "json_object" && format.Schema != nil:
			schema("response_format", format.Schema)
		case format.Type == "json_object":
			is("response_format", "json", func() (*constrain.Grammar, error) { return constrain.JSON(false) })
		case format.Type == "json_schema" && format.JSON != nil && format.JSON.Schema != nil:
			schema("response_format", format.JSON.Schema)
		case format.Type == "json_schema":
			f.fail(bad("response_format.json_schema", "response_format has the type json_schema, and no json_schema with a schema"))
		default:
			f.fail(bad("response_format.type", "response_format has the type %.40q: text, json_object and json_schema are known", format.Type))
		}
	}
	var grammar, regex string
	if f.text("grammar", &grammar) {
		is("grammar", grammar, func() (*constrain.Grammar, error) { return constrain.GBNF(grammar) })
	}
	if text := f.get("json_schema"); text != nil {
		schema("json_schema", text)
	}
	if f.has("structured_outputs") {
		var inner map[string]json.RawMessage
		if f.to("structured_outputs", &inner, "an object") {
			o := &fields{members: inner, read: map[string]bool{}}
			var choice []string
			if text := o.get("json"); text != nil {
				var written string // a schema in a text, as vLLM takes it too
				if json.Unmarshal(text, &written) == nil {
					text = json.RawMessage(written)
				}
				schema("structured_outputs.json", text)
			}
			if o.text("regex", &regex) {
				is("structured_outputs.regex", regex, func() (*constrain.Grammar, error) { return constrain.Regexp(regex) })
			}
			if o.to("choice", &choice, "a list of texts") {
				all, _ := json.Marshal(choice)
				is("structured_outputs.choice", string(all), func() (*constrain.Grammar, error) { return constrain.Choice(choice) })
			}
			if o.text("grammar", &grammar) {
				is("structured_outputs.grammar", grammar, func() (*constrain.Grammar, error) { return constrain.GBNF(grammar) })
			}
			if o.failed != nil {
				f.fail(o.failed)
			}
			for _, other := range o.unknown() {
				f.fail(bad("structured_outputs."+other, "structured_outputs.%s is not known: json, regex, choice and grammar are", other))
			}
		}
	}
	if f.failed != nil || name == "" {
		return nil
	}
	form, err := m.formOf(key, make)
	if err != nil {
		f.fail(bad(name, "%s: %v", name, err))
	}
	return form
}

// room bounds the answer by the model's positions. A prompt and an answer that do not fit are refused.
func (m *served) room(s *settings, prompt int, otherwise int) (int, *failure) {
	longest := m.lm.Config.T
	asked := s.maxTokens
	if asked < 0 {
		asked = otherwise
		if asked < 0 || prompt+asked > longest {
			asked = longest - prompt
		}
	}
	switch {
	case prompt == 0:
		return 0, bad("prompt", "the prompt has no tokens")
	case prompt > longest || prompt == longest && asked > 0:
		return 0, tooLong("prompt", "the prompt has %d tokens, and the model %d positions for it and an answer", prompt, longest)
	case prompt+asked > longest:
		return 0, tooLong("max_tokens", "the prompt has %d tokens and the answer at most %d, which is more than the model's %d positions", prompt, asked, longest)
	}
	return asked, nil
}

// failureOf is what the engine's error is to a client.
func failureOf(err error) *failure {
	if own := (*failure)(nil); errors.As(err, &own) {
		return own
	}
	if errors.Is(err, generate.ErrTooLong) {
		return tooLong("prompt", "%v", err)
	}
	return bad("", "%v", err)
}
