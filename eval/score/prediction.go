package score

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	evaldata "olmo/eval/data"
)

// askedDocs are the documents of a predictions.jsonl of OLMES (oe-eval), by doc_id: they stand in the
// requests.jsonl beside it. Without that file there are none, and scorers say what they miss.
func askedDocs(predictions string) (map[string]json.RawMessage, error) {
	docs := map[string]json.RawMessage{}
	at := strings.LastIndex(predictions, "predictions.jsonl")
	if at < 0 {
		return docs, nil
	}
	for r, err := range evaldata.File(predictions[:at] + "requests.jsonl" + predictions[at+len("predictions.jsonl"):]).Rows() {
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		var asked struct {
			ID  json.RawMessage `json:"doc_id"`
			Doc json.RawMessage `json:"doc"`
		}
		if err := json.Unmarshal(r.JSON, &asked); err != nil {
			return nil, r.Bad(err)
		}
		docs[string(asked.ID)] = asked.Doc
	}
	return docs, nil
}

// prediction reads a line of predictions.jsonl: model_output has what was written, or the
// log-probability of each choice; label is the right choice, or the right answers.
func (l *answerLine) prediction(docs map[string]json.RawMessage) (*Row, error) {
	r := &Row{Doc: docs[string(l.value("doc_id"))]}
	var outputs []struct {
		Text    *string  `json:"continuation"`
		Logprob *float64 `json:"sum_logits"`
	}
	if err := l.read("model_output", &outputs); err != nil {
		return nil, err
	}
	for i, o := range outputs {
		switch {
		case o.Logprob != nil: // beside which a continuation may be a choice's text
			r.Loglikelihoods = append(r.Loglikelihoods, *o.Logprob)
		case o.Text != nil:
			r.Responses = append(r.Responses, *o.Text)
		default:
			return nil, fmt.Errorf("model_output %d has neither continuation nor sum_logits", i)
		}
	}
	if len(outputs) == 0 {
		return nil, errors.New("model_output is empty")
	}
	label := l.value("label")
	var choice int
	switch {
	case label == nil:
	case r.Responses != nil:
		if all, err := texts(label); err == nil {
			r.Targets = all
		}
	case json.Unmarshal(label, &choice) == nil && choice >= 0 && choice < len(r.Loglikelihoods):
		r.Labels = make([]int, len(r.Loglikelihoods))
		r.Labels[choice] = 1
	}
	return r, nil
}
