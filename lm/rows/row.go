package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"olmo/chat"
	"olmo/data"
	"olmo/generate"
	"olmo/internal/pyjson"
	"olmo/lm"
)

// member is a member of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members returns those of an object, in their order.
func members(text []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("the line is no JSON object")
	}
	var out []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, inside(err)
		}
		m := member{name: t.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, inside(err)
		}
		if slices.ContainsFunc(out, func(x member) bool { return x.name == m.name }) {
			return nil, fmt.Errorf("the key %q is there twice", m.name)
		}
		out = append(out, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, inside(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is more behind the JSON object")
	}
	return out, nil
}

// inside is an error within an object, at whose end the decoder says no more than that.
func inside(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the line ends inside the JSON object")
	}
	return err
}

// others are settings of requests elsewhere that no row can have here. Passed over they would be silently
// without effect.
var others = []string{
	"n", "best_of", "logit_bias", "schema", "json_schema", "grammar", "regex", "choice", "response_format",
	"tools", "tool_choice", "functions", "function_call", "stream", "logprobs", "samplers", "beams", "num_beams",
	"dry_multiplier", "xtc_probability", "ignore_eos", "stop_ids", "stop_token_ids", "allowed_token_ids", "bad_words",
	"lora", "lora_request",
}

// read reads the rows of a file, and those that cannot be answered.
func (o *Options) read(m *lm.Model, input string) (rows []row, bad []*data.RecordError, err error) {
	r, err := data.OpenRows(input)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	for {
		line, err := r.NextLine()
		var wrong *data.RecordError
		switch {
		case errors.Is(err, io.EOF):
			return rows, bad, nil
		case errors.As(err, &wrong):
		case err != nil:
			return nil, nil, err
		default:
			x := row{text: bytes.Clone(line.Bytes), request: o.Request}
			err := o.parse(m, &x)
			if err == nil {
				rows = append(rows, x)
				continue
			}
			wrong = r.BadLine(line, err)
		}
		if o.Strict {
			return nil, nil, wrong
		}
		bad = append(bad, wrong)
	}
}

