package score

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"olmo/chat"
	evaldata "olmo/eval/data"
	"olmo/eval/python"
	"olmo/internal/pyjson"
)

// Answers are the answers of a file: lines of {"doc", "responses"} or {"doc", "loglikelihoods"},
// the requests-TASK.jsonl of a run, the samples_TASK.jsonl of lm-eval, or the predictions.jsonl of
// OLMES.
type Answers struct {
	Rows   []Row
	places []string // of each row
	lines  []answerLine
}

// answerLine is a line of such a file.
type answerLine struct {
	members []member
	row     int // that it belongs to, -1 for none of its own
}

// member is a name of an object with its value, as they stand.
type member struct {
	name  string
	value json.RawMessage
}

// ReadAnswers reads a file. A line that has no answer is an error that names file and line.
func ReadAnswers(path string) (*Answers, error) {
	a := &Answers{}
	filters := map[string][]string{} // of lm-eval's lines, by document; each filter has a line
	rows := map[string]int{}
	var docs map[string]json.RawMessage // of OLMES' lines
	for r, err := range evaldata.File(path).Rows() {
		if err != nil {
			return nil, err
		}
		members, err := membersOf(r.JSON)
		if err != nil {
			return nil, r.Bad(err)
		}
		l := answerLine{members: members, row: len(a.Rows)}
		var row *Row
		switch {
		case l.has("resps"):
			key := string(l.value("doc_id")) + string(l.value("doc_hash"))
			filter := string(l.value("filter"))
			if n, ok := rows[key]; ok && !slices.Contains(filters[key], filter) {
				l.row = n
			} else if row, err = l.sample(); err == nil {
				rows[key], filters[key] = l.row, nil
			}
			filters[key] = append(filters[key], filter)
		case l.has("model_output"):
			if docs == nil {
				if docs, err = askedDocs(path); err != nil {
					return nil, err
				}
			}
			row, err = l.prediction(docs)
		case l.has("continuation") && l.has("logprob"):
			var choice int
			if err = l.read("choice", &choice); err == nil && choice > 0 {
				l.row = -1
				if len(a.Rows) == 0 {
					return nil, r.Bad(errors.New("the document's first choice is missing"))
				}
				err = l.choice(&a.Rows[len(a.Rows)-1])
			} else if err == nil {
				row = &Row{Doc: l.value("doc")}
				err = l.choice(row)
			}
		default:
			row, err = l.plain()
		}
		if err != nil {
			return nil, r.Bad(err)
		}
		if row != nil {
			a.Rows, a.places = append(a.Rows, *row), append(a.places, r.Place)
		}
		a.lines = append(a.lines, l)
	}
	if len(a.Rows) == 0 {
		return nil, fmt.Errorf("%s holds no answers", path)
	}
	return a, nil
}

// LeaveOut leaves the thinking out of the responses, which are judged without it. endless counts
// those in which it does not end, and which are empty then.
func (a *Answers) LeaveOut(t chat.Thinking) (endless int) {
	for i := range a.Rows {
		r := &a.Rows[i]
		t.Begun = r.begun
		for k, text := range r.Responses {
			answer, closed := t.Answer(text)
			r.Responses[k] = answer
			if !closed {
				endless++
			}
		}
	}
	return endless
}