// parse makes the request of a row.
func (o *Options) parse(m *lm.Model, x *row) error {
	all, err := members(x.text)
	if err != nil {
		return err
	}
	q := &x.request
	var messages []chat.Message
	var text *string
	s := &q.Sampling
	settings := map[string]any{
		"max_tokens": &q.MaxTokens, "temperature": &s.Temperature, "top_k": &s.TopK, "top_p": &s.TopP, "min_p": &s.MinP, "typical_p": &s.Typical,
		"top_n_sigma": &s.TopNSigma, "seed": &s.Seed, "dynatemp_range": &s.DynaTemp.Range, "dynatemp_exponent": &s.DynaTemp.Exponent,
		"mirostat": &s.Mirostat.Version, "mirostat_tau": &s.Mirostat.Entropy, "mirostat_eta": &s.Mirostat.Rate, "min_tokens": &s.MinTokens, "no_repeat_ngram_size": &s.NoRepeatNGram,
		"repetition_penalty": &s.Penalties.Repetition, "presence_penalty": &s.Penalties.Presence, "frequency_penalty": &s.Penalties.Frequency,
	}
	asked := 0
	for _, k := range all {
		switch to := settings[k.name]; {
		case to != nil && !bytes.Equal(k.value, []byte("null")):
			err = pyjson.Value(k.value, to)
			if f, ok := to.(*float64); err == nil && ok && *f == 0 { // left out in code, which is nothing that anyone means
				switch k.name {
				case "repetition_penalty":
					err = errors.New("it is 0, it must lie between 0.001 and 1000; 1 is none")
				case "dynatemp_exponent", "mirostat_tau", "mirostat_eta":
					err = errors.New("it is 0, it must be more, up to 1000")
				}
			}
		case k.name == "stop" && o.Form != nil:
			err = errors.New("the answer is held to a form, and a stop would end it elsewhere")
		case k.name == "stop":
			var one string
			if json.Unmarshal(k.value, &one) == nil {
				q.StopTexts = []string{one}
			} else {
				err = pyjson.Value(k.value, &q.StopTexts)
			}
			if slices.Contains(q.StopTexts, "") {
				err = errors.New("it is empty, and would end every text before it begins")
			}
		case k.name == "adapter":
			q.Adapter = ""
			if !bytes.Equal(k.value, []byte("null")) {
				if err = pyjson.Value(k.value, &q.Adapter); err == nil && q.Adapter == "" {
					err = errors.New("it is empty; null is the model itself")
				}
			}
			if err == nil {
				_, err = m.AdapterNumber(q.Adapter)
			}
		case k.name == "prompt" && k.value[0] == '[':
			asked++
			err = pyjson.Value(k.value, &q.Prompt)
		case k.name == "prompt":
			asked++
			err = pyjson.Value(k.value, &text)
		case k.name == "messages":
			asked++
			messages, err = conversation(k.value)
		case (k.name == "logprobs" || k.name == "top_logprobs") && k.value[0] == '[': // an answer's, of an earlier output
		case k.name == "top_logprobs" && !bytes.Equal(k.value, []byte("null")):
			err = pyjson.Value(k.value, &q.TopLogprobs)
		case slices.Contains(others, k.name):
			err = errors.New("no row can have it here")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	switch {
	case asked != 1:
		return errors.New("the row wants one of prompt and messages")
	case q.MaxTokens < 0:
		return fmt.Errorf("max_tokens is %d, it must be 0 or more", q.MaxTokens)
	case len(q.StopTexts) > 0 && m.Tokenizer == nil:
		return errors.New("stop wants a tokenizer, and the model has none")
	}
	if err := errors.Join(s.Check(), generate.CheckTopLogprobs(q.TopLogprobs)); err != nil {
		return byKey(err)
	}
	if !o.IgnoreEOS {
		q.Stop = slices.Concat(m.StopOf(q.Adapter), q.Stop)
	}
	switch {
	case messages != nil:
		if err := o.converse(m, q, messages); err != nil {
			return err
		}
		x.talk = true
	case text != nil:
		if q.Prompt, err = m.Encode(*text); err != nil {
			return err
		}
	}
	for _, id := range q.Prompt {
		if id < 0 || int(id) >= m.Config.V {
			return fmt.Errorf("prompt: id %d is outside the model's vocabulary of %d", id, m.Config.V)
		}
	}
	switch {
	case len(q.Prompt) == 0:
		return errors.New("the prompt has no tokens")
	case len(q.Prompt) >= m.Config.T:
		return fmt.Errorf("the prompt has %d tokens, and the model %d positions, one of them for an answer", len(q.Prompt), m.Config.T)
	}
	if err := generate.CheckTokens(s.MinTokens, q.MaxTokens, m.Config.T-len(q.Prompt)); err != nil {
		return byKey(err)
	}
	return nil
}

// byKey names a setting, with which the error begins as flags have it, as the row does.
func byKey(err error) error {
	flag, rest, _ := strings.Cut(err.Error(), " ")
	switch flag {
	case "no-repeat-ngram":
		flag = "no_repeat_ngram_size"
	case "dynatemp-exp":
		flag = "dynatemp_exponent"
	case "mirostat-lr":
		flag = "mirostat_eta"
	case "mirostat-ent":
		flag = "mirostat_tau"
	}
	return errors.New(strings.ReplaceAll(flag, "-", "_") + " " + rest)
}

// conversation reads messages.
func conversation(text json.RawMessage) ([]chat.Message, error) {
	var raw []json.RawMessage
	if err := pyjson.Value(text, &raw); err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, errors.New("there are none")
	}
	messages := make([]chat.Message, len(raw))
	for i := range raw {
		if err := pyjson.Strict(raw[i], &messages[i]); err != nil {
			return nil, fmt.Errorf("message %d: %w", i+1, err)
		}
		var content struct{ Content *string }
		if json.Unmarshal(raw[i], &content) == nil && content.Content == nil {
			return nil, fmt.Errorf("message %d: it has no content", i+1)
		}
		if r := messages[i].Role; r != chat.System && r != chat.User && r != chat.Assistant {
			return nil, fmt.Errorf("message %d: the role is %q, want system, user or assistant", i+1, r)
		}
	}
	return messages, nil
}

// converse makes the prompt of a conversation. Nothing of it is left out.
func (o *Options) converse(m *lm.Model, q *lm.Request, messages []chat.Message) error {
	if m.Tokenizer == nil {
		return errors.New("messages want a tokenizer, and the model has none")
	}
	format := o.Format
	if q.Adapter != o.Adapter {
		var err error
		if format, err = m.ChatFormatOf(q.Adapter); err != nil {
			return err
		}
	}
	ids, dropped, err := m.PromptOf(format, messages, m.Config.T-1)
	switch {
	case err != nil:
		return err
	case dropped > 0:
		return fmt.Errorf("the conversation is longer than the model's %d positions", m.Config.T)
	}
	if q.Prompt = ids; q.Form == nil { // which ends the answer itself
		q.StopTexts = slices.Concat(q.StopTexts, format.Stops())
	}
	return nil
}