// membersOf are the members of an object, in their order.
func membersOf(text []byte) ([]member, error) {
	bad := func(err error) error { // a decoder of tokens does not tell what it looked for
		var whole json.RawMessage
		return cmp.Or(pyjson.Value(text, &whole), err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil {
		return nil, bad(err)
	}
	if open != json.Delim('{') {
		return nil, errors.New("the line is no JSON object")
	}
	var all []member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, bad(err)
		}
		m := member{name: name.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, bad(err)
		}
		all = append(all, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, bad(err)
	}
	if d.More() {
		return nil, errors.New("more than one object stands on the line")
	}
	return all, nil
}

// value is the value of a name; nil where there is none, or null.
func (l *answerLine) value(name string) json.RawMessage {
	for _, m := range slices.Backward(l.members) {
		if m.name == name && string(m.value) != "null" {
			return m.value
		}
	}
	return nil
}

func (l *answerLine) has(name string) bool { return l.value(name) != nil }

// read reads a value, if there is one.
func (l *answerLine) read(name string, v any) error {
	raw := l.value(name)
	if raw == nil {
		return nil
	}
	if err := pyjson.Value(raw, v); err != nil {
		return fmt.Errorf("%s is %s: %w", name, short(raw), err)
	}
	return nil
}

// short is the beginning of a value, for messages.
func short(raw json.RawMessage) string {
	if len(raw) > 60 {
		return string(bytes.ToValidUTF8(raw[:60], nil)) + "…"
	}
	return string(raw)
}

// plain reads a line whose answer is a response, responses or loglikelihoods.
func (l *answerLine) plain() (*Row, error) {
	r := &Row{Doc: l.value("doc")}
	var one *string
	err := errors.Join(l.read("responses", &r.Responses), l.read("response", &one), l.read("loglikelihoods", &r.Loglikelihoods), l.read("targets", &r.Targets), l.read("thinking", &r.begun))
	if err != nil {
		return nil, err
	}
	if one != nil && r.Responses == nil {
		r.Responses = []string{*one}
	}
	if r.Responses == nil && r.Loglikelihoods == nil {
		return nil, errors.New("the line has neither responses nor loglikelihoods")
	}
	return r, nil
}

// choice adds a choice of one of our runs to its document's row.
func (l *answerLine) choice(r *Row) error {
	var logprob float64
	var gold, unconditional bool
	if err := errors.Join(l.read("logprob", &logprob), l.read("gold", &gold), l.read("unconditional", &unconditional)); err != nil {
		return err
	}
	if !unconditional {
		r.Loglikelihoods = append(r.Loglikelihoods, logprob)
		r.Labels = append(r.Labels, int(number(gold)))
	}
	return nil
}

// sample reads a line of lm-eval's: resps has a list for each request, of texts, or of
// log-probabilities each with whether it is greedy; a text or such a pair may also stand alone.
func (l *answerLine) sample() (*Row, error) {
	r := &Row{Doc: l.value("doc")}
	var requests []json.RawMessage
	if err := l.read("resps", &requests); err != nil {
		return nil, err
	}
	for _, request := range requests {
		var answers []json.RawMessage
		var logprob float64
		if json.Unmarshal(request, &answers) != nil || len(answers) == 2 && json.Unmarshal(answers[0], &logprob) == nil {
			answers = []json.RawMessage{request}
		}
		for _, raw := range answers {
			if err := r.addSample(raw); err != nil {
				return nil, err
			}
		}
	}
	if r.Responses == nil && r.Loglikelihoods == nil {
		return nil, errors.New("resps is empty")
	}
	if target := l.value("target"); target != nil && r.Responses != nil {
		// A target that is no text is a choice's number; the document has its answer then.
		if all, err := texts(target); err == nil {
			r.Targets = literals(all)
		}
	}
	return r, nil
}

// addSample adds a text, or a log-probability with whether it is greedy.
func (r *Row) addSample(raw json.RawMessage) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		r.Responses = append(r.Responses, text)
		return nil
	}
	var pair []json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil || len(pair) == 0 {
		return fmt.Errorf("resps has %s, want a text or a log-probability", short(raw))
	}
	if json.Unmarshal(pair[0], &text) != nil { // lm-eval writes numbers as texts
		text = string(pair[0])
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("resps has the log-probability %s", short(pair[0]))
	}
	r.Loglikelihoods = append(r.Loglikelihoods, f)
	return nil
}

// literals are the right answers of a target, which lm-eval writes as one text even where it is
// a list of texts.
func literals(target []string) []string {
	if len(target) != 1 || !strings.HasPrefix(target[0], "[") {
		return target
	}
	v, err := python.Literal(target[0])
	list, ok := v.([]any)
	if err != nil || !ok || len(list) == 0 {
		return target
	}
	var out []string
	for _, x := range list {
		text, ok := x.(string)
		if !ok {
			return target
		}
		out = append(out, text)
	}
	return out
}
